package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/schema"
)

func hostsCommand(s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use: "hosts", Short: "Say which hosts may send samples to the recorder on this machine",
		Long: `Say which hosts may send samples to a recorder with --listen. Each host has a key of its own, with which it
can publish as that host and read nothing. A key is in force at once, and worth nothing at once when it is
removed; the recorder need not be restarted.`,
		Example: `  proctape hosts add build07
  proctape hosts list
  proctape hosts remove build07`,
	}
	onlyCommands(cmd)
	cmd.AddCommand(hostsAddCommand(s), hostsListCommand(s), hostsRemoveCommand(s))
	return cmd
}

func hostsAddCommand(s *settings) *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use: "add NAME", Short: "Make a key for a host", Args: oneArg("host"),
		Long: `Make a key for a host and write it to a file. The recorder keeps no copy. Move the file to the host, where
only the sampler may read it, and remove it here.`,
		Example: `  proctape hosts add build07
  proctape hosts add build07 --out - | ssh build07 'umask 077; cat > proctape.nk'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkHostName(args[0]); err != nil {
				return err
			}
			if args[0] == schema.Fleet {
				return misuse("no host can be called %q: it stands for all hosts", schema.Fleet)
			}
			if s.server != "" {
				return hinted(misuse("hosts add makes keys for the recorder on this machine, and --server names another server"), "run it where the recorder runs")
			}
			if path == "" {
				path = args[0] + ".nk"
			}
			if path == "-" {
				return addHost(s, args[0], cmd.OutOrStdout())
			}
			if err := writeHostKey(s, args[0], path); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "The key of %s is in %s. Move it to that host, where only its sampler may read it:\n  proctape sample --server URL --creds %s --host %s\n",
				args[0], printable(path), printable(path), args[0])
			return nil
		},
	}
	cmd.Flags().StringVar(&path, "out", "", "`file` for the key, - for standard output (default: NAME.nk)")
	return cmd
}

// addHost makes a host's key and writes it.
func addHost(s *settings, name string, w io.Writer) error {
	_, err := embeddednats.AddHost(s.data, name, w)
	if errors.Is(err, embeddednats.ErrHostExists) {
		return hinted(err, `"proctape hosts remove %s" removes it; then it can get a new one`, name)
	}
	return explainStart(err, s)
}

// writeHostKey makes a host's key in a new file.
func writeHostKey(s *settings, name, path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return hinted(fmt.Errorf("write the key: %w", err), "name a file that does not exist yet with --out")
	}
	if err := errors.Join(addHost(s, name, f), f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

func hostsListCommand(s *settings) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the hosts that have a key", Args: noArgs,
		Example: `  proctape hosts list --json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			hosts, err := embeddednats.Hosts(s.data)
			if err != nil {
				return explainStart(err, s)
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), hosts)
			}
			if len(hosts) == 0 {
				fmt.Fprintln(cmd.ErrOrStderr(), `proctape: note: no host has a key; "proctape hosts add NAME" makes one`)
				return nil
			}
			t := newTable(cmd.OutOrStdout(), "HOST\tADDED\tPUBLIC KEY")
			for _, h := range hosts {
				t.row("%s\t%s\t%s", h.Name, h.Added.Local().Format(timeLayout), h.Public)
			}
			return t.flush()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, one object a line")
	return cmd
}

func hostsRemoveCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use: "remove NAME", Short: "Make the key of a host worth nothing", Args: oneArg("host"),
		Long: `Make the key of a host worth nothing, and close the host's connections. What the host has recorded stays.`,
		Example: `  proctape hosts remove build07
  proctape hosts remove build07 && proctape hosts add build07`,
		RunE: func(cmd *cobra.Command, args []string) error {
			err := embeddednats.RemoveHost(cmd.Context(), s.data, args[0])
			if errors.Is(err, embeddednats.ErrNoHost) {
				return hinted(err, `"proctape hosts list" lists those that have one`)
			}
			if err != nil {
				return explainStart(err, s)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "The key of %s is worth nothing any more.\n", printable(args[0]))
			return nil
		},
	}
}
