package main

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/term"
)

func treeCommand(s *settings) *cobra.Command {
	var l listing
	var at timeText
	cmd := &cobra.Command{
		Use: "tree [PID|JOB]", Short: "Show which process bore which, at any time", Args: oneArgAtMost, ValidArgsFunction: completeJobs(s),
		Long: `Show the processes of a time (--at; now without it) below the ones that bore them. A process that was re-parented
stays where it was born; one that has ended is shown with a dagger where something that it bore still lives. PID or JOB keeps that
process, or those of that job, with all that is above and below.`,
		Example: `  proctape tree
  proctape tree --at "03:10" build-7
  proctape tree 4242 --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			when, err := timeFlag("at", string(at), time.Now())
			if err != nil {
				return err
			}
			if when.IsZero() {
				when = time.Now()
			}
			f := query.Filter{Range: query.Range{Host: l.host}}
			if len(args) == 1 {
				if f.PID, err = strconv.ParseInt(args[0], 10, 32); err != nil || f.PID <= 0 {
					f.PID, f.Job = 0, args[0]
				}
			}
			return l.withDatabase(cmd, s, func(db *query.DB) error {
				trees, err := query.TreeAt(cmd.Context(), db, timestamp(when), f)
				if err != nil {
					return err
				}
				covers, err := query.MomentCoverage(cmd.Context(), db, timestamp(when), l.host)
				if err != nil {
					return err
				}
				return printTrees(cmd, &l, trees, args, covers)
			})
		},
	}
	cmd.Flags().Var(&at, "at", "as it was at this `time`")
	cmd.Flags().StringVar(&l.host, "host", "", "only this `host`")
	cmd.Flags().BoolVar(&l.wide, "wide", false, "do not shorten text to the terminal's width")
	completeHosts(cmd, s)
	l.registerJSON(cmd)
	return cmd
}

func printTrees(cmd *cobra.Command, l *listing, trees []query.Tree, args []string, covers []query.Coverage) error {
	found := false
	for _, t := range trees {
		found = found || len(t.Roots) > 0
	}
	if !found && len(args) == 1 {
		return hinted(fmt.Errorf("no process of %q was there then", args[0]), `name a pid or a job that had processes then; "proctape jobs" lists the jobs`)
	}
	if !found {
		fmt.Fprintln(cmd.ErrOrStderr(), "proctape: note: no processes were recorded then")
	}
	if l.json {
		return printCovered(cmd.OutOrStdout(), trees, covers)
	}
	noteIncomplete(cmd, covers, query.DataSnapshots)
	out := cmd.OutOrStdout()
	width := terminalWidth(out)
	if l.wide {
		width = 0
	}
	for _, t := range trees {
		if len(t.Roots) == 0 {
			continue
		}
		if _, err := fmt.Fprintln(out, momentText(&t.HostAt)); err != nil {
			return err
		}
		if err := printNodes(out, t.Roots, "", "", width); err != nil {
			return err
		}
	}
	return nil
}

// momentText says of when and where something is, and how old that is.
func momentText(m *query.HostAt) string {
	text := fmt.Sprintf("%s on %s", localTime(m.Timestamp), m.Host)
	if m.Resolution > 0 {
		text += ", means of one minute"
	}
	if m.Old >= 1 {
		text += fmt.Sprintf(", %s before the time that was asked for", (time.Duration(m.Old) * time.Second).String())
	}
	return text
}

// printNodes prints nodes and what is below them. Lead stands before the lines, and under before what is below the last of them.
func printNodes(out io.Writer, nodes []*query.Node, lead, under string, width int) error {
	for i, n := range nodes {
		branch, below := "├─ ", "│  "
		if i == len(nodes)-1 {
			branch, below = "└─ ", "   "
		}
		if lead == "" && under == "" {
			branch, below = "", " "
		}
		line := lead + branch + nodeText(n)
		if width > 0 {
			line = term.Fit(line, width)
		}
		if _, err := fmt.Fprintln(out, line); err != nil {
			return err
		}
		if err := printNodes(out, n.Children, lead+below, below, width); err != nil {
			return err
		}
	}
	return nil
}

// nodeText is a process in a tree.
func nodeText(n *query.Node) string {
	command := term.Safe(n.Command)
	if command == "" {
		command = "(not recorded)"
	}
	if n.Ended {
		return fmt.Sprintf("%d † %s", n.PID, command)
	}
	cpu, rss := usageText(&n.Process)
	text := fmt.Sprintf("%d %s  %s  %s%s", n.PID, command, cpu, rss, ofJob(n.JobID, n.Fleet, n.Sheet))
	if n.Adopted {
		text += fmt.Sprintf("  (parent now %d)", n.PPID)
	}
	return text
}
