package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/projector/notify"
)

func silenceCommand(s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use: "silence", Short: "Keep anomalies from being told for a while",
		Long: `Keep anomalies from being told for a while. They are recorded all the same. A silence has an end; what still goes on then is told. Silences are of
the database whose recorder or projector runs with --notify (docs/notify.md), and are in force at once.`,
		Example: `  proctape silence add --job nightly --for 2h --comment "moving the cache"
  proctape silence list
  proctape silence end 4f1d22a0`,
	}
	onlyCommands(cmd)
	cmd.AddCommand(silenceAddCommand(s), silenceListCommand(s), silenceEndCommand(s))
	return cmd
}

func silenceAddCommand(s *settings) *cobra.Command {
	var of notify.Silence
	var length time.Duration
	var until timeText
	cmd := &cobra.Command{
		Use: "add", Short: "Begin a silence", Args: noArgs,
		Long: `Begin a silence now, of anomalies that all of --rule, --host and --job fit, and print its id. Each is a pattern such as build-*; at least one has to be
given. It ends after --for, or at --until.`,
		Example: `  proctape silence add --rule memory_spike --job "nightly*" --for 90m
  proctape silence add --host build-07 --until "tomorrow 08:00" --comment "new kernel"`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			now := time.Now()
			ends, err := silenceEnd(length, string(until), now)
			if err != nil {
				return err
			}
			if of.Rule == "" && of.Host == "" && of.Job == "" {
				return hinted(misuse("a silence needs one of --rule, --host and --job"), `--rule "*" silences all`)
			}
			for _, pattern := range []string{of.Rule, of.Host, of.Job} {
				if err := notify.CheckPattern(pattern); err != nil {
					return misuse("%w", err)
				}
			}
			of.Ends = timestamp(ends)
			made, err := notify.AddSilence(s.db, of, now)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Silence %s goes on until %s.\n", made.ID, ends.Local().Format(timeLayout))
			return nil
		},
	}
	cmd.Flags().StringVar(&of.Rule, "rule", "", "`pattern` of rules, or of types of anomalies")
	cmd.Flags().StringVar(&of.Host, "host", "", "`pattern` of hosts")
	cmd.Flags().StringVar(&of.Job, "job", "", "`pattern` of jobs")
	cmd.Flags().StringVar(&of.Comment, "comment", "", "why, in `words`")
	cmd.Flags().DurationVar(&length, "for", 0, "how long, such as 2h")
	cmd.Flags().Var(&until, "until", "until this `time`")
	return cmd
}

// silenceEnd is when a silence ends that begins now.
func silenceEnd(length time.Duration, until string, now time.Time) (time.Time, error) {
	if (length == 0) == (until == "") {
		return now, hinted(misuse("a silence needs an end: one of --for and --until"), "for example --for 2h")
	}
	ends := now.Add(length)
	if until != "" {
		var err error
		if ends, err = timeFlag("until", until, now); err != nil {
			return now, err
		}
	}
	if !ends.After(now) {
		return now, misuse("the silence would end at %s, which is not after now", ends.Local().Format(timeLayout))
	}
	return ends, nil
}

func silenceListCommand(s *settings) *cobra.Command {
	var all, asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the silences that go on", Args: noArgs,
		Example: `  proctape silence list --all --json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			silences, err := notify.Silences(s.db)
			if err != nil {
				return err
			}
			now, listed := timestamp(time.Now()), []notify.Silence{}
			for _, of := range silences {
				if all || of.Ends > now {
					listed = append(listed, of)
				}
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), listed)
			}
			if len(listed) == 0 {
				fmt.Fprintln(cmd.ErrOrStderr(), `proctape: note: no silence goes on; "proctape silence add" begins one`)
				return nil
			}
			t := newTable(cmd.OutOrStdout(), "ID\tENDS\tRULE\tHOST\tJOB\tCOMMENT")
			for _, of := range listed {
				t.row("%s\t%s\t%s\t%s\t%s\t%s", of.ID, localTime(of.Ends), dashIfEmpty(printable(of.Rule)), dashIfEmpty(printable(of.Host)), dashIfEmpty(printable(of.Job)), printable(of.Comment))
			}
			return t.flush()
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "list those of the last week that have ended, too")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, one object a line")
	return cmd
}

func silenceEndCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use: "end ID", Short: "End a silence now", Args: oneArg("id of the silence"),
		Example: `  proctape silence end 4f1d22a0`,
		RunE: func(cmd *cobra.Command, args []string) error {
			err := notify.EndSilence(s.db, args[0], time.Now())
			if errors.Is(err, notify.ErrNoSilence) {
				return hinted(fmt.Errorf("no silence %s goes on", printable(args[0])), `"proctape silence list" lists them`)
			}
			if err == nil {
				fmt.Fprintf(cmd.OutOrStdout(), "Silence %s has ended.\n", args[0])
			}
			return err
		},
	}
}
