package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/producer"
	"github.com/proctape/proctape/producer/run"
	"github.com/proctape/proctape/query/doctor"
)

// doctorLacks is the exit code of doctor when something lacks.
const doctorLacks = 1

func doctorCommand(s *settings) *cobra.Command {
	l := new(listing)
	f := &samplingFlags{spoolHours: 1} // nothing is published, so nothing waits
	cmd := &cobra.Command{
		Use: "doctor", Short: "Say what this machine allows a recorder, what is missing, and what grants it", Args: noArgs,
		Long: `Try, as the user who runs this command, all that a recorder needs: what a sampler sees, each source of starts and
ends of processes, control groups, limits, the clock, the data folder and its disk, keys, and the log's server. For
what is missing, print the command that grants it, and what that costs.

With --server and --creds it tries what that key may do. It publishes nothing, and what it makes it removes. Run it as
the user who is to record: another user may do more, or less.

Exit with 0 when all is there, 1 when something lacks, and 2 when the command is misused.`,
		Example: `  proctape doctor
  sudo proctape doctor --data /var/lib/proctape
  proctape doctor --server tls://central:4222 --creds build07.nk --host build07`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := f.config(cmd, s)
			if err != nil {
				return err
			}
			facts, err := examine(cmd, s, cfg)
			if err != nil {
				return err
			}
			checks := doctor.Judge(facts)
			if l.json {
				err = printJSON(cmd.OutOrStdout(), checks)
			} else {
				err = printChecks(cmd.OutOrStdout(), checks)
			}
			if unlessGone(err) == nil && len(doctor.Missing(checks)) > 0 {
				return &exitCodeError{doctorLacks}
			}
			return err
		},
	}
	l.registerJSON(cmd)
	cmd.Flags().StringVar(&f.host, "host", "", "`name` as which the key of --creds is to publish (default: this machine's host name)")
	cmd.Flags().DurationVar(&f.interval, "interval", 5*time.Second, "time between samples, by which the disk is judged")
	f.registerMounts(cmd)
	f.argv, f.events, f.nvidiaSMI, f.bpf = "scrubbed", "auto", "nvidia-smi", "auto"
	return cmd
}

// examine finds the facts out.
func examine(cmd *cobra.Command, s *settings, cfg producer.Config) (doctor.Facts, error) {
	facts := doctor.Facts{Machine: doctor.ReadMachine("/"), Clock: doctor.ReadClock(), Interval: cfg.Interval}
	facts.Machine.Memory = s.memory.room
	facts.Machine.MemoryBy = s.memory.reason
	if s.memory.limit == mostMemory {
		facts.Machine.MemoryBy = fmt.Sprintf("there are %s", mib(s.memory.room))
	}
	facts.Machine.See(cfg.Root)
	caps, err := producer.Try(cfg)
	if err != nil {
		return facts, err
	}
	for _, c := range caps {
		facts.Abilities = append(facts.Abilities, doctor.Ability{Name: string(c.Name), Have: c.Have, Detail: c.Detail, Grant: c.Grant, Quiet: c.Quiet})
	}
	if err := run.TryGroup(); err != nil {
		facts.RunGroup = err.Error()
	}
	if s.server == "" {
		facts.Folder = doctor.TryFolder(s.data)
		facts.Folder.Recorder, _ = embeddednats.Owner(s.data)
		keys, _ := filepath.Glob(filepath.Join(embeddednats.KeysDir(s.data), "*.nk"))
		for _, path := range keys {
			facts.Keys = append(facts.Keys, doctor.TryKey(path))
		}
	}
	facts.Server = tryServer(cmd.Context(), s, facts.Folder.Recorder != 0, recordedHost(cfg.Host))
	return facts, nil
}

// marks show the state of a check.
var marks = map[doctor.State]string{doctor.There: "+", doctor.Lacks: "-", doctor.Note: " "}

// printChecks prints checks for people.
func printChecks(w io.Writer, checks []doctor.Check) error {
	missing := doctor.Missing(checks)
	host, _ := os.Hostname()
	line := fmt.Sprintf("%s allows all of it", host)
	if len(missing) > 0 {
		line = fmt.Sprintf("%s lacks %d of %d", host, len(missing), len(checks))
	}
	fmt.Fprintln(w, line)
	part := ""
	for _, c := range checks {
		if c.Part != part {
			part = c.Part
			fmt.Fprintf(w, "\n%s\n", part)
		}
		_, err := fmt.Fprintf(w, "  %s %-17s %s\n", marks[c.State], c.Name, oneLine(c.Detail))
		if c.Grant != "" {
			fmt.Fprintf(w, "    %-17s grant it: %s\n", "", oneLine(c.Grant))
		}
		if c.Costs != "" {
			fmt.Fprintf(w, "    %-17s costs: %s\n", "", c.Costs)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
