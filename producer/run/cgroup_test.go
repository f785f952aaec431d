package run

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/proctape/proctape/schema"
)

// groupDir is where a command's control group is found; it skips the test where we may not make one.
func groupDir(t *testing.T) (dir string) {
	t.Helper()
	dir, _, err := ownGroup()
	if err != nil || unix.Access(dir, unix.W_OK) != nil {
		t.Skipf("SKIPPED: no control group may be made in %q: %v", dir, err)
	}
	return dir
}

func TestStart_MakesAControlGroup(t *testing.T) {
	parent := groupDir(t)
	r, burnt := runDoubleFork(t, Config{Cgroup: "build/../7 of\n9"}, "")
	if r.NoCgroup != "" {
		t.Fatal(r.NoCgroup)
	}
	if base := filepath.Base(r.Command.Cgroup); !strings.HasPrefix(base, "proctape-build_.._7_of_9-") {
		t.Errorf("group %q", base)
	}
	got := r.Result.CgroupCPU
	t.Logf("burnt %s, cpu.stat says %s, wait4 %s", burnt, got.V.Total(), r.Result.WaitedCPU.Total())
	if !got.Known || (got.V.Total()-r.Result.WaitedCPU.Total()).Abs() > 20*time.Millisecond {
		t.Errorf("cpu.stat says %+v, wait4 %+v", got, r.Result.WaitedCPU)
	}
	if _, err := os.Stat(filepath.Join(parent, filepath.Base(r.Command.Cgroup))); r.Result.CgroupKept || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("kept %v, the directory: %v", r.Result.CgroupKept, err)
	}
}

// TestStart_PutsTheCommandInItsGroup: from its first moment, and us not.
func TestStart_PutsTheCommandInItsGroup(t *testing.T) {
	t.Parallel()
	groupDir(t)
	e := newEngine(t, Config{Args: sh("grep ^0:: /proc/$$/cgroup /proc/$PPID/cgroup"), Cgroup: "j"})
	e.start(t)
	group := e.next(t).Command.Cgroup
	if line := e.line(t); !strings.HasSuffix(line, ":0::"+group) || group == "" {
		t.Errorf("the command is in %q, want %q", line, group)
	}
	if line := e.line(t); strings.HasSuffix(line, ":0::"+group) {
		t.Errorf("we are in %q as well", line)
	}
	e.end(t)
}

// TestWait_GroupCountsWhatNobodyWaitsFor: the child of a process that ignores SIGCHLD ends without a trace elsewhere.
func TestWait_GroupCountsWhatNobodyWaitsFor(t *testing.T) {
	groupDir(t)
	file := filepath.Join(t.TempDir(), "used")
	r := runOne(t, Config{Cgroup: "j", Args: append(self(t, "careless"), self(t, "burner", "300ms", file)...)}).Result
	used := readUsed(t, file)
	if r.WaitedCPU.Total() > used-100*time.Millisecond {
		t.Errorf("wait4 says %s of %s: the test cannot fail", r.WaitedCPU.Total(), used)
	}
	if r.CPU().Total() < used || r.CPU().Total() > used+overhead {
		t.Errorf("used %s, counted %s", used, r.CPU().Total())
	}
}

func TestWait_KeepsTheGroupOfADaemon(t *testing.T) {
	t.Parallel()
	parent := groupDir(t)
	e := newEngine(t, Config{Args: sh("sleep 1000 >/dev/null 2>&1 & echo $!"), Cgroup: "j"})
	e.start(t)
	pid, err := strconv.Atoi(e.line(t))
	if err != nil {
		t.Fatal(err)
	}
	e.next(t)
	r := e.next(t)
	dir := filepath.Join(parent, filepath.Base(r.Command.Cgroup))
	procs, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if !r.Result.CgroupKept || r.Result.LeftBehind != schema.Some(1) || string(procs) != strconv.Itoa(pid)+"\n" {
		t.Errorf("result %+v; in the group %q, %v", *r.Result, procs, err)
	}
	e.end(t)
	unix.Kill(pid, unix.SIGKILL)
	eventually(t, "the group can be removed", func() bool { return unix.Rmdir(dir) == nil })
}

func TestStart_LeavesNoGroupOfACommandThatCannotRun(t *testing.T) {
	t.Parallel()
	parent := groupDir(t)
	name := fmt.Sprintf("none-of-%d", os.Getpid())
	e := newEngine(t, Config{Args: []string{"/no/such/file"}, Cgroup: name})
	e.start(t)
	if r := e.next(t); r.ExitCode != 127 {
		t.Errorf("report %+v", r)
	}
	e.end(t)
	if left, _ := filepath.Glob(filepath.Join(parent, "proctape-"+name+"-*")); len(left) > 0 {
		t.Errorf("left %q", left)
	}
}

func TestGroupMount_Find(t *testing.T) {
	t.Parallel()
	tests := []struct {
		mountinfo, group, want string
	}{
		{"30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw", "/user.slice/s", "/sys/fs/cgroup/user.slice/s"},
		{"30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw", "/", "/sys/fs/cgroup"},
		{"42 31 0:35 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 none rw", "/a", "/sys/fs/cgroup/unified/a"},
		{"30 23 0:26 /docker/ab /sys/fs/cgroup ro - cgroup2 cgroup rw", "/docker/ab", "/sys/fs/cgroup"},
		{"30 23 0:26 /docker/ab /sys/fs/cgroup ro - cgroup2 cgroup rw", "/docker/ab/c", "/sys/fs/cgroup/c"},
		{"30 23 0:26 /docker/ab /sys/fs/cgroup ro - cgroup2 cgroup rw", "/docker/abc", ""},
		{"30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw", "/../x", ""},
		{"30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw", "/..x", "/sys/fs/cgroup/..x"},
		{`30 23 0:26 / /mnt/my\040groups rw - cgroup2 cgroup2 rw`, "/a", "/mnt/my groups/a"},
		{"30 23 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu", "/a", ""},
		{"30 23 0:26 / - cgroup2", "/a", ""},
		{"", "/a", ""},
	}
	for _, test := range tests {
		got := ""
		for _, m := range parseMounts(test.mountinfo+"\n", "cgroup2", "") {
			if dir, ok := m.find(test.group); ok {
				got = dir
			}
		}
		if got != test.want {
			t.Errorf("%s in %q: got %q, want %q", test.group, test.mountinfo, got, test.want)
		}
	}
}

func TestLeafName_IsOneName(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		name := leafName(rapid.String().Draw(t, "job"), 4194304)
		if filepath.Base(name) != name || len(name) > 255 || strings.ContainsAny(name, "\n\x00 ") ||
			!strings.HasPrefix(name, "proctape-") || !strings.HasSuffix(name, "-4194304") {
			t.Errorf("name %q", name)
		}
	})
}
