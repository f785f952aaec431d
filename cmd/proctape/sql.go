package main

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/web"
)

// mostStatement is more bytes than a statement may have: SQLite refuses one that is longer than query.ForeignRows allows.
const mostStatement = 64<<10 + 1

// sqlFlags are the flags of sql.
type sqlFlags struct {
	view
	schema  bool
	limit   int
	timeout time.Duration
}

func sqlCommand(s *settings) *cobra.Command {
	f := new(sqlFlags)
	cmd := &cobra.Command{
		Use: "sql [QUERY]", Short: "Ask the recording in SQL",
		Long: `Ask the recording in SQL: one statement of SQLite's that reads rows, as an argument or from the standard input. It cannot change
anything: what writes, attaches, loads or sets is refused. It is stopped after --timeout, and its rows end at --limit. With --url a
recorder elsewhere runs it, for 30s at most.

NULL is what is not known: - in a table, null in JSON, empty in CSV. Bytes are shown in hexadecimal. No line says how much of the time
is known, for no command can tell which time a statement is of: ask "proctape gaps" for that.

--schema shows the tables and views, or the columns of one of them with their types, units and meaning. docs/sql.md has the forms of
statements that are fast.`,
		Example: `  proctape sql "SELECT name FROM hosts"
  proctape sql --csv --limit 0 < busiest.sql > busiest.csv
  proctape sql --schema
  proctape sql --schema process_metrics`,
		Args: oneArgAtMost,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(s); err != nil {
				return err
			}
			if f.schema {
				return printSchema(cmd, &f.view, args)
			}
			text, err := statementOf(cmd, args)
			if err != nil {
				return err
			}
			return s.withDatabase(cmd, func(db *query.DB) error { return runSQL(cmd, db, f, text) })
		},
	}
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON, one object a line")
	cmd.Flags().BoolVar(&f.csv, "csv", false, "print comma-separated values, with a line of names first")
	cmd.Flags().BoolVar(&f.wide, "wide", false, "do not shorten text to the terminal's width")
	cmd.Flags().BoolVar(&f.schema, "schema", false, "show the tables and views, or the columns of the one that is named")
	cmd.Flags().IntVar(&f.limit, "limit", 10000, "print at most this `many` rows; 0 for all")
	cmd.Flags().DurationVar(&f.timeout, "timeout", web.StatementTime, "stop the statement after this `time`")
	return cmd
}

// check checks the flags against each other.
func (f *sqlFlags) check(s *settings) error {
	switch {
	case f.json && f.csv:
		return misuse("--json and --csv cannot be combined")
	case f.limit < 0:
		return hinted(misuse("--limit %d is negative", f.limit), "0 prints all rows")
	case f.timeout <= 0:
		return hinted(misuse("--timeout %s is not above 0", f.timeout), "1m is a minute")
	case s.url != "" && f.timeout > web.StatementTime:
		return hinted(misuse("--timeout %s with --url", f.timeout), "a recorder elsewhere stops a statement after %s", web.StatementTime)
	}
	return nil
}

// statementOf is the statement that is asked: the argument, or what stands on the standard input.
func statementOf(cmd *cobra.Command, args []string) (string, error) {
	if len(args) == 1 {
		return args[0], nil
	}
	in := cmd.InOrStdin()
	if isTerminalInput(in) {
		return "", needs(cmd, "a statement, as its argument or on the standard input")
	}
	text, err := io.ReadAll(io.LimitReader(in, mostStatement))
	if err != nil {
		return "", fmt.Errorf("read the statement: %w", err)
	}
	return string(text), nil
}

// runSQL runs a statement and prints its rows as they come.
func runSQL(cmd *cobra.Command, db *query.DB, f *sqlFlags, text string) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), f.timeout)
	defer cancel()
	cut := false
	err := query.ForeignRows(ctx, db, text, nil, func(rows *sql.Rows) (err error) {
		cut, err = printRows(cmd, f, rows)
		return err
	})
	if ctx.Err() != nil && cmd.Context().Err() == nil && err != nil {
		return hinted(fmt.Errorf("the statement was stopped after %s", f.timeout), "--timeout gives it more time; docs/sql.md has the forms that are fast")
	}
	if err != nil {
		return explainSQL(err, text)
	}
	if cut {
		fmt.Fprintf(cmd.ErrOrStderr(), "proctape: note: these are the first %d rows; there are more (--limit)\n", f.limit)
	}
	return nil
}

// printRows prints rows up to the limit, and reports whether there are more. What came before an error is printed too.
func printRows(cmd *cobra.Command, f *sqlFlags, rows *sql.Rows) (cut bool, err error) {
	names, err := rows.Columns()
	if err != nil {
		return false, err
	}
	columns := sqlColumns(names)
	to, err := newSink(&f.view, cmd.OutOrStdout(), columns, nil)
	if err != nil {
		return false, err
	}
	into := make([]any, len(names))
	for n := 0; rows.Next(); n++ {
		if f.limit > 0 && n == f.limit {
			return true, to.flush()
		}
		r := sqlRow{columns, make([]any, len(names))}
		for i := range into {
			into[i] = &r.values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return false, err
		}
		if err := to.add(&r); err != nil {
			return false, err
		}
	}
	failed := rows.Err()
	if err := to.flush(); err != nil {
		return false, err
	}
	return false, failed
}
