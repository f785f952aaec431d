package main

import (
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// configured are the commands that run for long, which a file of settings is for.
var configured = []string{"up", "sample", "project", "serve"}

func configCommand(s *settings) *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Check a file of settings, or write an example of one"}
	cmd.AddCommand(configCheckCommand(s), configExampleCommand())
	return cmd
}

func configCheckCommand(s *settings) *cobra.Command {
	var of string
	cmd := &cobra.Command{
		Use: "check FILE", Short: "Check a file of settings, without starting anything", Args: oneFile,
		Long: `Check a file of settings as the command would that reads it, and start nothing: names, values, what does not go together, and that the
files which it names can be read. Say which settings are not the default. The environment counts as it does for the command.

Exit with 0 when all is well, and with 2 when the file, or what it names, is not.`,
		Example: `  proctape config check /etc/proctape/recorder.yaml
  proctape config check --for sample /etc/proctape/sampler.yaml`,
		RunE: func(cmd *cobra.Command, args []string) error {
			target, err := commandNamed(cmd.Root(), of)
			if err != nil {
				return err
			}
			return checkConfig(cmd, s, target, args[0])
		},
	}
	cmd.Flags().StringVar(&of, "for", "up", "the `command` that reads the file: up, sample, project or serve")
	return cmd
}

// oneFile accepts exactly one argument, a file.
func oneFile(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return hinted(misuse("it needs one argument, the file"), "for example: proctape config check /etc/proctape/recorder.yaml")
	}
	return nil
}

// commandNamed is the command that reads a file of settings.
func commandNamed(root *cobra.Command, name string) (*cobra.Command, error) {
	if !slices.Contains(configured, name) {
		return nil, hinted(misuse("%q is no command that a file of settings is for", name), "%sthe commands are %s", didYouMean("", name, configured), strings.Join(configured, ", "))
	}
	cmd, _, err := root.Find([]string{name})
	return cmd, err
}

// checkConfig has a command check its settings with a file.
func checkConfig(cmd *cobra.Command, s *settings, target *cobra.Command, file string) error {
	w := cmd.OutOrStdout()
	s.config, s.checksOnly = file, true
	target.SetContext(cmd.Context())
	if err := target.ParseFlags(nil); err != nil { // the flags of all commands become the command's
		return err
	}
	if err := s.resolve(target); err != nil {
		return err
	}
	if err := target.RunE(target, nil); err != nil {
		return &misuseError{err}
	}
	fmt.Fprintf(w, "%s is well for proctape %s\n", file, target.Name())
	target.Flags().VisitAll(func(f *pflag.Flag) {
		completed := f.Name == "db" && f.Value.String() == filepath.Join(s.data, "monitor.db")
		if isSetting(target, f.Name) && f.Value.String() != f.DefValue && f.Changed && !completed {
			fmt.Fprintf(w, "  %s: %s\n", f.Name, f.Value)
		}
	})
	for _, name := range slices.Sorted(maps.Keys(s.file)) {
		if target.Flags().Lookup(name) == nil {
			fmt.Fprintf(w, "  %s is a setting of other commands; %s takes no notice of it\n", name, target.Name())
		}
	}
	return nil
}

func configExampleCommand() *cobra.Command {
	var of string
	cmd := &cobra.Command{
		Use: "example", Short: "Write an example of a file of settings", Args: noArgs,
		Long:    `Write a file of settings with all that a command takes, each with its default and what it is for. All lines are comments: take the # away from those that are to be others.`,
		Example: `  proctape config example --for sample > sampler.yaml`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			target, err := commandNamed(cmd.Root(), of)
			if err != nil {
				return err
			}
			return writeExample(cmd.OutOrStdout(), target)
		},
	}
	cmd.Flags().StringVar(&of, "for", "up", "the `command` that reads the file: up, sample, project or serve")
	return cmd
}

// writeExample writes the settings of a command, as comments.
func writeExample(w io.Writer, target *cobra.Command) error {
	if err := target.ParseFlags(nil); err != nil { // the flags of all commands become the command's
		return err
	}
	fmt.Fprintf(w, "# Settings of proctape %s. The command line and the environment (PROCTAPE_INTERVAL for interval) count more.\n", target.Name())
	var failed error
	target.Flags().VisitAll(func(f *pflag.Flag) {
		elsewhere := target.Name() == "up" && slices.Contains([]string{"server", "context", "creds", "tls-ca"}, f.Name) // up runs a server of its own
		if !isSetting(target, f.Name) || f.Name == "url" || elsewhere {
			return
		}
		_, usage := pflag.UnquoteUsage(f)
		if _, err := fmt.Fprintf(w, "\n# %s\n#%s: %s\n", usage, f.Name, exampleValue(f)); err != nil {
			failed = err
		}
	})
	return failed
}

// exampleValue is a flag's default, as YAML has it.
func exampleValue(f *pflag.Flag) string {
	switch {
	case f.Value.Type() == "stringSlice":
		return "[]"
	case f.Value.Type() == "string":
		return fmt.Sprintf("%q", f.DefValue)
	}
	return f.DefValue
}
