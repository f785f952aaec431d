// Command proctape records what the processes and jobs of Linux hosts use, from birth to death, and answers
// questions about it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitMisuse = 2
)

func main() {
	inheritedUmask = unix.Umask(0o077) // nothing we make is anybody else's to read
	// Who reads us may go; a recorder goes on, and a listing ends, each by the error of its write. To ignore the signal
	// would have a command that we run ignore it too.
	signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	// After the first signal the default is back: a second Ctrl-C ends the program at once.
	context.AfterFunc(ctx, stop)
	os.Exit(execute(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// execute is all of the program: results go to stdout, everything else to stderr.
func execute(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	out := &reader{w: stdout}
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(out)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil || out.gone && errors.Is(err, unix.EPIPE) {
		return exitOK
	}
	var exit *exitWith
	if errors.As(err, &exit) {
		return exit.code
	}
	fmt.Fprintf(stderr, "proctape: error: %v\n", err)
	if hint := hintOf(err); hint != "" {
		fmt.Fprintf(stderr, "proctape: hint: %s\n", hint)
	}
	var misuse *misuseError
	if errors.As(err, &misuse) {
		return exitMisuse
	}
	return exitFailed
}

// misuseError is a command line that cannot be understood.
type misuseError struct{ error }

func (e *misuseError) Unwrap() error { return e.error }

// misuse returns an error of the command line, which exits with 2.
func misuse(format string, args ...any) error { return &misuseError{fmt.Errorf(format, args...)} }

// hintedError carries what to do about an error.
type hintedError struct {
	error
	hint string
}

func (e *hintedError) Unwrap() error { return e.error }

// hinted adds what to do about it to an error.
func hinted(err error, format string, args ...any) error {
	return &hintedError{err, fmt.Sprintf(format, args...)}
}

func hintOf(err error) string {
	var h *hintedError
	if errors.As(err, &h) {
		return h.hint
	}
	return ""
}

// reader is who reads our results. One that is gone has seen enough.
type reader struct {
	w    io.Writer
	gone bool
}

func (r *reader) Write(b []byte) (int, error) {
	n, err := r.w.Write(b)
	r.gone = r.gone || errors.Is(err, unix.EPIPE)
	return n, err
}

// terminal reports whether the reader sees what we write at once, and as it is.
func (r *reader) terminal() bool { return isTerminal(r.w) }

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
