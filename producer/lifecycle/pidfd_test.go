package lifecycle_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/producer/lifecycle"
	"github.com/proctape/proctape/schema"
)

var _ lifecycle.Source = (*lifecycle.Pidfd)(nil)

// Every exit code is told as it was, once, after one spawn, of the right process.
func TestPidfd_ExitCodes(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	t.Parallel()
	r := newPidfdRig(t)
	var shells []*shell
	for range 256 {
		shells = append(shells, startShell(t, `read -r code; exit "$code"`))
	}
	starts := map[int]uint64{}
	for _, s := range shells {
		starts[s.pid()] = r.awaitSpawn(s.pid()).StartTicks
	}
	for code, s := range shells {
		s.say(strconv.Itoa(code))
		s.wait()
	}
	for code, s := range shells {
		e := r.awaitExit(s.pid())
		if e.ExitCode != schema.Some(int64(code)) || e.Signal.Known || e.Core {
			t.Errorf("code %d: got code %v, signal %v, core %t", code, e.ExitCode, e.Signal, e.Core)
		}
		if got, want := briefs(r.of(s.pid())), fmt.Sprintf("[+%[1]d@%[2]d -%[1]d@%[2]d]", s.pid(), starts[s.pid()]); fmt.Sprint(got) != want {
			t.Errorf("code %d: told %v, want %s", code, got, want)
		}
	}
}

func TestPidfd_Events(t *testing.T) {
	t.Parallel()
	r := newPidfdRig(t)
	before, wallBefore := bootNow(t), time.Now().UnixNano()
	s := startShell(t, `read -r code; exit "$code"`)
	self, ok := r.describe(s.pid())
	if !ok {
		t.Fatal("the shell is gone")
	}
	spawn := r.awaitSpawn(s.pid())
	s.say("3")
	s.wait()
	exit := r.awaitExit(s.pid())

	const tick = int64(time.Second / schema.TicksPerSecond)
	if spawn.StartTicks != self.StartTicks || spawn.Boot != int64(self.StartTicks)*tick || spawn.Boot < before-tick {
		t.Errorf("spawn of one that started at %d, after %d: got %+v", self.StartTicks, before, spawn)
	}
	if ahead := (spawn.Wall - spawn.Boot) - (wallBefore - before); ahead < -1e8 || ahead > 1e8 {
		t.Errorf("the wall time of the spawn is %d ns off", ahead)
	}
	lifetime := schema.Some((exit.Boot - spawn.Boot) / 1e6)
	if exit.Boot < spawn.Boot || exit.Boot > bootNow(t) || exit.Lifetime != lifetime {
		t.Errorf("exit of one that lived %d ms: got %+v", lifetime.V, exit)
	}
	for _, e := range []schema.Event{spawn, exit} {
		if e.PPID != schema.Some(int64(os.Getpid())) || e.UID != schema.Some(int64(os.Getuid())) ||
			e.Command != "sh" || e.Source != "pidfd" || e.Details != "" || e.CPUMillis.Known || e.ReadKiB.Known {
			t.Errorf("got %+v", e)
		}
	}
}

// Of signals the event says what wait(2) says.
func TestPidfd_Signals(t *testing.T) {
	r := newPidfdRig(t)
	shells := map[syscall.Signal]*shell{}
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGSEGV, syscall.SIGHUP, 64} {
		shells[signal] = startShell(t, `ulimit -c unlimited; echo ready; read -r line`)
		shells[signal].line()
	}
	for signal, s := range shells {
		r.awaitSpawn(s.pid())
		if err := s.cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		want := s.wait()
		e := r.awaitExit(s.pid())
		if e.Signal != schema.Some(int64(signal)) || e.ExitCode.Known || e.Core != want.CoreDump() {
			t.Errorf("signal %d, core %t: got %+v", signal, want.CoreDump(), e)
		}
	}
}

