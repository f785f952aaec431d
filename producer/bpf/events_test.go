package bpf

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// openEvents opens events until the test ends, or skips the test.
func openEvents(t testing.TB) *Events { return openEventsOf(t, ringBytes) }

func openEventsOf(t testing.TB, ring uint32) *Events {
	t.Helper()
	e, err := openRing(ring)
	if err != nil {
		t.Skip("SKIPPED: the kernel does not let this process run programs: ", err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// readUntil reads until an event of a kind and a process has come, and returns those of the process.
func readUntil(t *testing.T, e *Events, pid int, kind Kind) []Event {
	t.Helper()
	of, all := readFor(t, e, pid, kind, time.Minute)
	if _, n := find(of, kind); n == 0 {
		t.Fatalf("no event of kind %d of process %d among %d events of all processes; got %+v", kind, pid, all, of)
	}
	return of
}

// readFor is readUntil for so long at most. It returns how many events came of all processes too.
func readFor(t *testing.T, e *Events, pid int, kind Kind, most time.Duration) (of []Event, all int) {
	t.Helper()
	for deadline := time.Now().Add(most); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		events, lost, err := e.Read(nil, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range events {
			if ev.PID == pid {
				of = append(of, ev)
			}
		}
		all += len(events)
		if lost != nil {
			t.Errorf("lost, and counted: %v", lost)
		}
		if slices.ContainsFunc(of, func(ev Event) bool { return ev.Kind == kind }) {
			break
		}
	}
	return of, all
}

func find(of []Event, kind Kind) (Event, int) {
	n, found := 0, Event{}
	for _, ev := range of {
		if ev.Kind == kind {
			n, found = n+1, ev
		}
	}
	return found, n
}

// The command line is whole to 16 KiB, and both ends of a longer one.
func TestEvents_Arguments(t *testing.T) {
	e := openEvents(t)
	for name, args := range map[string][]string{
		"none":   nil,
		"short":  {"a b", "", "c"},
		"15 KiB": {strings.Repeat("x", 15<<10), "end"},
		"100 KB": {strings.Repeat("x", 50_000), strings.Repeat("y", 50_000), "the", "end"},
	} {
		cmd := exec.Command("true", args...)
		if err := cmd.Run(); err != nil {
			t.Skip("SKIPPED: ", err)
		}
		got, n := find(readUntil(t, e, cmd.Process.Pid, Exit), Exec)
		switch {
		case n != 1:
			t.Errorf("%s: got %d execs", name, n)
		case name == "100 KB":
			if last := len(got.Args) - 1; last < 3 || got.Args[last] != "end" || got.Args[last-1] != "the" || !strings.HasPrefix(got.Args[1], "xxx") || !slices.Contains(got.Args, "…") {
				t.Errorf("%s: got %d arguments that end with %.20q", name, len(got.Args), got.Args[max(0, last-2):])
			}
		case !slices.Equal(got.Args[1:], args):
			t.Errorf("%s: got %.60q, want %.60q", name, got.Args[1:], args)
		}
	}
}

// What a process used is whole once it was waited for, and its peak is that of all programs that it executed.
func TestEvents_Totals(t *testing.T) {
	e := openEvents(t)
	var used, told, atEnd time.Duration
	processes := 100
	if os.Getenv("PROCTAPE_SOAK") != "" {
		processes = 300
	}
	untold := 0
	for range processes {
		cmd := exec.Command("true")
		if err := cmd.Run(); err != nil {
			t.Skip("SKIPPED: ", err)
		}
		of, _ := readFor(t, e, cmd.Process.Pid, Free, 5*time.Second)
		whole, n := find(of, Free)
		if n == 0 { // a busy kernel does not tell one of some hundreds: such an end says that its CPU is a lower bound
			untold++
			continue
		}
		usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
		used += time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
		ended, _ := find(of, Exit)
		told, atEnd = told+whole.CPU, atEnd+ended.CPU
	}
	if untold > processes/25 {
		t.Errorf("of %d of %d processes it was not told that they were waited for", untold, processes)
	}
	if apart := float64(told-used) / float64(used); apart > 0.005 || apart < -0.005 {
		t.Errorf("got %s of CPU, and the parent was told %s", told, used)
	}
	if atEnd >= told { // control: what is known at the end is not all
		t.Errorf("got %s at the end and %s later", atEnd, told)
	}
}

// Each of a storm is received or counted as lost, by kind, when nobody reads for too long.
func TestEvents_LossIsCounted(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	e := openEventsOf(t, 64<<10)
	if out, err := exec.Command("sh", "-c", `i=0; while [ $i -lt 3000 ]; do (:); i=$((i+1)); done`).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var sent [kinds]uint64
	received := map[Kind]uint64{}
	lost := map[Kind]uint64{}
	all := func(kind Kind) bool { return received[kind]+lost[kind] >= 3000 }
	// The kernel frees a process some time after its end, on a busy machine long after.
	for deadline := time.Now().Add(5 * time.Minute); !(all(Fork) && all(Exit) && all(Free)) && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		events, l, err := e.Read(nil, 1<<22)
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range events {
			received[ev.Kind]++
		}
		for kind, n := range l {
			lost[kind] += n
		}
		if err := e.objects.Sent.Get(&sent); err != nil {
			t.Fatal(err)
		}
	}
	for _, kind := range []Kind{Fork, Exit, Free} {
		if !all(kind) || lost[kind] == 0 {
			t.Errorf("kind %d: received %d and lost %d, want 3000 together", kind, received[kind], lost[kind])
		}
	}
	t.Logf("received %v, lost %v, sent %v", received, lost, sent)
}

// Signals of the kernel, such as those of children and timers, are told by nobody.
func TestEvents_Signals(t *testing.T) {
	e := openEvents(t)
	pid := startSleep(t, nil)
	if err := unix.Kill(pid, unix.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	of := readUntil(t, e, pid, Exit)
	signal, n := find(of, Signal)
	if n != 1 || signal.Parent != unix.Getpid() || signal.Status != uint32(unix.SIGUSR1) || signal.UID != uint32(unix.Geteuid()) {
		t.Errorf("got %d signals, %+v", n, signal)
	}
	if end, _ := find(of, Exit); end.Status&0x7f != uint32(unix.SIGUSR1) {
		t.Errorf("got status %#x", end.Status)
	}
}
