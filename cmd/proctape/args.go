package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// noArgs is cobra.NoArgs with an error that says what to do.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return hinted(misuse("%s takes no arguments, got %q", cmd.CommandPath(), args[0]), "%s --help shows how to use it", cmd.CommandPath())
	}
	return nil
}

// oneArg asks for exactly one argument, which is not empty.
func oneArg(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 && args[0] != "" {
			return nil
		}
		return needs(cmd, "one argument, the "+what)
	}
}

// needs is the error of a command that was called with too few arguments, or with too many.
func needs(cmd *cobra.Command, what string) error {
	return hinted(misuse("%s needs %s", cmd.CommandPath(), what), "%s --help shows how to use it", cmd.CommandPath())
}

// oneArgAtMost is cobra.MaximumNArgs(1) with an error that says what to do.
func oneArgAtMost(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return hinted(misuse("%s takes one argument at most, got %d", cmd.CommandPath(), len(args)), "%s --help shows how to use it", cmd.CommandPath())
	}
	return nil
}

// onlyCommands makes a command that has commands below it show its help, and refuse the name of a command that it does not have.
func onlyCommands(cmd *cobra.Command) {
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknownCommand(cmd, args[0])
		}
		return nil
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
}

// unknownCommand is the error of a name that none of a command's commands has. Its hint is the names that there are.
func unknownCommand(cmd *cobra.Command, name string) error {
	if !cmd.HasParent() {
		return hinted(misuse("unknown command %q", name), "%s%s --help lists the commands", suggestion(cmd, name), cmd.CommandPath())
	}
	err := misuse("unknown command %q for %q", name, cmd.CommandPath())
	if !cmd.HasAvailableSubCommands() {
		return hinted(err, "%s --help shows how to use it", cmd.CommandPath())
	}
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	last := len(names) - 1
	if last == 0 {
		return hinted(err, "%sthe command is %s", didYouMean("", name, names), names[0])
	}
	return hinted(err, "%sthe commands are %s and %s", didYouMean("", name, names), strings.Join(names[:last], ", "), names[last])
}

// suggestion asks whether a name that is almost that of a command was meant as it; empty when there is none like it.
func suggestion(cmd *cobra.Command, name string) string {
	if name == "" {
		return ""
	}
	cmd.SuggestionsMinimumDistance = 2
	if like := cmd.SuggestionsFor(name); len(like) > 0 {
		return fmt.Sprintf("did you mean %s? ", strings.Join(like, " or "))
	}
	return ""
}

// timesAgo takes the minus off times such as -15m that are arguments of diff, where they would be taken for flags. They mean the same
// without it.
func timesAgo(args []string) []string {
	if !slices.Contains(args, "diff") {
		return args
	}
	out := slices.Clone(args)
	for i, arg := range out {
		if _, ok := parseAgo(arg); ok {
			out[i] = strings.TrimPrefix(arg, "-")
		}
	}
	return out
}

// checkBuiltIns has the commands that cobra adds by itself, help and completion, refuse what they do not know. The
// output of the root is set by then: completion keeps it.
func checkBuiltIns(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "help":
			c.Args = commandPath
		case "completion":
			onlyCommands(c)
			for _, shell := range c.Commands() {
				shell.Args = noArgs
				if generate := shell.RunE; shell.Name() == "bash" {
					shell.RunE = func(cmd *cobra.Command, args []string) error {
						if _, err := fmt.Fprint(cmd.OutOrStdout(), withoutBashCompletion); err != nil {
							return err
						}
						return generate(cmd, args)
					}
				}
			}
		}
	}
}

// commandPath asks for the words that lead to a command, or for none.
func commandPath(cmd *cobra.Command, args []string) error {
	found, rest, err := cmd.Root().Find(args)
	if err != nil {
		return misuse("%w", err)
	}
	if len(rest) > 0 {
		return unknownCommand(found, rest[0])
	}
	return nil
}
