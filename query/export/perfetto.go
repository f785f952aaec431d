package export

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/proctape/proctape/query"
)

// Perfetto writes a trace for https://ui.perfetto.dev, in its own protobuf. Each host is a track, with counters of its CPU and memory, and tracks for its gaps, its
// jobs with their runs and steps, its deaths, and its processes, each below the one that bore it, with counters of its own. It keeps in memory what lives, not what
// has lived.
type Perfetto struct {
	packets
	from, until float64
	hosts       map[string]*hostTracks
	fleet       uint64
	jobs        map[string]uint64 // by host and name
	gaps        []query.Gap
	coverage    []query.Coverage
}

// NewPerfetto makes a writer of a trace.
func NewPerfetto(w io.Writer) *Perfetto {
	return &Perfetto{packets: packets{w: w}, hosts: map[string]*hostTracks{}, jobs: map[string]uint64{}}
}

// Begin writes the clock, and how much is known of each host.
func (p *Perfetto) Begin(h *Head) error {
	p.from, p.until, p.coverage = h.Since, h.Until, h.Coverage
	if p.from == 0 {
		p.from = p.until
		for i := range h.Coverage {
			p.from = min(p.from, h.Coverage[i].From)
		}
	}
	if err := p.clocks(p.from); err != nil {
		return err
	}
	for i := range h.Coverage {
		c := &h.Coverage[i]
		host, err := p.host(c.Host)
		if err != nil {
			return err
		}
		notes := []note{{"snapshots_percent", c.Snapshots}, {"starts_and_ends_percent", c.Events}, {"cpu_percent", c.CPU}, {"io_percent", c.IO}}
		if line := query.Incomplete([]query.Coverage{*c}); line != "" {
			notes = append(notes, note{"incomplete", line})
		}
		if err := p.slice(host.track, fmt.Sprintf("%.1f%% of this is known", c.Percent), c.From, c.To, notes...); err != nil {
			return err
		}
	}
	return nil
}

// Gap keeps a gap until all are there: a track has slices that do not overlap.
func (p *Perfetto) Gap(g *query.Gap) error {
	p.gaps = append(p.gaps, *g)
	return nil
}

// Run writes a run and its steps, each on a track of its own below that of its job.
func (p *Perfetto) Run(r *query.Run) error {
	job, err := p.job(r)
	if err != nil {
		return err
	}
	name := fmt.Sprintf("%s run %d", r.JobID, r.Number)
	of, err := p.describe(track{name: name, parent: job, order: byRank})
	if err != nil {
		return err
	}
	notes := append(endNotes(r.ExitCode, r.Signal), totalNotes(&r.Totals)...)
	if r.Command != nil {
		notes = append(notes, note{"command", *r.Command})
	}
	if err := p.slice(of, name, r.Started, p.end(r.Ended), notes...); err != nil {
		return err
	}
	for i := range r.Steps {
		s := &r.Steps[i]
		if s.Started == nil {
			continue
		}
		step := fmt.Sprintf("step %d", s.Sheet)
		of, err := p.describe(track{name: step, parent: of, rank: i + 1})
		if err != nil {
			return err
		}
		if err := p.slice(of, step, *s.Started, p.end(s.Ended), append(endNotes(s.ExitCode, s.Signal), totalNotes(&s.Totals)...)...); err != nil {
			return err
		}
	}
	return nil
}

// Event writes a start or an end.
func (p *Perfetto) Event(e *query.Event) error {
	if err := p.drawGaps(); err != nil {
		return err
	}
	host, err := p.host(e.Host)
	if err != nil {
		return err
	}
	return host.event(e)
}

// Exec marks that a process began to execute another program.
func (p *Perfetto) Exec(e *query.Exec) error {
	if err := p.drawGaps(); err != nil {
		return err
	}
	host, err := p.host(e.Host)
	if err != nil {
		return err
	}
	return host.exec(e)
}

// Snapshot writes what processes used, where it is other than before.
func (p *Perfetto) Snapshot(s *query.Snapshot) error {
	if err := p.drawGaps(); err != nil {
		return err
	}
	host, err := p.host(s.Host)
	if err != nil {
		return err
	}
	return host.snapshot(s)
}

