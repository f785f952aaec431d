package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// exits is a command of the scripts: "exits CODE ARGS…" runs proctape with ARGS and checks its exit code. What it
// prints to stderr is at most an error, a hint and notes, each on one line, without a blank too many.
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
		if bytes.Contains(line, []byte("  ")) || bytes.HasSuffix(line, []byte(" ")) {
			ts.Fatalf("stderr has a line with a stray blank: %q", line)
		}
	}
}

// same is a command of the scripts: "same URL TOKENFILE DATA ARGS…" runs proctape with ARGS on a data folder and on a server of it: both
// must print the same, and exit alike. In ARGS, JOB is a job of the record, PID a process that ended, and AT a time; SINCE and UNTIL are times
// before and behind it.
func same(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 4 {
		ts.Fatalf("usage: same URL TOKENFILE DATA ARGS…")
	}
	here := []string{"--data", args[2]}
	ts.Check(ts.Exec("proctape", append([]string{"events", "--json", "--type", "exit", "--limit", "1"}, here...)...))
	var end struct {
		Timestamp float64
		PID       int64  `json:"pid"`
		Job       string `json:"job_id"`
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &end))
	names := strings.NewReplacer("JOB", end.Job, "PID", strconv.FormatInt(end.PID, 10), "AT", unixText(end.Timestamp), "SINCE", unixText(end.Timestamp-120),
		"UNTIL", unixText(end.Timestamp+1))
	var asked []string
	for _, arg := range args[3:] {
		asked = append(asked, names.Replace(arg))
	}
	var printed [2]string
	for i, where := range [][]string{here, {"--url", args[0], "--token-file", args[1]}} {
		err := ts.Exec("proctape", append(slices.Clone(asked), where...)...)
		printed[i] = fmt.Sprintf("%v\n%s\n%s", err, ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
	if printed[0] != printed[1] || len(printed[0]) < 10 {
		ts.Fatalf("%v: here it prints\n%s\nand elsewhere\n%s", asked, printed[0], printed[1])
	}
}

// unixText is a time as a flag takes it.
func unixText(at float64) string { return "@" + strconv.FormatFloat(at, 'f', 3, 64) }

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
