package procfs

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A process whose first thread has ended is read through one that lives, by whoever meets it when.
func TestProcesses_FirstThreadEnded(t *testing.T) {
	args := []string{"headless", "200", "6"}
	c := startRole(t, "headless", args, []string{"JOB_ID=j-5"})
	pid := c.pid()

	// The control: the files of the process itself say that it is dead.
	dir := fmt.Sprintf("/proc/%d", pid)
	naive, err := parseStat([]byte(readFixture(t, dir, "stat")))
	if err != nil || naive.state != 'Z' || naive.threads < 2 || !strings.HasPrefix(readFixture(t, dir, "statm"), "0 ") || readFixture(t, dir, "cmdline") != "" {
		t.Fatalf("got state %c of %d threads, %v, want a dead first thread and no memory", naive.state, naive.threads, err)
	}

	fs, opt := newFS(t, ""), Options{EnvKeys: []string{"JOB_ID"}}
	single, err := fs.Process(pid, opt)
	if err != nil {
		t.Fatal(err)
	}
	processes := []Process{single}
	for range 2 * fullEvery {
		processes = append(processes, processOf(t, scan(t, fs, opt), pid))
	}
	for i, p := range processes {
		switch {
		case !strings.ContainsRune("RSD", rune(p.State)), !slices.Equal(p.Args, args), p.Env["JOB_ID"] != "j-5":
			t.Fatalf("reading %d: got state %c, args %q, env %q", i, p.State, p.Args, p.Env)
		case !p.MemoryKnown || p.RSSKiB < headlessBytes>>10, !p.FDsKnown || p.OpenFDs < 3, !p.StatusKnown, !p.RunDelayKnown:
			t.Fatalf("reading %d: got %d KiB, %d descriptors, status known %t, %t", i, p.RSSKiB, p.OpenFDs, p.StatusKnown, p.RunDelayKnown)
		}
	}
	if self, err := fs.Process(os.Getpid(), opt); err != nil || single.Cgroup != self.Cgroup || single.UID != self.UID {
		t.Errorf("got group %q of user %d, want %q of %d (%v)", single.Cgroup, single.UID, self.Cgroup, self.UID, err)
	}
	if uid, start, ok := fs.RealUser(pid); !ok || uid != os.Getuid() || start != single.StartTicks {
		t.Errorf("got user %d, start %d, %t", uid, start, ok)
	}
	if kept := readLinks(t); kept > len(fs.pids)*5+100 {
		t.Errorf("%d descriptors are open", kept)
	}
}

// A process that is dead with all its threads is one, also where the count of its threads is wrong for a moment.
func TestProcesses_DeadWithAllThreads(t *testing.T) {
	root := copyFixture(t)
	writeFile(t, root, "42/stat", statLine(42, "dead", 'Z', 700)) // of three threads
	if err := os.MkdirAll(filepath.Join(root, "42/task/43"), 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, root, "42/task/43/stat", statLine(43, "dead", 'Z', 700))
	if got := processOf(t, scan(t, newFS(t, root), Options{}), 42); got.State != 'Z' {
		t.Errorf("got state %c, want Z", got.State)
	}
	writeFile(t, root, "42/task/43/stat", statLine(43, "alive", 'D', 700))
	if got := processOf(t, scan(t, newFS(t, root), Options{}), 42); got.State != 'D' || got.Comm != "dead" {
		t.Errorf("got state %c, name %q, want D, and the name of the first thread", got.State, got.Comm)
	}
}

func readLinks(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}
