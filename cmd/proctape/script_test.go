package main

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"time"

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

// fetch is a command of the scripts: "fetch STATUS TOKENFILE URL" asks a server, waits for it while it starts, and prints the
// answer. A TOKENFILE of - is none.
func fetch(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: fetch STATUS TOKENFILE URL")
	}
	request, err := http.NewRequest(http.MethodGet, args[2], nil)
	ts.Check(err)
	answer, err := http.DefaultClient.Do(request)
	for deadline := time.Now().Add(time.Minute); err != nil && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		answer, err = http.DefaultClient.Do(request)
	}
	ts.Check(err)
	if args[1] != "-" { // which the server made when it started
		answer.Body.Close()
		request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(ts.ReadFile(args[1])))
		answer, err = http.DefaultClient.Do(request)
		ts.Check(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	ts.Check(err)
	_, err = ts.Stdout().Write(body)
	ts.Check(err)
	if strconv.Itoa(answer.StatusCode) != args[0] {
		ts.Fatalf("status %d, want %s: %s", answer.StatusCode, args[0], body)
	}
}
