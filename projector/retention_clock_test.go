package projector

import (
	"fmt"
	"testing"
	"time"

	"github.com/proctape/proctape/schema"
)

// What a clock may do. Retention's machine is the one that the first host is on; the other's clock is right.
type clockStory struct {
	name string
	at   func(round int, w *world, h *simHost) // before each round
	// The control: how the same story ends for a retention that goes by what the wall clock says.
	believe func(*world, *database)
}

const years = 4 * 365 * day

var clockStories = []clockStory{
	{"all is well", func(int, *world, *simHost) {}, nil},
	{"retention's clock is set forward", func(round int, w *world, h *simHost) {
		if round == 4 {
			w.set(func(r *reading) { r.wall += years })
		}
	}, believeTheMachine},
	{"the machine's clock is set forward", func(round int, w *world, h *simHost) {
		if round == 4 {
			w.set(func(r *reading) { r.wall += years })
			h.wall += years
		}
	}, believeTheMachine},
	{"the machine's clock is set forward and back", func(round int, w *world, h *simHost) {
		if round == 4 || round == 6 {
			step := years * int64(5-round)
			w.set(func(r *reading) { r.wall += step })
			h.wall += step
		}
	}, nil},
	{"the machine's clock is set back", func(round int, w *world, h *simHost) {
		if round == 4 {
			w.set(func(r *reading) { r.wall -= years })
			h.wall -= years
		}
	}, nil},
	{"a host's clock is set forward and back", func(round int, w *world, h *simHost) {
		if round == 4 || round == 6 {
			h.wall += years * int64(5-round)
		}
	}, nil},
	{"a host's clock is behind and is set right", func(round int, w *world, h *simHost) {
		switch round {
		case 0:
			h.wall -= years
		case 6:
			h.wall += years
		}
	}, nil},
	{"a host's clock is behind", func(round int, w *world, h *simHost) {
		if round == 0 {
			h.wall -= years
		}
	}, believeTheHosts},
	{"a host's clock is ahead", func(round int, w *world, h *simHost) {
		if round == 0 {
			h.wall += years
		}
	}, nil},
}

// believeTheMachine makes a pass with a wall clock that is wrong and that the kernel vouches for.
func believeTheMachine(w *world, d *database) {
	w.set(func(r *reading) { r.wall, r.synced = r.wall+years, true })
	d.retain()
}

