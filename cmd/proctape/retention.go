package main

import (
	"github.com/spf13/cobra"
)

func retentionCommand(s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use: "retention", Short: "Take away what is too old, or see when that happens",
		Long: `Retention makes one-minute means of snapshots that leave full resolution, deletes what has left the
policy, trims the log as far as all its databases have it, and gives space back. A recorder does so by
itself, every ten minutes by default, at a tick of the log that all its databases share.`,
		Args: noArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(retentionRunCommand(s), retentionStatusCommand(s))
	return cmd
}