// A process is told of that is nobody's child any more, or never was ours.
func TestPidfd_DoubleFork(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	r := newPidfdRig(t)
	s := startShell(t, `exec 3<&0; (sh -c 'echo $$; read -r code <&3; exit "$code"' &)`)
	orphan, err := strconv.Atoi(s.line())
	if err != nil {
		t.Fatal(err)
	}
	r.awaitSpawn(orphan)
	s.say("77")
	reapOrphan(t, orphan)
	if e := r.awaitExit(orphan); e.ExitCode != schema.Some(int64(77)) {
		t.Errorf("got %+v", e)
	}
}

// reapOrphan waits for a process that has become our child because we are its namespace's first process.
func reapOrphan(t *testing.T, pid int) {
	t.Helper()
	if os.Getpid() != 1 {
		return
	}
	if _, err := unix.Wait4(pid, nil, 0, nil); err != nil {
		t.Fatal(err)
	}
}

// A program executed by another thread than the first, whose thread ends there, is the same process going on.
func TestPidfd_ExecByAnotherThread(t *testing.T) {
	t.Parallel()
	if os.Getenv("PIDFD_TEST_EXEC") != "" {
		execByAnotherThread(t)
	}
	r := newPidfdRig(t)
	s := startShell(t, `read -r line; PIDFD_TEST_EXEC=1 exec `+self(t)+` -test.run '^TestPidfd_ExecByAnotherThread$'`)
	r.awaitSpawn(s.pid())
	s.say("exec")
	if got := s.line(); got != "executed" {
		t.Fatalf("got %q", got)
	}
	r.poll()
	if got := r.of(s.pid()); len(got) != 1 {
		t.Errorf("told %v, want one spawn", briefs(got))
	}
	s.say("6")
	s.wait()
	if e := r.awaitExit(s.pid()); e.ExitCode != schema.Some(int64(6)) {
		t.Errorf("got %+v", e)
	}
}

func execByAnotherThread(t *testing.T) {
	done := make(chan error)
	lockOtherThread(func() {
		done <- syscall.Exec("/bin/sh", []string{"sh", "-c", `echo executed; read -r code; exit "$code"`}, os.Environ())
	})
	t.Fatal(<-done)
}

// A process that has ended and that nobody has waited for has not ended yet; then it has, when it did.
func TestPidfd_ZombieWaits(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	t.Parallel()
	r := newPidfdRig(t)
	s := startShell(t, `read -r code; exit "$code"`)
	r.awaitSpawn(s.pid())
	s.say("5")
	r.pollUntil("a zombie", func() bool { return state(t, s.pid()) == "Z" })
	r.poll()
	ended := bootNow(t)
	r.pollUntil("more than a second", func() bool { return bootNow(t)-ended > 1200e6 })
	if got := r.of(s.pid()); len(got) != 1 {
		t.Fatalf("told %v of a zombie, want one spawn", briefs(got))
	}
	s.wait()
	e := r.awaitExit(s.pid())
	if e.ExitCode != schema.Some(int64(5)) || e.Boot > ended || !strings.Contains(e.Details, "its parent waited for it ") {
		t.Errorf("ended by %d: got %+v", ended, e)
	}
}

// state is the letter that proc_pid_stat(5) gives of a process, or empty.
func state(t *testing.T, pid int) string {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return rest[:1]
}

// The first listing tells nothing of who was there, but their ends are told.
func TestPidfd_FirstListingHasNoEvents(t *testing.T) {
	t.Parallel()
	r := newBlankRig(t)
	s := startShell(t, `read -r code; exit "$code"`)
	r.poll()
	r.Observe(r.scan(s.pid()))
	r.poll()
	if len(r.of(s.pid())) != 0 {
		t.Errorf("told %v", briefs(r.told))
	}
	s.say("2")
	s.wait()
	if e := r.awaitExit(s.pid()); e.ExitCode != schema.Some(int64(2)) || len(r.of(s.pid())) != 1 {
		t.Errorf("told %v: %+v", briefs(r.of(s.pid())), e)
	}
}

