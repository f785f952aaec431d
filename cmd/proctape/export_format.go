package main

import (
	"cmp"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/export"
)

// exportFormat is a form in which the recording is exported.
type exportFormat struct {
	name, ending string
	table        bool // it holds one table
	binary       bool
	resumes      bool // what was cut is gone on with
	causes       bool // a death is one event
	what         []string
	of           []query.Data // that it is made of; none for all
	spools       bool         // it holds points until the end, in a file
	writer       func(to io.Writer, spool export.Spool) export.Writer
}

var exportFormats = []exportFormat{
	{name: "ndjson", ending: ".ndjson", resumes: true, what: export.AllWhat, writer: func(to io.Writer, _ export.Spool) export.Writer { return export.NewNDJSON(to) }},
	{name: "csv", ending: ".csv", table: true, resumes: true, what: export.AllWhat, writer: func(to io.Writer, _ export.Spool) export.Writer { return export.NewCSV(to) }},
	{name: "parquet", ending: ".parquet", table: true, binary: true, what: export.AllWhat, writer: func(to io.Writer, _ export.Spool) export.Writer { return export.NewParquet(to) }},
	{name: "openmetrics", ending: ".om", spools: true, what: []string{export.Samples, export.Events}, writer: func(to io.Writer, spool export.Spool) export.Writer { return export.NewOpenMetrics(to, spool) }},
	{name: "perfetto", ending: ".pftrace", binary: true, causes: true, what: export.AllWhat, writer: func(to io.Writer, _ export.Spool) export.Writer { return export.NewPerfetto(to) }},
}

func exportFormatNames() (names []string) {
	for i := range exportFormats {
		names = append(names, exportFormats[i].name)
	}
	return names
}

// formatNamed is the format of a name; nil when there is none.
func formatNamed(name string) *exportFormat {
	i := slices.IndexFunc(exportFormats, func(f exportFormat) bool { return f.name == name })
	if i < 0 {
		return nil
	}
	return &exportFormats[i]
}

// exporting is an export that is written.
type exporting struct {
	format   *exportFormat
	question export.Question
	from     export.Place
	to       io.Writer
	folder   string                   // for what is held until the end; empty for that of temporary files
	note     func(export.Place) error // takes how far it is; may be nil
}

// run writes what is asked for, and says what of it is not known.
func (e *exporting) run(cmd *cobra.Command, db *query.DB) error {
	var spool *os.File
	if e.format.spools {
		var err error
		if spool, err = openSpool(e.folder); err != nil {
			return err
		}
		defer spool.Close()
	}
	show, finish := func(float64) {}, func() {}
	if words := cmd.ErrOrStderr(); isTerminal(words) && !isTerminal(e.to) {
		show, finish = exportBar(words, e.question.Since, e.question.Until)
	}
	covers, err := export.Write(cmd.Context(), db, e.question, e.from, e.format.writer(e.to, spool), func(p export.Place, at float64) (err error) {
		show(at)
		if e.note != nil {
			err = e.note(p)
		}
		return cmp.Or(err, cmd.Context().Err())
	})
	finish()
	if err != nil {
		return err
	}
	noteIncomplete(cmd, covers, e.format.of...)
	return nil
}

// openSpool makes a file that is gone when it is closed.
func openSpool(folder string) (*os.File, error) {
	f, err := os.CreateTemp(folder, "proctape-export-")
	if err != nil {
		return nil, err
	}
	return f, os.Remove(f.Name())
}
