package integration_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/proctape/proctape/query"
)

// A process that goes on to execute another program has its exec in a table of its own, in the listing, in the file of
// events and in tail. It is no event of process_events, and no second spawn.
func TestLifecycle_Execs(t *testing.T) {
	long(t)
	needsEveryProcess(t)
	t.Parallel()
	if d := executes(t, proctape); len(d) > 0 {
		t.Error(strings.Join(d, "\n"))
	}
}

var dropsExecRows = withFault("drops-exec-rows", "projector/fold/fold.go",
	`		return addExecs(to, m, f.others)
`,
	`		if runsAs("drops-exec-rows") {
			return nil
		}
		return addExecs(to, m, f.others)
`)

var dropsExecLines = withFault("drops-exec-lines", "projector/output.go",
	`		files.AppendExec(row.Message, row.Exec)
`,
	`		if !runsAs("drops-exec-lines") {
			files.AppendExec(row.Message, row.Exec)
		}
`)

// TestLifecycle_ExecsControl: a build that drops execs when it folds them is caught, and one that makes no lines of them.
func TestLifecycle_ExecsControl(t *testing.T) {
	needsEveryProcess(t)
	t.Parallel()
	for what, broken := range map[string]string{
		"the rows":  dropsExecRows.program(t),
		"the lines": dropsExecLines.program(t),
	} {
		if len(executes(t, broken)) == 0 {
			t.Errorf("%s of execs were dropped, and it went unnoticed", what)
		}
	}
}

// executes has a shell execute sleep once its spawn is told, and lists what is wrong with what a recorder has of it.
func executes(t *testing.T, program string) (defects []string) {
	t.Helper()
	dir := t.TempDir()
	db := filepath.Join(dir, "monitor.db")
	recorder := record(t, program, dir)
	shell := exec.Command("/bin/sh", "-c", "read line; exec sleep 4083")
	stdin := must(shell.StdinPipe())(t)
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shell.Process.Kill(); shell.Wait() })
	pid := shell.Process.Pid
	types := func() []string {
		return column(t, readOnly(t, db), fmt.Sprintf(`SELECT event_type FROM process_events WHERE pid=%d ORDER BY boot_ns, event_type`, pid))
	}
	await(t, "spawn of the shell", func() bool { return slices.Contains(types(), "spawn") })
	fmt.Fprintln(stdin, "go on")
	await(t, "sleep in a sample", func() bool {
		return count(t, db, fmt.Sprintf(`SELECT count(*) FROM process_metrics WHERE pid=%d AND command='sleep 4083'`, pid)) > 0
	})
	if err := shell.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	await(t, "the end of sleep", func() bool { return slices.Contains(types(), "exit") })
	tail := startProgram(t, program, "tail", "events", "--data", dir, "--since", "-1h")
	tail.await("the end of sleep", func(lines []string) bool {
		return slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, fmt.Sprintf(`"pid":%d,"event_type":"exit"`, pid)) })
	})
	told := slices.DeleteFunc(slices.Clone(tail.out()), func(l string) bool {
		return !strings.Contains(l, fmt.Sprintf(`"pid":%d,"event_type":"exec"`, pid)) || !strings.Contains(l, `"command":"sleep 4083"`)
	})
	recorder.stop()
	if len(told) != 1 {
		defects = append(defects, fmt.Sprintf("tail shows the exec %d times", len(told)))
	}
	if got := types(); !slices.Equal(got, []string{"spawn", "exit", "kill"}) {
		defects = append(defects, fmt.Sprintf("its events are %q", got))
	}
	listed := decode[query.Exec](t, run(t, "execs", "--data", dir, "--json", "--pid", fmt.Sprint(pid), "--host", "testhost", "--since", "-1h"))
	if len(listed) != 1 || listed[0].Command == nil || *listed[0].Command != "sleep 4083" || listed[0].StartTicks == 0 || listed[0].Source != "connector" {
		defects = append(defects, fmt.Sprintf("its execs are %+v", listed))
	}
	if text := run(t, "execs", "--data", dir); !strings.Contains(text, fmt.Sprintf("testhost  %d", pid)) || !strings.Contains(text, "  sleep 4083") {
		defects = append(defects, "the listing says\n"+text)
	}
	line := fmt.Sprintf(`"host":"testhost","event_type":"exec","pid":%d,"command":"sleep 4083"`, pid)
	for file, want := range map[string]int{"events.jsonl": 1, "monitor.jsonl": 0} {
		if got := strings.Count(string(must(os.ReadFile(filepath.Join(dir, file)))(t)), line); got != want {
			defects = append(defects, fmt.Sprintf("%s has %d lines of the exec, want %d", file, got, want))
		}
	}
	return defects
}
