package main

import (
	"github.com/spf13/cobra"
)

func retentionCommand(s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use: "retention", Short: "Delete what is too old, or show when that happens",
		Long: `A pass of retention makes one-minute means of snapshots that leave full resolution, deletes what the policy
no longer keeps, trims the log as far as all its databases have projected it, and gives space back to
the file system. A recorder makes a pass by itself, every ten minutes by default.`,
	}
	onlyCommands(cmd)
	cmd.AddCommand(retentionRunCommand(s), retentionStatusCommand(s))
	return cmd
}
