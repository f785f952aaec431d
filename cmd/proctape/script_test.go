package main

import (
	"bytes"
	"errors"
	"os/exec"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"
)

// exits is a command of the scripts: "exits CODE ARGS…" runs proctape with ARGS and checks its exit code. What it
// prints to stderr is at most an error, a hint and notes, each on one line.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: exits CODE ARGS…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec("proctape", args[1:]...)
	got := 0
	if err != nil {
		var ended *exec.ExitError
		if !errors.As(err, &ended) {
			ts.Fatalf("%v", err)
		}
		got = ended.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d\n%s", got, want, ts.ReadFile("stderr"))
	}
	for _, line := range bytes.Split(bytes.TrimSpace([]byte(ts.ReadFile("stderr"))), []byte("\n")) {
		if len(line) > 0 && !bytes.HasPrefix(line, []byte("proctape: ")) {
			ts.Fatalf("stderr has a line that is not proctape's: %s", line)
		}
	}
}
