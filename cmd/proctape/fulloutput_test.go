package main

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// moreReads are questions to the fixed recording beside those of the golden files, so that every command that reads is asked.
var moreReads = []string{
	"status", "status --json", "verify", "anomalies --since 2026-11-23", "anomalies --since 2026-11-23 --json", "alert test oom --since 2026-11-23T03:10",
	"rules list", "rules fields", "rules show oom", "silence list", "doctor", "doctor --json", "config example", "version", "sql SELECT pid FROM process_metrics",
	"sql --json SELECT pid FROM process_metrics", "export --since 2026-11-23 --until 2026-11-24", "export --since 2026-11-23 --until 2026-11-24 --what events --format csv", "status --check", "compare build-7 agent-7f3 --against 1 --fail-over 1%",
	"events --help", "completion bash", "help",
}

// writers are commands that are not asked: they record, change something, go on until they are stopped, or need what no recording has. TestScripts asks them.
var writers = []string{
	"backup", "bundle", "bundle check", "config check", "hosts add", "hosts remove", "job declare", "job end", "job end-sheet", "job progress", "job start-sheet", "log replicas", "mcp", "project", "quarantine drop",
	"quarantine replay", "replay", "restore", "retention run", "rules check", "run", "sample", "serve", "silence add", "silence end", "simulate", "tail", "token rotate", "trace", "up",
}

// leafCommands are the commands that do something, as people type them.
func leafCommands(cmd *cobra.Command, before string) (names []string) {
	for _, c := range cmd.Commands() {
		name := strings.TrimSpace(before + " " + c.Name())
		if c.Runnable() && !c.HasSubCommands() && c.Name() != "completion" && c.Name() != "help" {
			names = append(names, name)
		}
		names = append(names, leafCommands(c, name)...)
	}
	return names
}

// reads are all questions, and asked the commands that they are to.
func reads() (questions []string) {
	questions = slices.Sorted(maps.Values(goldenCases))
	return append(questions, moreReads...)
}

// result is how a command ended.
type result struct {
	code int
	errs string
}

// into runs a command with its results going somewhere.
func into(t *testing.T, dir, question string, out *os.File) result {
	t.Helper()
	args := strings.Fields(question)
	if rest, ok := strings.CutPrefix(question, "sql "); ok && strings.Contains(rest, "SELECT") {
		flags, statement, _ := strings.Cut(rest, "SELECT")
		args = append(append([]string{"sql"}, strings.Fields(flags)...), "SELECT"+statement)
	}
	var errs bytes.Buffer
	code := execute(t.Context(), append(args, "--data", dir), strings.NewReader(""), out, &errs)
	return result{code, errs.String()}
}

// defectOfFull says what is wrong with how a command ended that had no room for its results, and elsewhere ends with a code. A code of its own, which
// is a verdict, may stay.
func defectOfFull(r result, code int) string {
	switch {
	case r.code != exitFailed && (code == 0 || r.code != code && r.code != checkUnknown):
		return "another exit code"
	case strings.Count(r.errs, "proctape: error:") != 1 || !strings.Contains(r.errs, "no space left on device"):
		return "it does not say once that there is no room"
	}
	return ""
}

// defectOfGone is the same of a command whose reader has gone.
func defectOfGone(r result, code int) string {
	switch {
	case code == 0 && r.code != 0:
		return "it fails"
	case code == 0 && strings.Contains(r.errs, "proctape: error:"):
		return "it complains"
	case code != 0 && r.code != code:
		return "another exit code"
	}
	return ""
}

// TestOutput_FullAndGone has every command that reads write its results where there is no room, and to a reader who has gone: the first fails and says
// why, the second is as well as the reader wants. The controls are ends that are not right.
func TestOutput_FullAndGone(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	dir := filepath.Join(t.TempDir(), "data")
	record(t, dir, fixedStart)
	var asked []string
	for _, question := range reads() {
		room, err := os.Create(filepath.Join(t.TempDir(), "out"))
		if err != nil {
			t.Fatal(err)
		}
		well := into(t, dir, question, room)
		info, err := room.Stat()
		room.Close()
		if err != nil || slices.Contains(moreReads, question) && (well.code == exitMisuse && !strings.HasPrefix(question, "status") || strings.Contains(well.errs, "error:")) {
			t.Errorf("%s: exit code %d: %s", question, well.code, well.errs)
		}
		asked = append(asked, question)
		if info.Size() == 0 { // it has no results, and says so
			continue
		}
		if full := into(t, dir, question, openFile(t, "/dev/full")); defectOfFull(full, well.code) != "" {
			t.Errorf("%s >/dev/full: %s: exit code %d (else %d): %s", question, defectOfFull(full, well.code), full.code, well.code, full.errs)
		}
		if gone := into(t, dir, question, goneReader(t)); defectOfGone(gone, well.code) != "" {
			t.Errorf("%s | nobody: %s: exit code %d (else %d): %s", question, defectOfGone(gone, well.code), gone.code, well.code, gone.errs)
		}
	}
	for _, name := range leafCommands(newRoot(), "") {
		read := slices.ContainsFunc(asked, func(q string) bool { return q == name || strings.HasPrefix(q, name+" ") })
		if read == slices.Contains(writers, name) {
			t.Errorf("%s: it is asked: %v, and is one of those that are not: %v", name, read, !read)
		}
	}
	for _, r := range []result{{0, ""}, {1, "proctape: error: no such host"}, {2, "proctape: error: no space left on device"}} {
		if defectOfFull(r, 0) == "" {
			t.Errorf("nothing is wrong with %+v", r)
		}
	}
	if defectOfGone(result{1, "proctape: error: broken pipe"}, 0) == "" || defectOfGone(result{0, "proctape: error: broken pipe"}, 0) == "" {
		t.Error("nothing is wrong with a command that complains of a reader who has gone")
	}
}

func openFile(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// goneReader is a pipe that nobody reads any more.
func goneReader(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	t.Cleanup(func() { w.Close() })
	return w
}
