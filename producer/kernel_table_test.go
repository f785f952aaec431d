package producer

import (
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/proctape/proctape/embedded-nats/logtest"
	"github.com/proctape/proctape/producer/bpf"
	"github.com/proctape/proctape/producer/jobs"
	"github.com/proctape/proctape/schema"
)

// tableCapability is what a producer says of the kernel's own table.
func tableCapability(t *testing.T, p *Producer) Capability {
	t.Helper()
	i := slices.IndexFunc(p.Capabilities(), func(c Capability) bool { return c.Name == schema.CapBPF })
	if i < 0 {
		t.Fatalf("capabilities %+v say nothing of programs in the kernel", p.Capabilities())
	}
	return p.Capabilities()[i]
}

// A sampler that reads processes by programs in the kernel publishes what one that reads /proc does: jobs too, and it says so.
func TestKernelTable_IsPublished(t *testing.T) {
	nc := logtest.Serve(t)
	j := newLogReader(t, nc)
	p, _ := record(t, nc, Config{BPF: bpf.Auto})
	if c := tableCapability(t, p); !c.Have {
		t.Skip("SKIPPED: ", c.Detail)
	}
	i := slices.IndexFunc(p.Capabilities(), func(c Capability) bool { return c.Name == schema.CapIO })
	if !p.Capabilities()[i].Have {
		t.Errorf("got %+v, want the I/O of every process, which the kernel's table has", p.Capabilities()[i])
	}
	c := startChild(t, "sleep", []string{jobs.EnvJob + "=by-programs"}, "a sleeper", "of a job")
	got := j.untilSeen(c.pid(), func(p *schema.Process) bool { return p.JobID != "" && strings.Contains(p.Command, "a sleeper") }) // the first sample may be within its exec
	if got.JobID != "by-programs" || got.PPID != os.Getpid() {
		t.Errorf("got %+v", got)
	}
	last := j.snapshots[len(j.snapshots)-1].Snapshot
	if !slices.Contains(last.Capabilities, schema.CapBPF) {
		t.Errorf("got capabilities %v, want %s among them", last.Capabilities, schema.CapBPF)
	}
	if _, ok := last.Processes.Find(1); !ok {
		t.Error("process 1 is not in the snapshot")
	}
	sendToItself(t, 1<<20)
	j.untilSeen(os.Getpid(), func(p *schema.Process) bool { return p.Sent.Known && p.Sent.V >= 1024 && p.Received.V >= 1024 })
}

// sendToItself sends so many bytes over the network to this process.
func sendToItself(t *testing.T, n int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	to, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	from, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	sent := make(chan error)
	go func() {
		_, err := to.Write(make([]byte, n))
		sent <- errors.Join(err, to.Close())
	}()
	received, err := io.Copy(io.Discard, from)
	if err := errors.Join(err, <-sent); err != nil || received != n {
		t.Fatalf("received %d bytes of %d: %v", received, n, err)
	}
}

// Where programs are not possible, mode on is an error that says what to grant, and mode off asks nobody.
func TestKernelTable_Refused(t *testing.T) {
	const asUser = "PRODUCER_TEST_TABLE_REFUSED"
	if os.Getenv(asUser) == "" {
		if os.Geteuid() != 0 {
			t.Skip("SKIPPED: it needs root")
		}
		cmd := exec.Command("/proc/self/exe", "-test.run", "^TestKernelTable_Refused$", "-test.v")
		cmd.Env = append(os.Environ(), asUser+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestKernelTable_Refused") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	nc := unreachable(t)
	_, err := New(nc, Config{BPF: bpf.On})
	var refused *NoBPFError
	if !errors.As(err, &refused) || !strings.Contains(refused.Grant, "CAP_BPF") || strings.Contains(err.Error(), "MEMLOCK") {
		t.Errorf("got %v, want an error that says what to grant", err)
	}
	p := newProducer(t, nc, Config{})
	if c := tableCapability(t, p); c.Have || !c.Quiet {
		t.Errorf("got %+v of a sampler that was not asked", c)
	}
}

// A folder that only looks like /proc is not the kernel's table.
func TestKernelTable_NeedsItsOwnProc(t *testing.T) {
	root := filepath.Join(t.TempDir(), "proc")
	if err := os.CopyFS(root, os.DirFS("procfs/testdata/proc")); err != nil {
		t.Fatal(err)
	}
	if _, err := New(unreachable(t), Config{Root: root, BPF: bpf.On}); err == nil {
		t.Error("a folder was taken for the machine")
	}
}
