package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/export"
)

// exportFlags are the flags of export.
type exportFlags struct {
	listing // of it since, until and host
	filterFlags
	format string
	what   []string
	output string
	resume bool
}

func exportCommand(s *settings) *cobra.Command {
	f := new(exportFlags)
	cmd := &cobra.Command{
		Use: "export", Short: "Write a range of the recording for other programs", Args: noArgs,
		Long: `Write a range of the recording in a form that other programs read: to a file, or to the standard output. It is read page by page, so memory does
not grow with the range. What of the range is not known is said on stderr, and in the file where the form has a place for it.

  ndjson       one object a line: gaps, runs, then events, execs and snapshots by time
  csv          one table: samples, events, execs, runs or gaps
  parquet      one such table, with types, units and coverage
  openmetrics  what hosts and jobs used at each snapshot, with times, such as Prometheus is backfilled with
  perfetto     a trace for https://ui.perfetto.dev: processes below those that bore them, what they used, execs, runs, steps, deaths, gaps

A file has its name once it is whole; until then it is FILE.part. An export of ndjson or csv that was cut, by Ctrl-C or otherwise, goes on with
--resume, and gives the same file. An export in another form, or to the standard output, is begun anew.`,
		Example: `  proctape export --since -1h -o hour.ndjson
  proctape export --since -1h --what events --format csv | head
  proctape export --since -1h -o hour.parquet
  proctape export --since yesterday --until today -o yesterday.pftrace
  proctape export --resume -o hour.ndjson`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.resume {
				return f.goOn(cmd, s)
			}
			format, err := f.check(cmd)
			if err != nil {
				return err
			}
			q, err := f.question(cmd, format)
			if err != nil {
				return err
			}
			return f.withJob(cmd, s, f.job, func(db *query.DB) error {
				if err := f.narrow(cmd, db, &q.Range); err != nil {
					return err
				}
				return f.begin(cmd, s, db, format, q)
			})
		},
	}
	flags := cmd.Flags()
	flags.Var(&f.since, "since", "begin at this `time`, for example -15m or \"2026-11-23 03:10\" (default: all)")
	flags.Var(&f.until, "until", "end before this `time` (default: now)")
	flags.StringVar(&f.host, "host", "", "only this `host`")
	flags.StringVar(&f.format, "format", "", "`form`: "+strings.Join(exportFormatNames(), ", ")+" (default: by the file's ending, or ndjson)")
	flags.StringSliceVar(&f.what, "what", nil, "export these `kinds`: "+strings.Join(export.AllWhat, ", ")+" (default: all that the form holds; of one table, samples)")
	flags.StringVarP(&f.output, "output", "o", "", "`file` to write (default: the standard output)")
	flags.BoolVar(&f.resume, "resume", false, "go on with the export into the file that -o names, which was cut; what is exported is as it was asked for then")
	f.filterFlags.register(cmd, s, "job", "run", "step")
	completeHosts(cmd, s)
	mustComplete(cmd, "format", exportFormatNames())
	mustComplete(cmd, "what", export.AllWhat)
	return cmd
}

// check checks the flags, and returns the format that is wanted.
func (f *exportFlags) check(cmd *cobra.Command) (*exportFormat, error) {
	name := cmp.Or(f.format, "ndjson")
	if f.format == "" {
		for _, known := range exportFormats {
			if filepath.Ext(f.output) == known.ending {
				name = known.name
			}
		}
	}
	format := formatNamed(name)
	if format == nil {
		return nil, unknownValue("--format", f.format, "a format", "the formats are", exportFormatNames())
	}
	for _, w := range f.what {
		if !slices.Contains(format.what, w) {
			return nil, unknownValue("--what", w, "in "+format.name, "it holds", format.what)
		}
	}
	switch {
	case format.spools && len(f.what) > 0 && !slices.Contains(f.what, export.Samples):
		return nil, hinted(misuse("--what %s: %s has its points at snapshots", strings.Join(f.what, ","), format.name), "name samples too")
	case len(f.what) == 0 && format.table:
		f.what = []string{export.Samples}
	case len(f.what) == 0:
		f.what = format.what
	case len(f.what) > 1 && format.table:
		return nil, hinted(misuse("--what %s: %s holds one table", strings.Join(f.what, ","), format.name), "export one after the other, or --format ndjson")
	}
	if cmd.Flags().Changed("output") && f.output == "" {
		return nil, hinted(misuse("-o is empty"), "leave it out for the standard output")
	}
	if format.binary && f.output == "" && isTerminal(cmd.OutOrStdout()) {
		return nil, hinted(misuse("%s is not for a terminal", format.name), "name a file with -o, or pipe it into a program")
	}
	return format, nil
}

