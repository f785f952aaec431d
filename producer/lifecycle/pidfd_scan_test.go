package lifecycle_test

import (
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proctape/proctape/producer/lifecycle"
	"github.com/proctape/proctape/schema"
)

// A scan shows processes between two listings: who lives is watched from then on, who has ended is told of, and
// nobody is told of twice.
func TestPidfd_ScanShowsMissedProcesses(t *testing.T) {
	t.Parallel()
	r := newPidfdRig(t)
	lives, ends := startShell(t, `read -r code; exit "$code"`), startShell(t, `read -r code; exit "$code"`)
	l := r.scan(slices.Sorted(slices.Values([]int{lives.pid(), ends.pid()}))...)
	ends.say("1")
	ends.wait()
	r.Observe(l)
	r.told, _ = r.Take(math.MaxInt64)
	if got, want := signs(r.of(lives.pid())), "+"; got != want {
		t.Errorf("of who lives: told %s, want %s", got, want)
	}
	if got, want := signs(r.of(ends.pid())), "+-"; got != want {
		t.Errorf("of who has ended: told %s, want %s", got, want)
	}
	if e := r.awaitExit(ends.pid()); e.ExitCode.Known || e.Details == "" {
		t.Errorf("got %+v", e)
	}

	lives.say("33")
	lives.wait()
	if e := r.awaitExit(lives.pid()); e.ExitCode != schema.Some(int64(33)) {
		t.Errorf("got %+v", e)
	}
	// Two listings later nothing has been told again.
	again := startShell(t, `read -r code`)
	r.awaitSpawn(again.pid())
	if got := signs(r.of(lives.pid())) + signs(r.of(ends.pid())); got != "+-+-" {
		t.Errorf("told %s", got)
	}
}

// A scan that is older than an end does not bring the process back, and tells what it used.
func TestPidfd_ScanIsOlderThanAnEnd(t *testing.T) {
	t.Parallel()
	r := newPidfdRig(t)
	s := startShell(t, `read -r code; exit "$code"`)
	r.awaitSpawn(s.pid())
	l := r.scan(s.pid())
	l.Processes[0].CPUMillis, l.Processes[0].ReadKiB = 120, schema.Some(int64(7))
	s.say("0")
	s.wait()
	for range 3 { // between the scan and Observe, and nothing is taken
		if _, err := r.Poll(); err != nil {
			t.Fatal(err)
		}
	}
	r.Observe(l)
	e := r.awaitExit(s.pid())
	if got := signs(r.of(s.pid())); got != "+-" {
		t.Errorf("told %s", got)
	}
	if e.CPUMillis != schema.Some(int64(120)) || e.ReadKiB != schema.Some(int64(7)) || e.WriteKiB.Known {
		t.Errorf("got %+v", e)
	}
}

// An exit has what the last scan knew, and says how old that is.
func TestPidfd_ExitHasTheLastScan(t *testing.T) {
	t.Parallel()
	r := newPidfdRig(t)
	s := startShell(t, `read -r code; exit "$code"`)
	r.awaitSpawn(s.pid())
	for _, cpu := range []uint64{10, 20} {
		l := r.scan(s.pid())
		p := &l.Processes[0]
		p.CPUMillis, p.WriteKiB, p.Command, p.PPID, p.JobID = cpu, schema.Some(int64(cpu)), "make", 1, "not ours to say"
		l.Boot -= 2e9
		r.Observe(l)
	}
	s.say("0")
	s.wait()
	e := r.awaitExit(s.pid())
	if e.CPUMillis != schema.Some(int64(20)) || e.WriteKiB != schema.Some(int64(20)) || e.ReadKiB.Known ||
		e.Command != "make" || e.PPID != schema.Some(int64(1)) || e.JobID != "" {
		t.Errorf("got %+v", e)
	}
	if !strings.HasPrefix(e.Details, "CPU and I/O as of ") {
		t.Errorf("got details %q", e.Details)
	}
}

// A process that was described before it executed its program is described again when its spawn is taken.
func TestPidfd_CommandAfterAnExec(t *testing.T) {
	t.Parallel()
	r := newPidfdRig(t)
	var s *shell
	for young := false; !young; { // a machine under load may take too long to scan
		s = startShell(t, `read -r line; exec cat`)
		l := r.scan(s.pid())
		young = l.Boot-int64(l.Processes[0].StartTicks)*int64(time.Second/schema.TicksPerSecond) < int64(lifecycle.EventDelay)
		r.Observe(l)
	}
	s.say("exec")
	for s.say("executed"); s.line() != "executed"; {
	}
	if e := r.awaitSpawn(s.pid()); e.Command != "cat" {
		t.Errorf("got command %q, want cat", e.Command)
	}
}

// Kernel threads come and go without being told of; what a kernel thread's child runs is told.
func TestPidfd_KernelThreads(t *testing.T) {
	t.Parallel()
	if comm, err := os.ReadFile("/proc/2/comm"); err != nil || string(comm) != "kthreadd\n" {
		t.Skip("SKIPPED: no kernel threads are to be seen here")
	}
	r := newPidfdRig(t)
	known, unknown := r.scan(2), r.scan(2)
	unknown.Processes[0].StartTicks += 5 // one that has ended
	r.Observe(known)
	r.Observe(unknown)
	r.poll()
	if got := r.of(2); len(got) != 0 {
		t.Errorf("told %v", briefs(got))
	}
}

// signs are the kinds of occurrences, + and -.
func signs(occurred []schema.KindedEvent) string {
	var out strings.Builder
	for _, o := range occurred {
		out.WriteString(brief(o)[:1])
	}
	return out.String()
}
