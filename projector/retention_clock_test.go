package projector

import (
	"fmt"
	"testing"
	"time"

	"github.com/proctape/proctape/projector/retention"
	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/metric"
)

// What a clock may do. Retention's machine is the one that the first host is on; the other's clock is right.
type clockStory struct {
	name string
	at   func(round int, w *world, h *simHost) // before each round
	// The control: how the same story ends for a retention that goes by what the wall clock says.
	believe func(*world, *kept)
}

const years = 4 * 365 * day

var clockStories = []clockStory{
	{"all is well", func(int, *world, *simHost) {}, nil},
	{"retention's clock is set forward", func(round int, w *world, h *simHost) {
		if round == 4 {
			w.set(func(r *retention.Reading) { r.Wall += years })
		}
	}, believeTheMachine},
	{"the machine's clock is set forward", func(round int, w *world, h *simHost) {
		if round == 4 {
			w.set(func(r *retention.Reading) { r.Wall += years })
			h.wall += years
		}
	}, believeTheMachine},
	{"the machine's clock is set forward and back", func(round int, w *world, h *simHost) {
		if round == 4 || round == 6 {
			step := years * int64(5-round)
			w.set(func(r *retention.Reading) { r.Wall += step })
			h.wall += step
		}
	}, nil},
	{"the machine's clock is set back", func(round int, w *world, h *simHost) {
		if round == 4 {
			w.set(func(r *retention.Reading) { r.Wall -= years })
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
func believeTheMachine(w *world, d *kept) {
	w.set(func(r *retention.Reading) { r.Wall, r.Synced = r.Wall+years, true })
	d.retain()
}

// believeTheHosts makes a pass that goes by the hosts' wall times alone.
func believeTheHosts(w *world, d *kept) {
	d.exec(`DELETE FROM rosters`) // which have the boot clocks
	d.retain()
}

// Whatever a wall clock does, nothing goes that is younger than its limit by the time that went by, and what is older
// goes as long as its host lives.
func TestRetention_NoClockDeletesEarly(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	for i, story := range clockStories {
		t.Run(story.name, func(t *testing.T) {
			if testing.Short() && i > 1 {
				t.Skip("SKIPPED: one of the clocks that make test has")
			}
			t.Parallel()
			w := newWorld(t)
			subject, witness := w.host("subject"), w.host("witness")
			d := w.open("live", short)
			for round := range 11 {
				story.at(round, w, subject)
				w.run(2*minute, 40*second, steady, subject, witness)
				d.settle()
				d.retain()
				within, beyond := w.within(short.Policy.FullResolution)
				wantNone(t, fmt.Sprint("snapshots that went early, round ", round), earlyGone(t, d.read, within))
				if round > 2 {
					late, _ := w.within(short.Policy.FullResolution + 2*time.Minute)
					wantNone(t, fmt.Sprint("snapshots that stayed, round ", round), overdue(t, d.read, beyond[:len(w.sent)-len(late)]))
				}
				wantNone(t, fmt.Sprint("snapshots that are not accounted for, round ", round), unaccounted(t, d.read, w.sent))
				wantNone(t, fmt.Sprint("jobs, round ", round), wrongJobs(t, d, w.sent))
				wantNone(t, fmt.Sprint("books, round ", round), d.rows(`SELECT kind, details FROM gaps WHERE kind = 'before_log'`))
			}
			if story.believe != nil {
				within, _ := w.within(short.Policy.FullResolution)
				story.believe(w, d)
				wantSome(t, "a retention that believes the wall clock", earlyGone(t, d.read, within))
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
func wrongJobs(t testing.TB, d *kept, sent []*schema.Message) (wrong []string) {
	t.Helper()
	want := map[string]int64{}
	for _, m := range sent {
		if m.Kind == schema.KindSnapshot {
			for row := range m.Snapshot.Processes.Len() {
				want[m.Snapshot.Processes.Text(metric.JobID, row)]++
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