// question is what the flags ask for.
func (f *exportFlags) question(cmd *cobra.Command, format *exportFormat) (q export.Question, err error) {
	now := time.Now()
	since, err := timeFlag("since", string(f.since), now)
	if err != nil {
		return q, err
	}
	until, err := timeFlag("until", string(f.until), now)
	if err != nil {
		return q, err
	}
	if err := checkOrder("since", since, until); err != nil {
		return q, err
	}
	if until.IsZero() || until.After(now) {
		until = now
	}
	r := query.Range{Since: timestamp(since), Until: timestamp(until), Host: f.host}
	if r.Since >= r.Until {
		return q, misuse("--since %s is in the future", f.since)
	}
	q.What, q.Causes = f.what, format.causes
	q.Filter, err = f.filter(cmd, r)
	return q, err
}

// begin begins an export.
func (f *exportFlags) begin(cmd *cobra.Command, s *settings, db *query.DB, format *exportFormat, q export.Question) error {
	if f.output == "" {
		return exportToOutput(cmd, db, format, q)
	}
	file, err := createExport(f.output, exportState{Format: format.name, Question: q, Source: recordingOf(s)}, format.resumes)
	if err != nil {
		return err
	}
	return file.fill(cmd, db, format)
}

// exportToOutput writes an export to the standard output. What is not for a terminal is buffered, and its bytes are those of a file.
func exportToOutput(cmd *cobra.Command, db *query.DB, format *exportFormat, q export.Question) error {
	e := exporting{format: format, question: q, to: cmd.OutOrStdout()}
	if isTerminal(e.to) {
		return e.run(cmd, db)
	}
	out := bufio.NewWriterSize(rawOutput{e.to}, 1<<16)
	e.to = out
	return cmp.Or(e.run(cmd, db), out.Flush())
}

// goOn goes on with an export that was cut.
func (f *exportFlags) goOn(cmd *cobra.Command, s *settings) error {
	if f.output == "" {
		return hinted(misuse("--resume needs the file that was cut"), "name it with -o, without .part")
	}
	for _, name := range []string{"since", "until", "host", "format", "what", "job", "run", "step"} {
		if cmd.Flags().Changed(name) {
			return hinted(misuse("--resume and --%s cannot be combined", name), "what is exported is as it was asked for when the export began")
		}
	}
	file, err := reopenExport(f.output)
	if err != nil {
		return err
	}
	if from := recordingOf(s); file.state.Source != from {
		return errors.Join(hinted(fmt.Errorf("%s was begun from %s, and not from %s", f.output, file.state.Source, from), "name that recording with --data, --db or --url"), file.close())
	}
	format := formatNamed(file.state.Format)
	if format == nil || !format.resumes {
		return errors.Join(fmt.Errorf("%s: no format %q goes on", file.journal(), file.state.Format), file.close())
	}
	return s.withDatabase(cmd, func(db *query.DB) error { return file.fill(cmd, db, format) })
}

// recordingOf names the recording that is read.
func recordingOf(s *settings) string {
	if s.url != "" {
		return maskURL(s.url)
	}
	if path, err := filepath.Abs(s.db); err == nil {
		return path
	}
	return s.db
}