// Without room for a pidfd a process is watched all the same; once there is room, its exit code is told.
func TestPidfd_MoreProcessesThanPidfds(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	t.Parallel()
	r := newBlankRig(t)
	r.SetMax(0)
	r.poll()
	a, b := startShell(t, `read -r code; exit "$code"`), startShell(t, `read -r code; exit "$code"`)
	r.awaitSpawn(a.pid())
	r.awaitSpawn(b.pid())
	a.say("8")
	a.wait()
	e := r.awaitExit(a.pid())
	if e.ExitCode.Known || e.Signal.Known || !strings.Contains(e.Details, "exit code unknown: it had no pidfd") {
		t.Errorf("got %+v", e)
	}
	if r.Held() != 0 {
		t.Errorf("%d pidfds are held", r.Held())
	}

	r.SetMax(1 << 20)
	r.pollUntil("pidfds", func() bool { return r.Held() > 0 })
	b.say("9")
	b.wait()
	if e := r.awaitExit(b.pid()); e.ExitCode != schema.Some(int64(9)) {
		t.Errorf("got %+v", e)
	}
	if got := len(r.of(b.pid())); got != 2 {
		t.Errorf("told %v", briefs(r.of(b.pid())))
	}
}

// When there are no more descriptors, that many processes are watched by listing, and no more descriptors are taken
// than the limit leaves.
func TestPidfd_NoMoreDescriptors(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	const limited = "PIDFD_TEST_LIMITED"
	if os.Getenv(limited) == "" {
		rerun(t, t.Name(), nil, limited+"=1")
		return
	}
	var shells []*shell
	for range 300 {
		shells = append(shells, startShell(t, `read -r code; exit "$code"`))
	}
	var full unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &full); err != nil {
		t.Fatal(err)
	}
	const room = 200
	few := unix.Rlimit{Cur: uint64(openFiles(t) + room), Max: full.Max}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	r := newBlankRig(t)
	r.SetMax(1 << 20)
	r.poll()
	if r.Held() == 0 || r.Held() > room-100 {
		t.Errorf("%d pidfds are held, want some, and to leave 100 of %d", r.Held(), room)
	}
	for _, s := range shells {
		s.say("4")
		s.wait()
	}
	for _, s := range shells {
		if e := r.awaitExit(s.pid()); !e.ExitCode.Known && e.Details == "" || len(r.of(s.pid())) != 1 {
			t.Errorf("told %v: %+v", briefs(r.of(s.pid())), e)
		}
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	files, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

func TestPidfd_RootNotProc(t *testing.T) {
	_, err := lifecycle.NewPidfd(lifecycle.Config{Root: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "self") {
		t.Errorf("got %v", err)
	}
}

// The probe is worth something only if who lives, and what is no process, has no exit info.
func TestPidfd_ExitInfoOfTheLiving(t *testing.T) {
	pidfd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pidfd)
	if lifecycle.ExitInfo(pidfd) {
		t.Error("we have ended")
	}
	if lifecycle.ExitInfo(0) || lifecycle.ExitInfo(-1) {
		t.Error("what is no pidfd has an exit status")
	}
}

// What it opens it closes.
func TestPidfd_CloseClosesAll(t *testing.T) {
	before := openFiles(t)
	p, err := lifecycle.NewPidfd(lifecycle.Config{Describe: func(int) (lifecycle.Description, bool) {
		return lifecycle.Description{PPID: 1}, true
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Poll(); err != nil {
		t.Fatal(err)
	}
	if held := p.Held(); openFiles(t) < before+held || held == 0 {
		t.Fatalf("%d files were open, now %d with %d pidfds", before, openFiles(t), held)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if after := openFiles(t); after != before {
		t.Errorf("%d files were open, %d still are", before, after)
	}
}

// Take leaves what is younger than it was asked for, and tells it later.
func TestPidfd_TakeInPieces(t *testing.T) {
	t.Parallel()
	r := newPidfdRig(t)
	s := startShell(t, `exit 0`)
	l := r.scan(s.pid())
	r.Observe(l)
	s.wait()
	start := int64(l.Processes[0].StartTicks) * int64(time.Second/schema.TicksPerSecond)
	if early, _ := r.Take(start - 1); slices.ContainsFunc(early, func(o schema.KindedEvent) bool { return o.Event.PID == s.pid() }) {
		t.Errorf("got %v before it started", briefs(early))
	}
	r.told, _ = r.Take(math.MaxInt64)
	if len(r.of(s.pid())) == 0 {
		t.Errorf("got %v", briefs(r.told))
	}
}
