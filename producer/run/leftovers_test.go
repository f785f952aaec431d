package run

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// endedPID is the pid of a process that has ended.
func endedPID(t *testing.T) int {
	t.Helper()
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid
}

func TestRemoveLeftBelow(t *testing.T) {
	parent := filepath.Join(groupDir(t), fmt.Sprintf("left-%d", os.Getpid()))
	group := func(name string, pid int) string {
		dir := filepath.Join(parent, "deep", fmt.Sprintf("%s-%d", name, pid))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Rmdir(dir) })
		return dir
	}
	if err := os.MkdirAll(filepath.Join(parent, "deep"), 0o755); err != nil {
		t.Skipf("SKIPPED: no control group may be made: %v", err)
	}
	t.Cleanup(func() { unix.Rmdir(filepath.Join(parent, "deep")); unix.Rmdir(parent) })
	gone := endedPID(t)
	left, full := group("proctape-left", gone), group("proctape-full", gone)
	kept := []string{full, group("proctape-of-a-run", os.Getpid()), group("other", gone), group("proctape-x", 0)}

	daemon := exec.Command("sleep", "1000")
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	end := func() { daemon.Process.Kill(); daemon.Wait() }
	t.Cleanup(end)
	if err := os.WriteFile(filepath.Join(full, "cgroup.procs"), []byte(strconv.Itoa(daemon.Process.Pid)), 0o644); err != nil {
		t.Fatal(err)
	}

	removeLeftBelow(t.Context(), parent, time.Hour)
	if _, err := os.Stat(left); err != nil {
		t.Errorf("a young group: %v, want it left alone", err)
	}
	removeLeftBelow(t.Context(), parent, 0)
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("the group that was left: %v, want it gone", err)
	}
	for _, dir := range kept {
		if _, err := os.Stat(dir); err != nil {
			t.Errorf("%s: %v, want it kept", filepath.Base(dir), err)
		}
	}
	end()
	eventually(t, "the group goes when its last process has ended", func() bool {
		removeLeftBelow(t.Context(), parent, 0)
		_, err := os.Stat(full)
		return os.IsNotExist(err)
	})
}

func TestLeafPID_OfLeafName(t *testing.T) {
	for _, name := range []string{"build", "a-7", "", "7"} {
		if pid, ok := leafPID(leafName(name, 4242)); !ok || pid != 4242 {
			t.Errorf("%q: got %d, %v, want 4242", name, pid, ok)
		}
	}
	for _, name := range []string{"user.slice", "proctape-", "proctape-x", "proctape.service", "other-7", "proctape-test-1795000000000000000"} {
		if pid, ok := leafPID(name); ok {
			t.Errorf("%q: got %d, want none", name, pid)
		}
	}
}
