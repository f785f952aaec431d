package main

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

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
	db, err := query.Open(ctx, s.db)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	return names(ctx, db)
}

// completeHosts offers hosts for the flag --host of a listing.
func completeHosts(cmd *cobra.Command, s *settings) {
	hosts := func(ctx context.Context, db *query.DB) ([]string, error) { return query.HostNames(ctx, db) }
	if err := cmd.RegisterFlagCompletionFunc("host", completeNames(s, hosts)); err != nil {
		panic(err) // there is no such flag
	}
}

// completeJobs offers the jobs that were seen last for the first argument of a command.
func completeJobs(s *settings) cobra.CompletionFunc {
	const most = 200
	completed := completeNames(s, func(ctx context.Context, db *query.DB) ([]string, error) {
		jobs, err := query.Jobs(ctx, db, query.Range{Newest: true, Limit: most})
		names := make([]string, len(jobs))
		for i, j := range jobs {
			names[i] = j.JobID
		}
		return names, err
	})
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return completed(cmd, args, typed)
	}
}
