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
)

// The exit codes. "status --check" has its own.
const (
	exitOK     = 0
	exitFailed = 1
	exitMisuse = 2
)

func main() {
	inheritedUmask = unix.Umask(0o077) // nobody else may read the files that we make
	// Whoever reads our output may end before us. Then a listing ends by the error of its write, and a recorder goes on.
	// Ignoring the signal would do the same, but a command that we run would ignore it too.
	signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE)
	ctx := untilSignal(context.Background())
	os.Exit(execute(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// execute is all of the program: results go to stdout, everything else to stderr.
func execute(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	out, words := &output{w: stdout}, &output{w: stderr}
	root := newRoot()
	root.SetArgs(timesAgo(args))
	root.SetIn(stdin)
	root.SetOut(out)
	root.SetErr(words)
	checkBuiltIns(root)
	cmd, err := root.ExecuteContextC(ctx)
	check := asksForCheck(cmd, args)
	if err == nil && out.failed != nil {
		err = fmt.Errorf("write the output: %w", out.failed)
	}
	if err == nil || out.readerGone && errors.Is(err, unix.EPIPE) {
		return exitOK
	}
	var exit *exitCodeError
	if errors.As(err, &exit) {
		if out.failed != nil {
			fmt.Fprintf(words, "proctape: error: write the output: %s\n", oneLine(plainWords(out.failed)))
			return max(exit.code, exitFailed)
		}
		return exit.code
	}
	fmt.Fprintf(words, "proctape: error: %s\n", oneLine(plainWords(err)))
	if hint := hintOf(err); hint != "" {
		fmt.Fprintf(words, "proctape: hint: %s\n", oneLine(hint))
	}
	if check {
		fmt.Fprintf(out, "unknown: %s\n", oneLine(err.Error()))
		return checkUnknown
	}
	var verified *verdictError
	if errors.As(err, &verified) {
		return verified.code
	}
	var misuse *misuseError
	if errors.As(err, &misuse) {
		return exitMisuse
	}
	return exitFailed
}