// End ends what lives.
func (p *Perfetto) End() error {
	if err := p.drawGaps(); err != nil {
		return err
	}
	for _, name := range sortedKeys(p.hosts) {
		if err := p.hosts[name].end(p.until); err != nil {
			return err
		}
	}
	return nil
}

// drawGaps writes the gaps, each on the first track of its host that is free then. One of no host is on a track of its own.
func (p *Perfetto) drawGaps() error {
	gaps := p.gaps
	p.gaps = nil
	extent := func(g *query.Gap) (from, to float64) {
		to = min(cmp.Or(deref(g.To), deref(g.From), g.Timestamp), p.until)
		if g.To == nil && g.From != nil {
			to = min(g.Timestamp, p.until)
		}
		return min(max(cmp.Or(deref(g.From), to), p.from), p.until), to
	}
	slices.SortStableFunc(gaps, func(a, b query.Gap) int {
		x, _ := extent(&a)
		y, _ := extent(&b)
		return cmp.Compare(x, y)
	})
	type row struct {
		of   uint64
		free float64
	}
	rows := map[string][]row{}
	for i := range gaps {
		g := &gaps[i]
		from, to := extent(g)
		mine := rows[g.Host]
		at := slices.IndexFunc(mine, func(r row) bool { return r.free <= from })
		if at < 0 {
			of, err := p.gapTrack(g.Host, len(mine)+1)
			if err != nil {
				return err
			}
			at, mine = len(mine), append(mine, row{of: of})
		}
		mine[at].free = math.Nextafter(max(to, from), math.Inf(1))
		rows[g.Host] = mine
		notes := []note{{"details", g.Details}, {"stream", g.Stream}}
		if g.Count != nil {
			notes = append(notes, note{"count", *g.Count})
		}
		if err := p.slice(mine[at].of, string(g.Kind), from, to, notes...); err != nil {
			return err
		}
	}
	return nil
}

// gapTrack makes a track for gaps.
func (p *Perfetto) gapTrack(host string, number int) (uint64, error) {
	t := track{name: "gaps", rank: 4}
	if number > 1 {
		t.name = fmt.Sprintf("gaps %d", number)
	}
	if host != "" {
		h, err := p.host(host)
		if err != nil {
			return 0, err
		}
		t.parent = h.track
	}
	return p.describe(t)
}

// job is the track of a run's job.
func (p *Perfetto) job(r *query.Run) (uint64, error) {
	key := r.Host + "\x00" + r.JobID
	if p.jobs[key] != 0 {
		return p.jobs[key], nil
	}
	t := track{name: "job " + r.JobID, rank: 5, order: byTime}
	if r.Host != "" {
		h, err := p.host(r.Host)
		if err != nil {
			return 0, err
		}
		t.parent = h.track
	} else if p.fleet == 0 {
		of, err := p.describe(track{name: "jobs of the fleet", order: byRank})
		if err != nil {
			return 0, err
		}
		p.fleet = of
	}
	t.parent = cmp.Or(t.parent, p.fleet)
	of, err := p.describe(t)
	p.jobs[key] = of
	return of, err
}

// host is a host's tracks.
func (p *Perfetto) host(name string) (*hostTracks, error) {
	if h := p.hosts[name]; h != nil {
		return h, nil
	}
	h, err := newHostTracks(&p.packets, name, p.from)
	p.hosts[name] = h
	return h, err
}

// slice writes a slice, of it what lies in the range.
func (p *Perfetto) slice(of uint64, name string, from, to float64, notes ...note) error {
	begin := min(max(from, p.from), p.until)
	if err := p.event(begin, sliceBegin, of, name, notes...); err != nil {
		return err
	}
	return p.packets.event(max(begin, min(to, p.until)), sliceEnd, of, "")
}

// end is when something ended; the end of the range while it goes on.
func (p *Perfetto) end(at *float64) float64 {
	if at == nil {
		return p.until
	}
	return *at
}
