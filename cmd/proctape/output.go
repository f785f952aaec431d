package main

import (
	"encoding/json"
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
	xterm "golang.org/x/term"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/term"
)

// output is where a command's results go, or what it says besides. All text of the program goes through one. It may hold
// what a process, a message or a user chose, so nothing in it may steer a terminal: what could is made visible, also for
// a pipe, which may lead to a terminal. It notes when whoever read it has gone.
type output struct {
	w          io.Writer
	readerGone bool
	failed     error // the first write that failed, unless the reader had gone
}

func (o *output) Write(b []byte) (int, error) { return o.note(term.Writer{W: o.w}.Write(b)) }

// unlessGone is the error of writing results behind which a verdict comes as the exit code: a reader who has gone leaves that as it is.
func unlessGone(err error) error {
	if errors.Is(err, unix.EPIPE) {
		return nil
	}
	return err
}

func (o *output) note(n int, err error) (int, error) {
	o.readerGone = o.readerGone || errors.Is(err, unix.EPIPE)
	if err != nil && !o.readerGone && o.failed == nil {
		o.failed = err
	}
	return n, err
}

// writeBytes writes text of which the bytes are the contract: as they are, unless w is a terminal.
func writeBytes(w io.Writer, text string) error {
	o, ok := w.(*output)
	if !ok || isTerminal(w) {
		_, err := io.WriteString(w, text)
		return err
	}
	_, err := o.note(io.WriteString(o.w, text))
	return err
}

// rawOutput writes bytes as they are to where an output leads, which must not be a terminal.
type rawOutput struct{ to io.Writer }

func (r rawOutput) Write(b []byte) (int, error) {
	o, ok := r.to.(*output)
	if !ok {
		return r.to.Write(b)
	}
	return o.note(o.w.Write(b))
}

// screen is the terminal that w is, for text of our own that steers it.
func screen(w io.Writer) io.Writer {
	if o, ok := w.(*output); ok {
		return o.w
	}
	return w
}

// isTerminal reports whether what is written to w is shown on a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := screen(w).(*os.File)
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

// nullWriter writes null for what JSON says is unknown. It takes whole values, as an encoder writes them.
type nullWriter struct{ w io.Writer }

func (n nullWriter) Write(b []byte) (int, error) {
	if _, err := n.w.Write(query.NullUnknown(b)); err != nil {
		return 0, err
	}
	return len(b), nil
}

// newJSON is an encoder of one object a line. What is unknown is null.
func newJSON(w io.Writer) *json.Encoder {
	enc := json.NewEncoder(nullWriter{term.JSON{W: w}})
	enc.SetEscapeHTML(false)
	return enc
}
