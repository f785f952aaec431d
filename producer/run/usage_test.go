package run

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/schema"
)

// doubleFork has one process burn CPU as an orphan, another one as a child, and ends when the orphan has been reaped.
const doubleFork = `read go
	("$@" 250ms "$0/orphan" & echo $! > "$0/pid")
	"$@" 250ms "$0/child"
	while kill -0 $(cat "$0/pid") 2>/dev/null; do sleep 0.1; done`

// runDoubleFork runs it and returns what the burning processes say that they used.
func runDoubleFork(t *testing.T, cfg Config, sabotage string) (r report, burnt time.Duration) {
	t.Helper()
	dir := t.TempDir()
	cfg.Args = append(append(sh(doubleFork), dir), self(t, "burner")...)
	e := newEngine(t, cfg)
	e.Env = append(e.Env, sabotageKey+"="+sabotage)
	input, err := e.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	e.start(t)
	e.next(t)
	fmt.Fprintln(input, "go")
	r = e.next(t)
	if code := e.end(t); code != 0 {
		t.Fatalf("exit %d", code)
	}
	for _, name := range []string{"orphan", "child"} {
		burnt += readUsed(t, filepath.Join(dir, name))
	}
	return r, burnt
}

// readUsed reads what a burner wrote.
func readUsed(t *testing.T, file string) time.Duration {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	ns, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(ns)
}

// overhead is the CPU that the shells and the starts of the processes in these tests may use.
const overhead = 250 * time.Millisecond

func TestWait_CountsTheCPUOfOrphans(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	r, burnt := runDoubleFork(t, Config{}, "")
	got := r.Result.CPU()
	t.Logf("burnt %s, counted %s, getrusage says %s", burnt, got.Total(), r.Children.Total())
	if got.Total() < burnt || got.Total() > burnt+overhead {
		t.Errorf("counted %s of CPU, the processes used %s", got.Total(), burnt)
	}
	if d := (got.Total() - r.Children.Total()).Abs(); d > 2*time.Millisecond {
		t.Errorf("counted %+v, getrusage says %+v", got, r.Children)
	}
	if r.Result.Waited != 2 || r.Result.LeftBehind != schema.Some(0) {
		t.Errorf("waited for %d, left behind %v; want the command and the orphan, and none", r.Result.Waited, r.Result.LeftBehind)
	}
}

// TestWait_WithoutTheReaperMissesOrphans is the control.
func TestWait_WithoutTheReaperMissesOrphans(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	r, burnt := runDoubleFork(t, Config{}, "no reaper")
	if got := r.Result.CPU().Total(); got > burnt-100*time.Millisecond || r.Result.Waited != 1 {
		t.Errorf("counted %s of %s and %d processes: the test of orphans cannot fail", got, burnt, r.Result.Waited)
	}
}

// TestWait_500Processes: half of them children of the command, half orphans that come to us.
func TestWait_500Processes(t *testing.T) {
	t.Parallel()
	r := runOne(t, Config{Args: sh(`
		i=0; while [ $i -lt 250 ]; do /bin/true; (/bin/true &); i=$((i+1)); done
		while [ $(cat /proc/$PPID/task/*/children | wc -w) -gt 1 ]; do sleep 0.01; done`)})
	if r.Result.Waited != 251 || r.Result.LeftBehind != schema.Some(0) {
		t.Errorf("waited for %d processes, want 251; left behind %v", r.Result.Waited, r.Result.LeftBehind)
	}
	if got, want := r.Result.CPU().Total(), r.Children.Total(); (got - want).Abs() > 2*time.Millisecond {
		t.Errorf("counted %s of CPU, getrusage says %s", got, want)
	}
}

