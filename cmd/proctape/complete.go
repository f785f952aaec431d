package main

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/term"
)

// completeNames is what a shell offers when Tab is pressed: names that are in the database. It offers nothing where there is
// no database, and no name that could steer the terminal.
func completeNames(s *settings, names func(context.Context, *query.DB) ([]string, error)) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		found, err := readNames(cmd, s, names)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		unfit := func(name string) bool { return term.Safe(name) != name || !strings.HasPrefix(name, typed) }
		return slices.DeleteFunc(found, unfit), cobra.ShellCompDirectiveNoFileComp
	}
}

// readNames reads names from the database that the typed command would read.
func readNames(cmd *cobra.Command, s *settings, names func(context.Context, *query.DB) ([]string, error)) ([]string, error) {
	if err := s.resolve(cmd); err != nil { // cobra does not call it before a completion
		return nil, err
	}
	ctx := cmd.Root().Context()
	db, err := openRecording(ctx, s)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	return names(ctx, db)
}

// completeHosts offers hosts for the flag --host of a listing.
func completeHosts(cmd *cobra.Command, s *settings) {
	hosts := func(ctx context.Context, db *query.DB) ([]string, error) { return query.HostNames(ctx, db) }
	completeFlag(cmd, "host", completeNames(s, hosts))
}

// completeFlag offers values for a flag.
func completeFlag(cmd *cobra.Command, flag string, values cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, values); err != nil {
		panic(err) // there is no such flag
	}
}

// mustComplete offers fixed values for a flag.
func mustComplete(cmd *cobra.Command, flag string, values []string) {
	completeFlag(cmd, flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}

// flagValues are the values of flags that have a few, whichever command has the flag. For a flag that takes what nobody can list,
// there is nothing to offer, and no file either.
var flagValues = map[string][]string{
	"argv": {"scrubbed", "full", "none"}, "log-level": {"debug", "info", "warn", "error"},
	"events": {"auto", "bpf", "taskstats", "connector", "pidfd", "proc-diff"}, "bpf": {"auto", "on", "off"}, "syscalls": nil, "since": {"-15m", "-1h", "-1d", "today", "yesterday"}, "until": {"now"}, "limit": nil, "top": nil, "pid": nil,
	"step": nil, "group": nil, "user": nil, "command": nil, "cgroup": nil, "exit-code": nil, "at": {"now", "-15m", "-1h", "yesterday"},
}

// completeValues offers the values of flags for a command and those below it.
func completeValues(cmd *cobra.Command) {
	offer := func(f *pflag.Flag) {
		if values, ok := flagValues[f.Name]; ok {
			if _, taken := cmd.GetFlagCompletionFunc(f.Name); !taken {
				mustComplete(cmd, f.Name, values)
			}
		}
	}
	cmd.Flags().VisitAll(offer)
	cmd.PersistentFlags().VisitAll(offer)
	for _, c := range cmd.Commands() {
		completeValues(c)
	}
}

// withoutBashCompletion is for a bash to which the package bash-completion is foreign: the words of the line, as it would find them.
const withoutBashCompletion = `if ! declare -F _get_comp_words_by_ref >/dev/null 2>&1; then
    _get_comp_words_by_ref() {
        words=("${COMP_WORDS[@]}"); cword=$COMP_CWORD
        cur="${COMP_WORDS[COMP_CWORD]}"; prev="${COMP_WORDS[COMP_CWORD > 0 ? COMP_CWORD - 1 : 0]}"
    }
fi
if ! declare -F __ltrim_colon_completions >/dev/null 2>&1; then
    __ltrim_colon_completions() { :; }
fi

`

// completeJobs offers the jobs that were seen last for the first argument of a command.
func completeJobs(s *settings) cobra.CompletionFunc {
	completed := completeNames(s, jobNames)
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return completed(cmd, args, typed)
	}
}
