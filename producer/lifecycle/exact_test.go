package lifecycle

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/schema"
)

// expectation is what the events of a kind hold.
type expectation struct {
	kind   SourceKind
	codes  bool // how a process ended
	core   bool // and whether its signal is one that dumps core, also when none was written
	usage  bool // CPU, memory and I/O to the end
	source string
}

var kindsSee = []expectation{
	{KindBPF, true, true, true, SourceBPF},
	{KindTaskstats, true, true, true, SourceTaskstats},
	{KindConnector, true, true, false, SourceConnector},
	{KindPidfd, true, false, false, SourcePidfd},
	{KindDiff, false, false, false, SourceDiff},
}

// eachSource runs a test on each kind.
func eachSource(t *testing.T, test func(t *testing.T, r *rig, see expectation)) {
	for _, see := range kindsSee {
		t.Run(string(see.kind), func(t *testing.T) { test(t, newRig(t, openOne(see.kind)), see) })
	}
}

// exact are the kinds that see every process.
func exact(t *testing.T, test func(t *testing.T, r *rig, see expectation)) {
	for _, see := range kindsSee[:3] {
		t.Run(string(see.kind), func(t *testing.T) { test(t, newRig(t, openOne(see.kind)), see) })
	}
}

// A process that lives until its spawn was told has one exit, which says how it ended.
func TestSource_Endings(t *testing.T) {
	tests := map[string]struct {
		start func(t testing.TB) *actor
		want  string
	}{
		"a code":    {shell("read x; exit 7"), "code 7"},
		"killed":    {shell("read x; kill -9 $$"), "signal 9 core false"},
		"terminate": {shell("read x; kill -TERM $$"), "signal 15 core false"},
		"segmentation fault without core": {
			shell("ulimit -c 0; read x; kill -SEGV $$"), "signal 11 core true",
		},
		"the first thread ends first": {role("leader exits first"), "code 5"},
		"another thread executes":     {role("another thread executes"), "code 6"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachSource(t, func(t *testing.T, r *rig, see expectation) {
				a := tt.start(t)
				if err := r.followToEnd(a, see, tt.want); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func shell(script string) func(testing.TB) *actor {
	return func(t testing.TB) *actor { return start(t, script) }
}

func role(name string) func(testing.TB) *actor {
	return func(t testing.TB) *actor { return startRole(t, name) }
}

// followToEnd follows an actor from its spawn to its end and says what is wrong with what is told of it.
func (r *rig) followToEnd(a *actor, see expectation, want string) error {
	r.t.Helper()
	began := r.await(schema.KindSpawn, a.pid())
	if a.headless {
		r.awaitLeaderGone(a.pid())
	}
	a.proceed()
	ended := r.await(schema.KindExit, a.pid())
	r.pollLonger()
	var errs []error
	if n, m := len(r.of(schema.KindSpawn, a.pid())), len(r.of(schema.KindExit, a.pid())); n != 1 || m != 1 {
		errs = append(errs, fmt.Errorf("got %d spawns and %d exits, want one each", n, m))
	}
	if !see.codes {
		want = "unknown"
	}
	got := ending(ended)
	if !see.core {
		got, want = withoutCore(got), withoutCore(want)
	}
	if got != want {
		errs = append(errs, fmt.Errorf("got %s, want %s", got, want))
	}
	if ended.Source != see.source {
		errs = append(errs, fmt.Errorf("got source %s, want %s", ended.Source, see.source))
	}
	if began.PPID != schema.Some(int64(os.Getpid())) || ended.StartTicks != began.StartTicks || began.StartTicks == 0 {
		errs = append(errs, fmt.Errorf("got parent %v, start %d and %d, want our child, twice the same",
			began.PPID, began.StartTicks, ended.StartTicks))
	}
	// On a busy machine the kernel may tell too late what a process used: then that is said.
	if late := strings.Contains(ended.Details, "the kernel told too late"); see.usage && !late && (!ended.CPUMillis.Known || !ended.System.Known || ended.System.V > ended.CPUMillis.V || !ended.PeakRSS.Known || !ended.ReadKiB.Known || !ended.Lifetime.Known) {
		errs = append(errs, fmt.Errorf("got %+v, want usage in it", ended))
	}
	return errors.Join(errs...)
}

func withoutCore(ending string) string {
	ending, _, _ = strings.Cut(ending, " core")
	return ending
}

// awaitLeaderGone waits until the first thread of a process has ended, and was told of.
func (r *rig) awaitLeaderGone(pid int) {
	r.t.Helper()
	for deadline := time.Now().Add(within); ; {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)) // of the first thread, where procfs reads one that lives
		if err != nil {
			r.t.Fatal(err)
		}
		if bytes.Contains(stat, []byte(") Z ")) {
			break
		}
		if time.Now().After(deadline) {
			r.t.Fatal("the first thread does not end")
		}
	}
	r.observe()
	r.take(math.MaxInt64) // a source that takes it for the end tells of it now
}

// Control: who takes the end of the first thread for that of the process is found out.
func TestExact_NaiveDecisionFails(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	exact(t, func(t *testing.T, r *rig, see expectation) {
		if see.kind == KindBPF {
			t.Skip("SKIPPED: the kernel tells which end is the process's")
		}
		r.Source.(*Exact).tracker.ended = func(p *process) bool { return p.leaderGone }
		if err := r.followToEnd(startRole(t, "leader exits first"), see, "code 5"); err == nil {
			t.Error("the wrong end went unnoticed")
		} else {
			t.Log(err)
		}
	})
}

// A daemon forks twice and is in a session of its own. Each process is told with the parent that forked it, its spawn
// after that of its parent.
func TestExact_Daemon(t *testing.T) {
	if _, err := exec.LookPath("setsid"); err != nil {
		t.Skip("SKIPPED: no setsid here")
	}
	exact(t, func(t *testing.T, r *rig, _ expectation) {
		a := start(t, `exec 3<&0; (setsid sh -c 'read x <&3; exit 9' >&- & echo $!); exit 3`)
		daemon := a.number()
		a.wait()
		spawned := r.await(schema.KindSpawn, daemon)
		between := int(spawned.PPID.Or(0))
		if parent := r.await(schema.KindSpawn, between).PPID; parent != schema.Some(int64(a.pid())) {
			t.Errorf("got %v as the parent's parent, want %d", parent, a.pid())
		}
		for pid, want := range map[int]string{between: "code 0", a.pid(): "code 3"} {
			if got := ending(r.await(schema.KindExit, pid)); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		a.stdin.Close()
		ended := r.await(schema.KindExit, daemon)
		if got := ending(ended); got != "code 9" || ended.PPID != spawned.PPID {
			t.Errorf("got %s and parent %v, want code 9 and %v", got, ended.PPID, spawned.PPID)
		}
		if pid := startless(r.told); pid != 0 {
			t.Errorf("the end of process %d was told before its start", pid)
		}
	})
}

// Two processes that have the same pid, one right after the other, are two.
func TestExact_PidReused(t *testing.T) {
	const lastPID = "/proc/sys/kernel/ns_last_pid" // man proc_sys_kernel(5)
	exact(t, func(t *testing.T, r *rig, _ expectation) {
		first := start(t, "exit 1")
		first.wait()
		for deadline := time.Now().Add(within); ; {
			if err := os.WriteFile(lastPID, []byte(strconv.Itoa(first.pid()-1)), 0); err != nil {
				t.Skipf("SKIPPED: cannot choose the next pid: %v", err)
			}
			second := start(t, "exit 2")
			second.wait()
			if second.pid() == first.pid() {
				break
			}
			if time.Now().After(deadline) {
				t.Skip("SKIPPED: others always take the pid")
			}
		}
		r.pollLonger()
		var lives []string
		for _, o := range r.told {
			if o.Event.PID != first.pid() || o.Event.PPID != schema.Some(int64(os.Getpid())) {
				continue // others may have had it in between
			}
			word := "spawn"
			if o.Kind == schema.KindExit {
				word = ending(o.Event)
			}
			lives = append(lives, word)
		}
		if want := []string{"spawn", "code 1", "spawn", "code 2"}; !slices.Equal(lives, want) {
			t.Errorf("got %q, want %q", lives, want)
		}
	})
}

func TestExact_CommandIsThatAfterTheExec(t *testing.T) {
	exact(t, func(t *testing.T, r *rig, _ expectation) {
		a := start(t, "read x; exit 0")
		if got, want := r.await(schema.KindSpawn, a.pid()).Command, "/bin/sh -c read x; exit 0"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestExact_CloseClosesAll(t *testing.T) {
	open := func() int {
		fds, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(fds)
	}
	before := open()
	for _, kind := range []SourceKind{KindTaskstats, KindConnector} {
		source, _, err := Open(Config{Describe: describeNothing}, []SourceKind{kind})
		if err != nil {
			t.Skip("SKIPPED: ", err)
		}
		if err := source.Close(); err != nil {
			t.Error(err)
		}
	}
	if after := open(); after != before {
		t.Errorf("got %d descriptors, want %d", after, before)
	}
}

func describeNothing(int) (Description, bool) { return Description{}, false }

func TestIsAlive(t *testing.T) {
	a := start(t, "read x")
	if !isAlive(a.pid()) {
		t.Error("one that waits is not alive")
	}
	a.stdin.Close()
	for deadline := time.Now().Add(within); isAlive(a.pid()); { // a zombie: nobody waits for it
		if time.Now().After(deadline) {
			t.Fatal("a zombie is alive")
		}
	}
	if err := unix.Kill(a.pid(), 0); err != nil {
		t.Errorf("it was no zombie: %v", err)
	}
	a.wait()
	if isAlive(a.pid()) {
		t.Error("one that is gone is alive")
	}
}
