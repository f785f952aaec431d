package main

import "github.com/spf13/cobra"

// noArgs is cobra.NoArgs with an error that says what to do.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return hinted(misuse("%s takes no arguments, got %q", cmd.CommandPath(), args[0]), "%s --help shows how to use it", cmd.CommandPath())
	}
	return nil
}

// oneArg asks for exactly one argument.
func oneArg(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 && args[0] != "" {
			return nil
		}
		return hinted(misuse("%s needs one argument, the %s", cmd.CommandPath(), what), "%s --help shows how to use it", cmd.CommandPath())
	}
}

// oneArgAtMost is cobra.MaximumNArgs(1) with an error that says what to do.
func oneArgAtMost(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return hinted(misuse("%s takes one argument at most, got %d", cmd.CommandPath(), len(args)), "%s --help shows how to use it", cmd.CommandPath())
	}
	return nil
}
