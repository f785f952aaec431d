package lifecycle

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/schema"
)

// soak is set by make soak: the long campaigns.
var soak = os.Getenv("PROCTAPE_SOAK") != ""

// Children that live for a moment are all told, with their codes, or their loss is.
func TestExact_EveryChildOfAFlood(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long campaign, which make test runs")
	}
	children := 5 * 256 // each code five times
	if soak {
		children = 5000
	}
	exact(t, func(t *testing.T, r *rig, see expectation) {
		f := startRole(t, "forker")
		began := time.Now()
		fmt.Fprintln(f.stdin, children, 0)
		forked := r.await(schema.KindExit, f.pid()) // polls meanwhile
		took := time.Since(began)
		f.wait()
		r.pollLonger()
		if got := ending(forked); got != "code 0" {
			t.Fatalf("the forker ended with %s", got)
		}
		lost := r.lost(schema.GapEventsLost)
		spawned, histogram, exits := r.childrenOf(f.pid())
		t.Logf("%d children in %s, %d events lost", children, took.Round(time.Millisecond), lost)
		if len(r.gaps) > 0 {
			if exits > children || int64(exits)+lost < int64(children) {
				t.Errorf("got %d exits and %d lost, want %d in all", exits, lost, children)
			}
			return
		}
		if spawned != children || exits != children {
			t.Errorf("got %d spawns and %d exits, want %d", spawned, exits, children)
		}
		for code := range 256 {
			want := children / 256
			if code < children%256 {
				want++
			}
			if got := histogram["code "+strconv.Itoa(code)]; got != want {
				t.Errorf("got code %d %d times, want %d", code, got, want)
			}
		}
		if pid := startless(r.told); pid != 0 {
			t.Errorf("the end of process %d was told before its start", pid)
		}
	})
}

// startless is a process whose end was told before its start; 0 for none. Which of two processes' events comes first may
// differ from the kernel's clock on a machine that is too slow to read all its processors' events in time.
func startless(told []schema.KindedEvent) (pid int) {
	ended := map[int]uint64{}
	for _, o := range told {
		switch e := o.Event; {
		case o.Kind == schema.KindExit:
			ended[e.PID] = e.StartTicks
		case ended[e.PID] == e.StartTicks && e.StartTicks != 0:
			return e.PID
		}
	}
	return 0
}

// childrenOf counts the spawns and exits of the children of a process.
func (r *rig) childrenOf(parent int) (spawned int, endings map[string]int, exits int) {
	endings = map[string]int{}
	for _, o := range r.told {
		switch {
		case o.Event.PPID != schema.Some(int64(parent)):
		case o.Kind == schema.KindSpawn:
			spawned++
		case o.Kind == schema.KindExit:
			exits++
			endings[ending(o.Event)]++
		}
	}
	return spawned, endings, exits
}

// What is lost when nobody reads is told, and scans of /proc find who lives and who does not.
func TestExact_StalledReader(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	for _, see := range kindsSee[:2] {
		t.Run(string(see.kind), func(t *testing.T) {
			r := newRig(t, func(cfg Config) (Source, error) { return openExact(cfg, see.kind, 64<<10) })
			onEachCPU(t, func() { start(t, "exit 0").wait() }) // from which on the CPU's events are counted
			old := start(t, "read x; exit 4")
			r.await(schema.KindSpawn, old.pid())

			old.proceed() // from here on nobody reads
			f := startRole(t, "forker")
			fmt.Fprintln(f.stdin, 500, 0)
			f.wait()
			young := start(t, "read x; exit 8")
			lossy, err := r.Poll()
			if !lossy || err != nil {
				t.Fatalf("got %t, %v, want a loss", lossy, err)
			}
			r.observe()
			r.observe()
			r.take(math.MaxInt64)
			if n := len(r.of(schema.KindSpawn, young.pid())); n != 1 {
				t.Errorf("got %d spawns of one that lives, want 1", n)
			}
			if n := len(r.of(schema.KindExit, old.pid())); n != 1 {
				t.Errorf("got %d exits of one that has ended, want 1", n)
			}
			young.proceed()
			// Others' processes may fill the small buffer again.
			if e := r.await(schema.KindExit, young.pid()); ending(e) != "code 8" && e.Source != SourceScan {
				t.Errorf("got %s, want code 8", ending(e))
			}
			r.pollLonger()
			spawned, _, exits := r.childrenOf(f.pid())
			if spawned > 500 || exits > 500 {
				t.Errorf("got %d spawns and %d exits of 500", spawned, exits)
			}
			onEachCPU(t, func() { start(t, "exit 0").wait() }) // which tells what the CPU lost
			r.poll()
			r.take(math.MaxInt64)
			if lost := r.lost(schema.GapEventsLost); lost < int64(2*500-2*spawned) { // each child has two events
				t.Errorf("got %d spawns and %d events lost, want all of 1000 events accounted for", spawned, lost)
			}
		})
	}
}

// onEachCPU calls f once on each CPU that we may run on.
func onEachCPU(t *testing.T, f func()) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		t.Fatal(err)
	}
	defer unix.SchedSetaffinity(0, &all)
	for cpu := range len(all) * 64 {
		var one unix.CPUSet
		if !all.IsSet(cpu) {
			continue
		}
		one.Set(cpu)
		if err := unix.SchedSetaffinity(0, &one); err != nil {
			t.Fatal(err)
		}
		f()
	}
}