// believeTheHosts deletes snapshots by their wall times.
func believeTheHosts(w *world, d *database) {
	if err := d.r.readAges(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	d.r.ages.newest = nil
	if err := d.r.expireSnapshots(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// Whatever a wall clock does, nothing goes that is younger than its limit by the time that went by, and what is older
// goes as long as its host lives.
func TestRetention_NoClockDeletesEarly(t *testing.T) {
	for _, story := range clockStories {
		t.Run(story.name, func(t *testing.T) {
			w := newWorld(t)
			subject, witness := w.host("subject"), w.host("witness")
			d := w.open("live", short)
			for round := range 11 {
				story.at(round, w, subject)
				w.run(2*minute, 40*second, steady, subject, witness)
				d.settle()
				d.retain()
				within, beyond := w.within(short.Policy.FullResolution)
				wantNone(t, fmt.Sprint("snapshots that went early, round ", round), earlyGone(t, d.r.db, within))
				if round > 2 {
					late, _ := w.within(short.Policy.FullResolution + 2*time.Minute)
					wantNone(t, fmt.Sprint("snapshots that stayed, round ", round), overdue(t, d.r.db, beyond[:len(w.sent)-len(late)]))
				}
				wantNone(t, fmt.Sprint("snapshots that are not accounted for, round ", round), unaccounted(t, d.r.db, w.sent))
				wantNone(t, fmt.Sprint("jobs, round ", round), wrongJobs(t, d, w.sent))
				wantNone(t, fmt.Sprint("books, round ", round), d.rows(`SELECT reason, details FROM gaps WHERE reason = 'before the log'`))
			}
			if story.believe != nil {
				within, _ := w.within(short.Policy.FullResolution)
				story.believe(w, d)
				wantSome(t, "a retention that believes the wall clock", earlyGone(t, d.r.db, within))
			}
		})
	}
}

// steady is a host with a process that works, and one that is another at every look.
func steady(h *simHost) {
	p := h.procs[5]
	if p == nil {
		p = h.start(schema.Process{PID: 5, PPID: 1, JobID: "build-" + h.name, Sheet: schema.Some[int64](1)})
	}
	p.CPUMillis += 300
	n := int64(h.tick)
	p.CPUPermille, p.RSS = schema.Some(n%7*100), schema.Some(1000+n%11*50)
	pid := 100 + int(n%1000)
	delete(h.procs, pid-1)
	h.start(schema.Process{PID: pid, PPID: 5, JobID: "build-" + h.name, CPUPermille: schema.Some(n)})
}

// wrongJobs names jobs of which the database does not know all that was recorded of them.
func wrongJobs(t testing.TB, d *database, sent []*schema.Message) (wrong []string) {
	t.Helper()
	want := map[string]int64{}
	for _, m := range sent {
		if m.Kind == schema.KindSnapshot {
			for i := range m.Snapshot.Processes {
				want[m.Snapshot.Processes[i].JobID]++
			}
		}
	}
	for job, n := range want {
		if got := d.count(`SELECT coalesce(max(samples), 0) FROM jobs WHERE job_id = ?`, job); job != "" && got != n {
			wrong = append(wrong, fmt.Sprintf("%s: %d samples, want %d", job, got, n))
		}
	}
	return wrong
}

func TestClock_Advance(t *testing.T) {
	at := func(wall, boot int64, id string, synced bool) reading { return reading{wall, boot, id, synced} }
	before := clock{Now: 1000, Boot: 100, BootID: "a"}
	for _, tt := range []struct {
		name string
		from clock
		r    reading
		want int64
	}{
		{"never set", clock{}, at(1000, 100, "a", false), 1000},
		{"goes on", before, at(1050, 150, "a", false), 1050},
		{"drifts ahead", before, at(1060, 150, "a", false), 1050},
		{"drifts behind", before, at(1040, 150, "a", false), 1040},
		{"jumps ahead", before, at(9000, 150, "a", false), 1050},
		{"jumps ahead, and the kernel vouches for it", before, at(9000, 150, "a", true), 9000},
		{"jumps back", before, at(10, 150, "a", false), 10},
		{"jumps back, and the kernel vouches for it", before, at(10, 150, "a", true), 10},
		{"another boot", before, at(9000, 5, "b", false), 9000},
		{"another boot, set back", before, at(10, 5, "b", false), 10},
		{"stands still", before, at(1000, 100, "a", false), 1000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := clock{tt.want, tt.r.boot, tt.r.bootID}
			if got := tt.from.advance(tt.r); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

func TestAges_Of(t *testing.T) {
	a := ages{now: 10_000, newest: map[int64]sight{
		1: {bootID: "b", boot: 500, wall: 9_900},  // 100 ago
		2: {bootID: "b", boot: 500, wall: 99_000}, // its clock is ahead
	}}
	for _, tt := range []struct {
		name       string
		host       int64
		bootID     string
		boot, wall int64
		want       time.Duration
	}{
		{"in this boot", 1, "b", 200, 9_600, 400},
		{"in this boot, with a clock that was wrong", 1, "b", 200, 3, 400},
		{"the newest", 1, "b", 500, 9_900, 100},
		{"newer than the newest snapshot", 1, "b", 550, 9_950, 50},
		{"in another boot", 1, "a", 200, 9_600, 400},
		{"without a boot clock", 1, "b", 0, 9_000, 1000},
		{"a host whose clock is ahead", 2, "b", 200, 98_700, 300},
		{"a host that sent no snapshot", 3, "b", 200, 9_000, 1000},
		{"no host", 0, "", 0, 9_000, 1000},
		{"ahead of time", 3, "b", 200, 11_000, -1000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := a.of(tt.host, tt.bootID, tt.boot, tt.wall); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

func TestGoesOn(t *testing.T) {
	for _, tt := range []struct {
		moved, went time.Duration
		want        bool
	}{
		{10 * time.Minute, 10 * time.Minute, true},
		{10*time.Minute + 5*time.Second, 10 * time.Minute, true},
		{time.Second, time.Second, true},
		{time.Minute, time.Second, true}, // too short a time to tell
		{4 * time.Minute, 10 * time.Minute, false},
		{6 * time.Minute, 10 * time.Minute, true},
		{3 * time.Hour, 10 * time.Minute, false}, // what waited came all at once
		{0, 10 * time.Minute, false},
		{-time.Minute, 10 * time.Minute, false},
	} {
		if got := goesOn(tt.moved, tt.went); got != tt.want {
			t.Errorf("a clock that moved by %s in %s: got %t, want %t", tt.moved, tt.went, got, tt.want)
		}
	}
}
