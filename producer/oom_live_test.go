package producer

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/embedded-nats/logtest"
	"github.com/proctape/proctape/producer/lifecycle"
	"github.com/proctape/proctape/schema"
)

// newLimitedCgroup makes a cgroup with 16 MiB of memory and returns its path and its folder. It skips the test where there is no
// memory controller of version 1, or no cgroup can be made.
func newLimitedCgroup(t *testing.T) (path, dir string) {
	t.Helper()
	path = fmt.Sprintf("/proctape-producer-%d-%d", os.Getpid(), time.Now().UnixNano())
	dir = filepath.Join("/sys/fs/cgroup/memory", path)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Skipf("SKIPPED: no cgroup can be made: %v", err)
	}
	t.Cleanup(func() {
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
			if err := os.Remove(dir); err == nil || time.Now().After(deadline) {
				return
			}
		}
	})
	limit := []byte(strconv.Itoa(16 << 20))
	if err := os.WriteFile(filepath.Join(dir, "memory.limit_in_bytes"), limit, 0); err != nil {
		t.Skip("SKIPPED: ", err)
	}
	_ = os.WriteFile(filepath.Join(dir, "memory.memsw.limit_in_bytes"), limit, 0) // where there is swap
	return path, dir
}

// Who the kernel killed for want of memory is told from who a user killed in the same cgroup.
func TestLive_OOM(t *testing.T) {
	t.Parallel()
	path, dir := newLimitedCgroup(t)
	nc := logtest.Serve(t)
	j := newLogReader(t, nc)
	p, _ := record(t, nc, Config{})
	needSourceKind(t, p, lifecycle.KindTaskstats, lifecycle.KindConnector)
	if i := slices.IndexFunc(p.Capabilities(), func(c Capability) bool { return c.Name == "oom" }); !p.Capabilities()[i].Have {
		t.Skip("SKIPPED: ", p.Capabilities()[i].Detail)
	}
	s := startShell(t)
	j.publishJobEvent(nc, declared(t, "job", s.pid()))
	confined := func(command string) int {
		return s.start("sh -c 'echo $$ >" + dir + "/cgroup.procs && exec " + command + "'")
	}
	byUser := confined("sleep 600")
	j.untilSeen(byUser, func(p *schema.Process) bool { return strings.HasPrefix(p.Command, "sleep") })
	if err := unix.Kill(byUser, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	byKernel := confined("tail /dev/zero") // which has no line
	j.untilEnded(byUser)
	j.untilEnded(byKernel)
	for pid, want := range map[int]string{byUser: "spawn exit kill", byKernel: "spawn exit oom"} {
		if got := j.kinds(pid); got != want {
			t.Errorf("got events %s, want %s", got, want)
		}
		for _, e := range j.of(pid) {
			if e.JobID != "job" {
				t.Errorf("%s: got job %q", e.kind, e.JobID)
			}
			if e.kind == "oom" && (e.Signal.V != 9 || !strings.Contains(e.Details, "cgroup "+path+" was at its limit")) {
				t.Errorf("got %+v, want one of signal 9 that names %s", e, path)
			}
		}
	}
	ooms := 0
	for _, e := range j.events {
		if e.kind == "oom" {
			ooms++
		}
	}
	if ooms != 1 {
		t.Errorf("got %d oom events, want 1", ooms)
	}
}