// TestWait_DoesNotWaitForDaemons: one process is left behind with a child of its own, one without.
func TestWait_DoesNotWaitForDaemons(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Config{Args: sh(`exec 3>&1 >/dev/null 2>&1
		setsid sh -c 'sleep 1000 & echo $! $$ >&3; wait' & setsid sleep 1000 & echo $! >&3; read go; exit 4`)})
	input, err := e.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	e.start(t)
	var pids []int
	for len(pids) < 3 {
		for _, field := range strings.Fields(e.line(t)) {
			pid, err := strconv.Atoi(field)
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	defer func() {
		for _, pid := range pids {
			unix.Kill(pid, unix.SIGKILL)
		}
	}()
	e.next(t)
	fmt.Fprintln(input, "go")
	r := e.next(t).Result
	if r.ExitCode != 4 || r.LeftBehind != schema.Some(3) {
		t.Errorf("exit %d, left behind %v, want 4 and 3", r.ExitCode, r.LeftBehind)
	}
	e.end(t)
	for _, pid := range pids {
		if s := state(t, pid); s == 0 || s == 'Z' {
			t.Errorf("process %d is in state %q, want it to live", pid, s)
		}
	}
}

// TestWait_StrangersAreNotTheCommands: a script that starts processes and then executes us leaves them to us.
func TestWait_StrangersAreNotTheCommands(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Config{Args: sh(`while [ -e /proc/$STRANGER ]; do sleep 0.01; done`)})
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// The stranger ends when we have begun to wait: one that ended before us is no child whose end we are told.
	e.Path, e.Args = "/bin/sh", append(sh(`sleep 1000 >/dev/null 2>&1 & echo $!; exec 4<&0; sh -c 'read go' <&4 & export STRANGER=$!; exec "$0"`), exe)
	input, err := e.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	e.start(t)
	sleeper, err := strconv.Atoi(e.line(t))
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Kill(sleeper, unix.SIGKILL)
	e.next(t)
	fmt.Fprintln(input, "go")
	if r := e.next(t).Result; r.Waited != 1 || r.LeftBehind != schema.Some(0) {
		t.Errorf("waited for %d, left behind %v, want 1 and 0", r.Waited, r.LeftBehind)
	}
	e.end(t)
}

// TestWait_MemoryIsTheCommandsOrUnknown: a small command starts with our memory, which is not its own.
func TestWait_MemoryIsTheCommandsOrUnknown(t *testing.T) {
	t.Parallel()
	if r := runOne(t, Config{Args: []string{"true"}}).Result; r.MaxRSSKiB.Known {
		t.Errorf("true had %d KiB, want unknown: it is less than ours", r.MaxRSSKiB.V)
	}
	const size = 96 << 10 // KiB
	r := runOne(t, Config{Args: sh("head -c 96M /dev/zero | tail -c 96M >/dev/null; true")}).Result
	if got := r.MaxRSSKiB; !got.Known || got.V < size || got.V > size*2 {
		t.Errorf("tail of 96 MiB had %v KiB, want about %d", got, size)
	}
}

func TestWait_WallAndIdentity(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Config{Args: sh(`read go; cut -d' ' -f1,22 /proc/$$/stat; sleep 0.3`)})
	input, err := e.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	e.start(t)
	started := e.next(t).Command
	fmt.Fprintln(input, "go")
	e.wantLine(t, fmt.Sprintf("%d %d", started.PID, started.StartTicks.V))
	if r := e.next(t).Result; !started.StartTicks.Known || r.Wall < 300*time.Millisecond || r.Wall > patience {
		t.Errorf("started %+v, wall %s", started, r.Wall)
	}
	e.end(t)
}

// What a run's end tells has user and system time apart where the source of the sum has them, and never a 0 for what is not known.
func TestResult_Totals_UserAndSystem(t *testing.T) {
	waited := CPU{User: 3 * time.Second, System: time.Second}
	for _, c := range []struct {
		group  schema.Opt[CPU]
		system schema.Opt[int64]
	}{
		{schema.Opt[CPU]{}, schema.Some[int64](1_000_000)},
		{schema.Some(CPU{User: 5 * time.Second, System: 2 * time.Second}), schema.Some[int64](2_000_000)},
		{schema.Some(CPU{Whole: 7 * time.Second}), schema.Opt[int64]{}},
		{schema.Some(CPU{Whole: time.Second}), schema.Some[int64](1_000_000)}, // the other source has more
	} {
		r := Result{WaitedCPU: waited, CgroupCPU: c.group}
		if got := r.Totals(schema.Opt[int64]{}, schema.Opt[uint64]{}); got.System != c.system || got.CPUMicros.V != r.CPU().Total().Microseconds() {
			t.Errorf("of %+v: system %v of %v us, want %v", r, got.System, got.CPUMicros, c.system)
		}
	}
}
