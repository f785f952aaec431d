package lifecycle_test

import (
	"fmt"
	"os"
	"os/signal"
	"reflect"
	"slices"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/proctape/proctape/producer/lifecycle"
	"github.com/proctape/proctape/schema"
)

func TestMain(m *testing.M) {
	if signal.Ignored(syscall.SIGHUP) { // under nohup: what the tests start would ignore it too
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	}
	goleak.VerifyTestMain(m)
}

const (
	second = int64(time.Second)
	tick   = second / schema.TicksPerSecond
	epoch  = 1_700_000_000 * second // wall time of the boot in these tests
)

// scan is the process table so long after boot, on clocks that agree.
func scan(boot time.Duration, procs ...schema.Process) lifecycle.Scan {
	return lifecycle.Scan{Wall: epoch + int64(boot), Boot: int64(boot), Processes: procs}
}

// proc is a process with the least that identifies it.
func proc(pid int, start uint64) schema.Process {
	return schema.Process{PID: pid, PPID: 1, StartTicks: start, State: "S", Command: fmt.Sprintf("p%d", pid)}
}

// brief puts an occurrence into a word: +pid@start or -pid@start.
func brief(o schema.KindedEvent) string {
	sign := map[schema.Kind]string{schema.KindSpawn: "+", schema.KindExit: "-"}[o.Kind]
	return fmt.Sprintf("%s%d@%d", sign, o.Event.PID, o.Event.StartTicks)
}

func briefs(occurred []schema.KindedEvent) []string {
	var out []string
	for _, o := range occurred {
		out = append(out, brief(o))
	}
	return out
}

// show shows d a scan and takes what it found.
func show(d *lifecycle.Diff, l lifecycle.Scan) []schema.KindedEvent {
	d.Observe(l)
	occurred, _ := d.Take(0)
	return occurred
}

func TestDiff_Events(t *testing.T) {
	tests := map[string]struct {
		scans [][]schema.Process
		want  [][]string
	}{
		"the first scan only learns": {
			scans: [][]schema.Process{{proc(1, 0), proc(7, 50)}},
			want:  [][]string{nil},
		},
		"nothing changed": {
			scans: [][]schema.Process{{proc(1, 0)}, {proc(1, 0)}},
			want:  [][]string{nil, nil},
		},
		"a start": {
			scans: [][]schema.Process{{proc(1, 0)}, {proc(1, 0), proc(7, 50)}},
			want:  [][]string{nil, {"+7@50"}},
		},
		"an end": {
			scans: [][]schema.Process{{proc(1, 0), proc(7, 50)}, {proc(1, 0)}},
			want:  [][]string{nil, {"-7@50"}},
		},
		"an end is told once": {
			scans: [][]schema.Process{{proc(1, 0), proc(7, 50)}, {proc(1, 0)}, {proc(1, 0)}},
			want:  [][]string{nil, {"-7@50"}, nil},
		},
		"a pid that is another process's is an end, then a start": {
			scans: [][]schema.Process{{proc(7, 50)}, {proc(7, 60)}},
			want:  [][]string{nil, {"-7@50", "+7@60"}},
		},
		"ends in the order of pids, then starts in the order of pids": {
			scans: [][]schema.Process{
				{proc(1, 0), proc(3, 1), proc(5, 1), proc(9, 1)},
				{proc(1, 0), proc(2, 8), proc(5, 9), proc(30, 7)},
			},
			want: [][]string{nil, {"-3@1", "-5@1", "-9@1", "+2@8", "+5@9", "+30@7"}},
		},
		"an empty first scan is a scan": {
			scans: [][]schema.Process{{}, {proc(1, 0)}},
			want:  [][]string{nil, {"+1@0"}},
		},
		"all end": {
			scans: [][]schema.Process{{proc(1, 0), proc(2, 0)}, {}},
			want:  [][]string{nil, {"-1@0", "-2@0"}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := lifecycle.NewDiff()
			for i, procs := range tt.scans {
				got := briefs(show(d, scan(time.Duration(i+1)*time.Second, procs...)))
				if !slices.Equal(got, tt.want[i]) {
					t.Errorf("scan %d: got %v, want %v", i, got, tt.want[i])
				}
			}
		})
	}
}

