package main

import (
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/mcp"
)

func mcpCommand(s *settings) *cobra.Command {
	var deadline time.Duration
	cmd := &cobra.Command{
		Use: "mcp", Short: "Answer the questions of AI agents, over the Model Context Protocol", Args: noArgs,
		Long: `Answer the questions of AI agents: a client of the Model Context Protocol starts this command, and asks over its standard input and output. It only reads.
It answers from a database here, or with --url from a recorder elsewhere, also while it is recorded.

The tools are overview, jobs, report, why, top, tree, compare, compare_times, correlate, estimate, events, gaps, orphans and sql. Each answer says how much of its time is known, and
which units its numbers have. What recorded programs chose, such as command lines, is marked as text that is not to be trusted. docs/agents.md is a
page to give to an agent.`,
		Example: `  proctape mcp --db run-data/monitor.db
  proctape mcp --url https://central:7447 --token-file central.token
  claude mcp add proctape -- proctape mcp --data /var/lib/proctape`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if deadline <= 0 {
				return hinted(misuse("--timeout %s is not above 0", deadline), "1m is a minute")
			}
			if isTerminalInput(cmd.InOrStdin()) {
				return hinted(misuse("a person is at the standard input, and this command talks to programs"), `have an agent's client start it: docs/agents.md; or ask yourself: "proctape report", "proctape top"`)
			}
			return s.withDatabase(cmd, func(db *query.DB) error {
				return mcp.Serve(cmd.Context(), mcp.Config{DB: db, Version: version, ParseTime: parseTime, Deadline: deadline, Logger: s.logger(cmd)},
					io.NopCloser(cmd.InOrStdin()), keptOpen{cmd.OutOrStdout()})
			})
		},
	}
	cmd.Flags().DurationVar(&deadline, "timeout", 30*time.Second, "stop answering a question after this `time`")
	return cmd
}

// keptOpen is a writer that others close.
type keptOpen struct{ io.Writer }

// Close implements io.Closer.
func (keptOpen) Close() error { return nil }
