package producer

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/embedded-nats/logtest"
	"github.com/proctape/proctape/producer/bpf"
	"github.com/proctape/proctape/producer/lifecycle"
	"github.com/proctape/proctape/schema"
)

// restrictedKey says, in a process that a test has started elsewhere, what is lacking there.
const restrictedKey = "PRODUCER_TEST_ELSEWHERE"

// A sampler works, and says what it lacks, where it may see less.
func TestRestricted(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	if place := os.Getenv(restrictedKey); place != "" {
		recordRestricted(t, place)
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: it needs root")
	}
	places := map[string]*syscall.SysProcAttr{
		"ordinary user": {Credential: &syscall.Credential{Uid: 65534, Gid: 65534}},
		"pid namespace": {Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS},
	}
	for place, attr := range places {
		t.Run(place, func(t *testing.T) {
			cmd := exec.Command("/proc/self/exe", "-test.run", "^TestRestricted$", "-test.v", "-test.timeout", "15m")
			cmd.Env = append(os.Environ(), restrictedKey+"="+place)
			cmd.SysProcAttr = attr
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "--- PASS: TestRestricted") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

func recordRestricted(t *testing.T, place string) {
	want := map[string]struct {
		kinds []lifecycle.SourceKind // any of these
		grant string                 // for a better one
	}{
		"ordinary user": {[]lifecycle.SourceKind{lifecycle.KindConnector, lifecycle.KindPidfd}, "CAP_BPF and CAP_PERFMON"},
		"pid namespace": {[]lifecycle.SourceKind{lifecycle.KindPidfd, lifecycle.KindDiff}, "host's pid namespace"},
	}[place]
	if place == "pid namespace" {
		if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
			t.Fatal(err)
		}
	}
	nc := logtest.Serve(t)
	j := newLogReader(t, nc)
	p, _ := record(t, nc, Config{BPF: bpf.Auto})
	checkTable(t, p, place)
	kind := p.loop.watcher.Kind()
	i := slices.IndexFunc(p.Capabilities(), func(c Capability) bool { return c.Name == kind.Capability() })
	if i < 0 || !slices.Contains(want.kinds, kind) {
		t.Fatalf("watches by %s, want one of %s; capabilities %+v", kind, want.kinds, p.Capabilities())
	}
	if c := p.Capabilities()[i]; c.Have || !strings.Contains(c.Grant, want.grant) || c.Detail == "" {
		t.Errorf("got %+v, want one that says that %s is lacking", c, want.grant)
	}

	s := startShell(t)
	j.publishJobEvent(nc, declared(t, "job", s.pid()))
	pid := s.start("exec sleep 600")
	if got := j.untilSeen(pid, func(p *schema.Process) bool { return strings.HasPrefix(p.Command, "sleep") }); got.JobID != "job" {
		t.Errorf("in a snapshot: got job %q", got.JobID)
	}
	j.until("spawn", func() bool { return len(j.of(pid)) > 0 })
	if err := unix.Kill(pid, unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.ask("wait; echo done")
	exit := j.untilEnded(pid)
	kinds := "spawn exit signal"
	if kind == lifecycle.KindDiff {
		kinds = "spawn exit"
	}
	if got := j.kinds(pid); got != kinds || exit.JobID != "job" {
		t.Errorf("got events %s, %+v, want %s", got, exit, kinds)
	}
	fmt.Println("watched by", kind)
}

// checkTable checks that a sampler that may not load programs says so and why, and that one in a pid namespace that may, does.
func checkTable(t *testing.T, p *Producer, place string) {
	c := tableCapability(t, p)
	switch {
	case place == "ordinary user":
		if c.Have || c.Quiet || !strings.Contains(c.Detail, "/proc is read instead") || !strings.Contains(c.Grant, "CAP_BPF") {
			t.Errorf("got %+v, want that /proc is read instead, and what to grant", c)
		}
	case !c.Have && !strings.Contains(c.Detail, "operation not permitted"):
		t.Errorf("got %+v, want that processes are read by programs", c)
	}
}