// A Diff is a source: what scans show waits until it is taken, is taken once, and there is nothing else to it.
func TestDiff_IsASource(t *testing.T) {
	var d lifecycle.Source = lifecycle.NewDiff()
	if d.Kind() != lifecycle.KindDiff {
		t.Errorf("got kind %q", d.Kind())
	}
	d.Observe(scan(1*time.Second, proc(1, 0)))
	d.Observe(scan(2*time.Second, proc(1, 0), proc(7, 150)))
	if lossy, err := d.Poll(); lossy || err != nil {
		t.Errorf("poll: got %t, %v", lossy, err)
	}
	d.Observe(scan(3*time.Second, proc(1, 0)))
	occurred, gaps := d.Take(0)
	if got, want := briefs(occurred), []string{"+7@150", "-7@150"}; !slices.Equal(got, want) || gaps != nil {
		t.Errorf("got %v and gaps %v, want %v", got, gaps, want)
	}
	if again, _ := d.Take(0); again != nil {
		t.Errorf("taken again: got %v", briefs(again))
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

func TestDiff_SpawnIsAtTheProcessesOwnStart(t *testing.T) {
	d := lifecycle.NewDiff()
	d.Observe(scan(10 * time.Second))
	p := schema.Process{
		PID: 7, PPID: 3, StartTicks: 1234, UID: schema.Some(int64(1000)), Command: "make all",
		JobID: "job", Sheet: schema.Some(int64(4)), CPUMillis: 90, ReadKiB: schema.Some(int64(1)),
	}
	got := show(d, scan(15*time.Second, p))
	want := []schema.KindedEvent{{Kind: schema.KindSpawn, Event: schema.Event{
		Wall: epoch + 1234*tick, Boot: 1234 * tick, PID: 7, PPID: schema.Some(int64(3)), StartTicks: 1234,
		UID: schema.Some(int64(1000)), Command: "make all", JobID: "job", Sheet: schema.Some(int64(4)),
		Source: "proc-diff", Details: "seen by comparing two scans of /proc",
	}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestDiff_ExitHasTheWholeCPUAndSaysWhatIsUnknown(t *testing.T) {
	d := lifecycle.NewDiff()
	p := schema.Process{
		PID: 7, PPID: 3, StartTicks: 1234, UID: schema.Some(int64(0)), Command: "make all", JobID: "job",
		Sheet: schema.Some(int64(4)), CPUMillis: 81_500, ReadKiB: schema.Some(int64(12)),
	}
	d.Observe(scan(20*time.Second, p))
	got := show(d, scan(25*time.Second+4*time.Millisecond))
	want := []schema.KindedEvent{{Kind: schema.KindExit, Event: schema.Event{
		Wall: epoch + 25_004_000_000, Boot: 25_004_000_000, PID: 7, PPID: schema.Some(int64(3)), StartTicks: 1234,
		UID: schema.Some(int64(0)), Command: "make all", JobID: "job", Sheet: schema.Some(int64(4)),
		CPUMillis: schema.Some(int64(81_500)), ReadKiB: schema.Some(int64(12)), Source: "proc-diff",
		Within:  schema.Some[int64](5004),
		Details: "ended in the last 5s, seen by comparing two scans of /proc; exit code unknown",
	}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// The interval is that since the scan before, not since the process was first seen.
func TestDiff_ExitIntervalIsThatOfTheLastScan(t *testing.T) {
	d := lifecycle.NewDiff()
	d.Observe(scan(10*time.Second, proc(7, 1)))
	d.Observe(scan(20*time.Second, proc(7, 1)))
	got := show(d, scan(20*time.Second+250*time.Millisecond))
	const want = "ended in the last 250ms, seen by comparing two scans of /proc; exit code unknown"
	if len(got) != 1 || got[0].Event.Details != want {
		t.Errorf("got %+v, want one exit with details %q", got, want)
	}
}

// tables draws a series of process tables: few pids, so that they are used again, each with one of few starts.
func tables() *rapid.Generator[[][]schema.Process] {
	table := rapid.Custom(func(t *rapid.T) []schema.Process {
		var procs []schema.Process
		for pid := 1; pid <= 8; pid++ {
			if start := rapid.Uint64Range(0, 3).Draw(t, "start"); start > 0 {
				procs = append(procs, proc(pid, start))
			}
		}
		return procs
	})
	return rapid.SliceOfN(table, 1, 12)
}

// Whatever the scans show: those that were there first, and the spawns, and less the exits, are those that are
// alive, after every scan; nobody starts who is alive or ends who is not; and each event can be published.
func TestDiff_SpawnsLessExitsAreAlive(t *testing.T) {
	type id struct {
		pid   int
		start uint64
	}
	rapid.Check(t, func(t *rapid.T) {
		d := lifecycle.NewDiff()
		alive := map[id]bool{}
		for i, procs := range tables().Draw(t, "scans") {
			now := map[id]bool{}
			for _, p := range procs {
				now[id{p.PID, p.StartTicks}] = true
			}
			occurred := show(d, scan(time.Duration(i+1)*time.Second, procs...))
			if i == 0 {
				if len(occurred) != 0 {
					t.Fatalf("first scan: got %v, want nothing", briefs(occurred))
				}
				alive = now
				continue
			}
			for _, o := range occurred {
				who := id{o.Event.PID, o.Event.StartTicks}
				switch starts := o.Kind == schema.KindSpawn; {
				case starts == alive[who]:
					t.Fatalf("scan %d: got %s of one that is alive: %t", i, brief(o), alive[who])
				case starts:
					alive[who] = true
				default:
					delete(alive, who)
				}
				for other := range alive {
					if o.Kind == schema.KindSpawn && other.pid == who.pid && other != who {
						t.Fatalf("scan %d: %s while pid %d is still process %d's", i, brief(o), who.pid, other.start)
					}
				}
				publishable(t, o)
			}
			if !reflect.DeepEqual(alive, now) {
				t.Fatalf("scan %d: got %v alive, want %v", i, alive, now)
			}
		}
	})
}

func publishable(t *rapid.T, o schema.KindedEvent) {
	m := schema.Message{
		Envelope: schema.Envelope{Version: schema.Version, Kind: o.Kind, Host: "h", BootID: "b", Instance: schema.Instance{1}, Seq: 1, Wall: 1},
		Events:   []schema.Event{o.Event},
	}
	if err := m.Validate(); err != nil {
		t.Fatalf("%s cannot be published: %v", brief(o), err)
	}
}

func TestDiff_SameScansGiveTheSameEvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := lifecycle.NewDiff(), lifecycle.NewDiff()
		for i, procs := range tables().Draw(t, "scans") {
			l := scan(time.Duration(i+1)*time.Second, procs...)
			if got, want := show(a, l), show(b, l); !reflect.DeepEqual(got, want) {
				t.Fatalf("scan %d: got %v, want %v", i, briefs(got), briefs(want))
			}
		}
	})
}
