package procfs

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestProcesses_StuckCommandLines has processes whose command lines block, as named pipes without a writer do.
func TestProcesses_StuckCommandLines(t *testing.T) {
	root := t.TempDir()
	const count = maxSlowReaders + 2
	for pid := 1; pid <= count; pid++ {
		makeProcess(t, root, pid)
		if err := unix.Mkfifo(cmdlinePath(root, pid), 0o644); err != nil {
			t.Skip("SKIPPED: cannot make a named pipe: ", err)
		}
	}
	fs := newFS(t, root)
	fs.slow.timeout = time.Millisecond

	got := scan(t, fs, Options{})
	if len(got.Processes) != count || got.Stuck != maxSlowReaders {
		t.Fatalf("got %d processes, %d stuck, want %d, %d", len(got.Processes), got.Stuck, count, maxSlowReaders)
	}
	for _, p := range got.Processes {
		if p.ArgsKnown {
			t.Errorf("process %d: got args %q, want them unknown", p.PID, p.Args)
		}
	}
	for range fullEvery {
		if got = scan(t, fs, Options{}); got.Stuck != maxSlowReaders {
			t.Fatalf("got %d stuck, want %d still", got.Stuck, maxSlowReaders)
		}
	}

	for pid := 1; pid <= maxSlowReaders; pid++ {
		if err := os.WriteFile(cmdlinePath(root, pid), []byte("late\x00"), 0); err != nil {
			t.Fatal(err)
		}
	}
	fs.slow.done.Wait()
	fs.slow.timeout = time.Minute
	for pid := 1; pid <= count; pid++ { // they may run now, and be read again
		if err := os.Remove(cmdlinePath(root, pid)); err != nil {
			t.Fatal(err)
		}
		writeFile(t, root, fmt.Sprintf("%d/cmdline", pid), "late\x00")
	}
	for range fullEvery {
		got = scan(t, fs, Options{})
	}
	for _, p := range got.Processes {
		if !p.ArgsKnown || !slices.Equal(p.Args, []string{"late"}) {
			t.Errorf("process %d: got args %q, known %v, want the late ones", p.PID, p.Args, p.ArgsKnown)
		}
	}
	if got.Stuck != 0 {
		t.Errorf("got %d stuck, want none", got.Stuck)
	}
}

func TestSlowReader_LeavesNoEnvironment(t *testing.T) {
	fs := newFS(t, "testdata/proc")
	scan(t, fs, Options{EnvKeys: []string{"JOB_ID"}})
	if bytes.Contains(fs.slow.buffer, []byte("hunter2")) {
		t.Error("the environment is still in the buffer")
	}
}

func makeProcess(t *testing.T, root string, pid int) {
	t.Helper()
	if err := os.Mkdir(filepath.Join(root, fmt.Sprint(pid)), 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, root, fmt.Sprintf("%d/stat", pid), statLine(pid, "stuck", 'D', 5))
}

func cmdlinePath(root string, pid int) string {
	return filepath.Join(root, fmt.Sprint(pid), "cmdline")
}
