package bpf

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/producer/procfs"
)

// With CAP_BPF and CAP_PERFMON alone everything works, and goes on when no thread has them any more. Nothing can be loaded then.
func TestDropPrivileges(t *testing.T) {
	const inside = "BPF_TEST_PRIVILEGES"
	if os.Getenv(inside) == "" {
		openTable(t) // or skip
		if os.Geteuid() != 0 {
			t.Skip("SKIPPED: it needs root")
		}
		cmd := exec.Command("/proc/self/exe", "-test.run", "^TestDropPrivileges$", "-test.v")
		cmd.Env = append(os.Environ(), inside+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}, AmbientCaps: []uintptr{unix.CAP_BPF, unix.CAP_PERFMON}}
		out, err := cmd.CombinedOutput()
		if strings.Contains(string(out), "SKIPPED") {
			t.Skipf("SKIPPED: %s", out)
		}
		if err != nil || !strings.Contains(string(out), "--- PASS: TestDropPrivileges") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	table, events, calls := openTable(t), openEvents(t), openCalls(t)
	if err := DropPrivileges(); err != nil {
		t.Fatal(err)
	}
	if has := threadsWith(t, unix.CAP_BPF) + threadsWith(t, unix.CAP_PERFMON); has > 0 {
		t.Skipf("SKIPPED: %d threads still have the capabilities: this test uses C", has)
	}
	for range 70 { // also passes that look for more CPUs
		if scan, err := table.Processes(nil, procfs.Options{}); err != nil || len(scan.Processes) < 2 {
			t.Fatalf("got %d processes, %v", len(scan.Processes), err)
		}
	}
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	readUntil(t, events, cmd.Process.Pid, Free)
	if err := calls.Watch(os.Getpid(), true); err != nil {
		t.Error("what was loaded cannot be attached: ", err)
	}
	os.Getppid()
	if made, _, err := calls.Read(alive); err != nil || len(made) == 0 {
		t.Errorf("got %v, %v, want this process's own system calls", made, err)
	}
	if again, err := OpenTable(procfs.New("")); err == nil {
		again.Close()
		t.Error("programs can still be loaded")
	}
}

// threadsWith counts the threads of this process that have a capability.
func threadsWith(t *testing.T, capability int) (n int) {
	t.Helper()
	paths, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil || len(paths) == 0 {
		t.Fatal("no thread: ", err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		_, line, _ := strings.Cut(string(data), "CapPrm:\t")
		bits, err := strconv.ParseUint(strings.SplitN(line, "\n", 2)[0], 16, 64)
		if err != nil {
			t.Fatal(fmt.Errorf("%s: %w", path, err))
		}
		if bits>>capability&1 == 1 {
			n++
		}
	}
	return n
}
