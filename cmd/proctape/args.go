package main

import "github.com/spf13/cobra"

// noArgs is cobra.NoArgs with an error of ours.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return hinted(misuse("%s takes no argument, got %q", cmd.CommandPath(), args[0]), "%s --help shows how it is called", cmd.CommandPath())
	}
	return nil
}

// oneArg asks for exactly one argument.
func oneArg(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 && args[0] != "" {
			return nil
		}
		return hinted(misuse("%s wants one argument, the %s", cmd.CommandPath(), what), "%s --help shows how it is called", cmd.CommandPath())
	}
}

// oneArgAtMost is cobra.MaximumNArgs(1) with an error of ours.
func oneArgAtMost(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return hinted(misuse("%s takes one argument at most, got %d", cmd.CommandPath(), len(args)), "%s --help shows how it is called", cmd.CommandPath())
	}
	return nil
}
