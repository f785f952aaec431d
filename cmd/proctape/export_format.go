package main

import (
	"cmp"
	"io"
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
	writer       func(to io.Writer) (export.Writer, error)
}

var exportFormats = []exportFormat{
	{name: "ndjson", ending: ".ndjson", resumes: true, what: export.AllWhat, writer: func(to io.Writer) (export.Writer, error) { return export.NewNDJSON(to), nil }},
	{name: "csv", ending: ".csv", table: true, resumes: true, what: export.AllWhat, writer: func(to io.Writer) (export.Writer, error) { return export.NewCSV(to), nil }},
	{name: "perfetto", ending: ".pftrace", binary: true, causes: true, what: export.AllWhat, writer: func(to io.Writer) (export.Writer, error) { return export.NewPerfetto(to), nil }},
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

// runExport writes what is asked for, and says what of it is not known.
func runExport(cmd *cobra.Command, db *query.DB, format *exportFormat, q export.Question, from export.Place, to io.Writer, note func(export.Place) error) error {
	w, err := format.writer(to)
	if err != nil {
		return err
	}
	show, finish := func(float64) {}, func() {}
	if words := cmd.ErrOrStderr(); isTerminal(words) && !isTerminal(to) {
		show, finish = exportBar(words, q.Since, q.Until)
	}
	covers, err := export.Write(cmd.Context(), db, q, from, w, func(p export.Place, at float64) error {
		show(at)
		return cmp.Or(note(p), cmd.Context().Err())
	})
	finish()
	if err != nil {
		return err
	}
	noteIncomplete(cmd, covers, format.of...)
	return nil
}
