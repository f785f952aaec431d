package netlink

import (
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// within is how long a test waits for what takes a moment on a machine at rest.
const within = 5 * time.Minute

// tiny is a receive buffer that a hundred processes overflow, and one does not.
const tiny = 8 << 10

// openConnector opens a connector that sees this machine's processes.
func openConnector(t testing.TB, buffer int) *Connector {
	t.Helper()
	c, err := OpenConnector(buffer)
	if err != nil {
		t.Skipf("SKIPPED: no proc connector here: %v", err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func openTaskstats(t testing.TB, buffer int) *Taskstats {
	t.Helper()
	s, err := OpenTaskstats(buffer)
	if err != nil {
		t.Skipf("SKIPPED: no taskstats here: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// run runs a command and returns its pid.
func run(t testing.TB, name string, args ...string) int {
	t.Helper()
	cmd := exec.Command(name, args...)
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.Pid()
}

// readUntil reads until done says so of all that was read.
func (c *Connector) readUntil(t testing.TB, done func(events []Event) bool) (events []Event, overrun bool) {
	t.Helper()
	for deadline := time.Now().Add(within); !done(events); {
		var over bool
		var err error
		events, over, err = c.Read(events, 1<<20)
		overrun = overrun || over
		if err != nil {
			t.Fatal(err)
		}
		if time.Now().After(deadline) {
			t.Fatalf("what was waited for did not come within %s; %d events did", within, len(events))
		}
	}
	return events, overrun
}

func of(pid int, kind Kind) func(e Event) bool {
	return func(e Event) bool { return e.PID == pid && e.Kind == kind }
}

func TestConnector_Events(t *testing.T) {
	c := openConnector(t, 0)
	before := monotonic(t)
	pid := run(t, "/bin/sh", "-c", "exit 7")
	events, overrun := c.readUntil(t, func(events []Event) bool { return slices.ContainsFunc(events, of(pid, Exit)) })
	if overrun {
		t.Error("got an overrun")
	}
	var got []Event
	for _, e := range events {
		if e.TGID != pid {
			continue
		}
		if e.Time < before || e.Time > monotonic(t) {
			t.Errorf("%+v is not of the time between %d and now", e, before)
		}
		before = e.Time
		e.Time, e.CPU, e.Seq, e.ParentPID = 0, 0, 0, 0
		got = append(got, e)
	}
	want := []Event{
		{Kind: Fork, PID: pid, TGID: pid, ParentTGID: os.Getpid()},
		{Kind: Exec, PID: pid, TGID: pid},
		{Kind: Exit, PID: pid, TGID: pid, Status: 7 << 8},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func monotonic(t testing.TB) int64 {
	t.Helper()
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		t.Fatal(err)
	}
	return ts.Nano()
}

// A reader that is stalled with a small buffer loses events. It says so, and how many: together with those that it got
// they are those that another reader got of the same stretch of each CPU.
func TestConnector_LossIsCountedExactly(t *testing.T) {
	large := openConnector(t, 0) // before small: it has all that small may have
	small := openConnector(t, tiny)
	for range 100 {
		run(t, "/bin/true")
	}
	got, lost, overrun := small.readRaw(t)
	if !overrun {
		t.Fatal("the buffer did not overflow")
	}
	for deadline := time.Now().Add(within); lost == 0; { // an event of the same CPU is needed to tell
		if time.Now().After(deadline) {
			t.Fatal("nothing was counted as lost")
		}
		run(t, "/bin/true")
		more, n, _ := small.readRaw(t)
		got, lost = append(got, more...), lost+n
	}
	lost += int(small.lost) // not told yet
	all, n, overrun := large.readRaw(t)
	if overrun || n > 0 {
		t.Fatalf("the large buffer overflowed too: %d lost", n)
	}
	want := 0
	for _, e := range all {
		if first, last, ok := stretch(got, e.CPU); ok && e.Seq-first <= last-first {
			want++
		}
	}
	if len(got)+lost != want {
		t.Errorf("got %d and %d lost, want %d together", len(got), lost, want)
	}
	t.Logf("%d events, %d lost", len(got), lost)
}

// readRaw reads what waits, events of every kind, and has c count what was lost.
func (c *Connector) readRaw(t testing.TB) (events []Event, lost int, overrun bool) {
	t.Helper()
	overrun, err := c.socket.drain(1<<20, func(message []byte) {
		e, err := parseEvent(message)
		if err != nil {
			t.Error(err)
		}
		events = append(events, e)
		told, _ := c.take(message)
		lost += int(told.Lost)
	})
	if err != nil {
		t.Fatal(err)
	}
	return events, lost, overrun
}

// stretch is the first and the last number among the events of a CPU.
func stretch(events []Event, cpu uint32) (first, last uint32, ok bool) {
	for _, e := range events {
		if e.CPU == cpu {
			if !ok {
				first = e.Seq
			}
			last, ok = e.Seq, true
		}
	}
	return first, last, ok
}

// After an overflow events go on.
func TestConnector_GoesOnAfterAnOverflow(t *testing.T) {
	c := openConnector(t, tiny)
	for range 100 {
		run(t, "/bin/true")
	}
	if _, overrun, err := c.Read(nil, 1<<20); !overrun || err != nil {
		t.Fatalf("got %t, %v, want an overrun", overrun, err)
	}
	// Others' processes may fill the small buffer again.
	for deadline := time.Now().Add(within); ; {
		pid := run(t, "/bin/true")
		events, _, err := c.Read(nil, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(events, of(pid, Exit)) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no event came")
		}
	}
}

func TestConnector_ReadIsBounded(t *testing.T) {
	c := openConnector(t, 0)
	for range 2 * eventBatch {
		run(t, "/bin/true")
	}
	events, _, err := c.Read(nil, 1)
	if len(events) > eventBatch || len(events) == 0 || err != nil {
		t.Errorf("got %d events, %v, want one batch of at most %d", len(events), err, eventBatch)
	}
}

// What another process sends to our socket is no event.
func TestConnector_OnlyTheKernelIsBelieved(t *testing.T) {
	c := openConnector(t, 0)
	address, err := unix.Getsockname(c.socket.fd)
	if err != nil {
		t.Fatal(err)
	}
	forger, err := open(unix.NETLINK_CONNECTOR, 0, 0, 1, eventBuffer)
	if err != nil {
		t.Fatal(err)
	}
	defer forger.close()
	forged := Event{Kind: Fork, CPU: 1, Seq: 1, PID: 7, TGID: 7, ParentPID: 1, ParentTGID: 1}
	if err := unix.Sendto(forger.fd, appendEvent(nil, forged), 0, address); err != nil {
		t.Skipf("SKIPPED: the kernel does not even let us try: %v", err)
	}
	pid := run(t, "/bin/true")
	events, _ := c.readUntil(t, func(events []Event) bool { return slices.ContainsFunc(events, of(pid, Exit)) })
	if slices.ContainsFunc(events, of(7, Fork)) {
		t.Error("a forged event was believed")
	}
}
