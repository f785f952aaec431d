package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"golang.org/x/sys/unix"
	xterm "golang.org/x/term"

	"github.com/proctape/proctape/query/term"
)

// results is where a command's results go. It notes when whoever read them has gone.
type results struct {
	w          io.Writer
	readerGone bool
}

func (r *results) Write(b []byte) (int, error) {
	n, err := r.w.Write(b)
	r.readerGone = r.readerGone || errors.Is(err, unix.EPIPE)
	return n, err
}

// terminal reports whether the results are shown on a terminal, as they are.
func (r *results) terminal() bool { return isTerminal(r.w) }

// isTerminal reports whether what is written to w is shown on a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && xterm.IsTerminal(int(f.Fd()))
}

// printJSON writes one object a line, without characters that could steer a terminal.
func printJSON[T any](w io.Writer, items []T) error {
	enc := newJSON(w)
	for i := range items {
		if err := enc.Encode(&items[i]); err != nil {
			return err
		}
	}
	return nil
}

// newJSON is an encoder of one object a line.
func newJSON(w io.Writer) *json.Encoder {
	enc := json.NewEncoder(term.JSON{W: w})
	enc.SetEscapeHTML(false)
	return enc
}

// table writes rows in aligned columns.
type table struct {
	w *tabwriter.Writer
}

// newTable makes a table with a head of tab-separated columns.
func newTable(w io.Writer, head string) *table {
	t := &table{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	fmt.Fprintln(t.w, head)
	return t
}

// row adds a row, which the format makes with its columns separated by tabs.
func (t *table) row(format string, args ...any) { fmt.Fprintf(t.w, format+"\n", args...) }

// flush writes the table.
func (t *table) flush() error { return t.w.Flush() }
