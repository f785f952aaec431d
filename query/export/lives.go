package export

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/proctape/proctape/query"
)

// identity names a process of a host.
type identity struct{ pid, start int64 }

// life is a process that lives.
type life struct {
	of          uint64 // its track
	began       float64
	cpu, memory counter
	seen        uint64 // the last snapshot of its host that had it; 0 for none
}

// counter is a counter, and what it was told last.
type counter struct {
	of   uint64
	last float64
}

// hostTracks are the tracks of a host, and what lives on it.
type hostTracks struct {
	*packets
	from                     float64 // of the range
	track, processes, deaths uint64
	cpu, memory, load        counter
	lives                    map[identity]*life
	newest                   map[int64]identity // of a pid, the process that had it last; of those that live
	snapshots                uint64
}

// eventOnly is for how many seconds a process lives of which only the start was told, before a snapshot without it says that it ended.
const eventOnly = 60

func newHostTracks(p *packets, name string, from float64) (*hostTracks, error) {
	h := &hostTracks{packets: p, from: from, lives: map[identity]*life{}, newest: map[int64]identity{}}
	var err error
	if h.track, err = p.describe(track{name: name, order: byRank}); err != nil {
		return nil, err
	}
	h.processes, err = p.describe(track{name: "processes", parent: h.track, order: byTime, rank: 7})
	return h, err
}

// tell writes a counter where its value is another; its track is described when it has a value first.
func (h *hostTracks) tell(c *counter, at, value float64, t track) (err error) {
	if c.of == 0 {
		if c.of, err = h.describe(t); err != nil {
			return err
		}
	} else if c.last == value {
		return nil
	}
	c.last = value
	return h.count(at, c.of, value)
}

// event takes a start or an end.
func (h *hostTracks) event(e *query.Event) error {
	id := identity{e.PID, e.StartTicks}
	if h.lives[id] == nil && (e.Type == "spawn" || e.Type == "exit") {
		began := e.Timestamp
		if e.Type == "exit" {
			began -= deref(e.Lifetime)
		}
		if _, err := h.begin(id, h.trackOf(deref(e.PPID)), began, e.Command, about(e.JobID, e.Sheet, e.UID)); err != nil {
			return err
		}
	}
	switch e.Type {
	case "spawn":
		return nil
	case "exit":
		if err := h.noteDeath(e, outcome(e)); err != nil {
			return err
		}
		return h.finish(id, e.Timestamp, endOf(e)...)
	}
	return h.noteDeath(e, strings.ToUpper(e.Type))
}

// exec marks that a process began to execute another program, on its track. Of a process of which nothing else was told yet nothing is known to mark.
func (h *hostTracks) exec(e *query.Exec) error {
	l := h.lives[identity{e.PID, e.StartTicks}]
	if l == nil {
		return nil
	}
	command := deref(e.Command)
	return h.packets.event(e.Timestamp, instant, l.of, "exec "+name(command, e.PID), append([]note{{"command", command}}, about(e.JobID, e.Sheet, e.UID)...)...)
}

// noteDeath marks an end by a signal, or with another exit code than 0, on the host's track of deaths.
func (h *hostTracks) noteDeath(e *query.Event, what string) (err error) {
	if e.Signal == nil && deref(e.ExitCode) == 0 {
		return nil
	}
	if h.deaths == 0 {
		if h.deaths, err = h.describe(track{name: "deaths", parent: h.track, rank: 6}); err != nil {
			return err
		}
	}
	return h.packets.event(e.Timestamp, instant, h.deaths, fmt.Sprintf("%s: %s", name(e.Command, e.PID), what), endOf(e)...)
}

// snapshot takes what processes use.
func (h *hostTracks) snapshot(s *query.Snapshot) error {
	h.snapshots++
	byPID := map[int64]*query.Process{}
	for i := range s.Processes {
		byPID[s.Processes[i].PID] = &s.Processes[i]
	}
	cpu := 0.0
	for i := range s.Processes {
		p := &s.Processes[i]
		if p.Knows("cpu_percent") {
			cpu += p.CPUPercent
		}
		if err := h.sampled(s, p, byPID, 0); err != nil {
			return err
		}
	}
	for _, id := range h.those(func(l *life) bool { return l.seen < h.snapshots && (l.seen > 0 || l.began < s.Timestamp-eventOnly) }) {
		if err := h.finish(id, s.Timestamp, note{"end", "nobody saw it"}); err != nil {
			return err
		}
	}
	return h.hostCounters(s, cpu)
}

// hostCounters tells what a host uses.
func (h *hostTracks) hostCounters(s *query.Snapshot, cpu float64) error {
	if err := h.tell(&h.cpu, s.Timestamp, cpu, track{name: "CPU of the processes", parent: h.track, rank: 1, unit: "% of a core"}); err != nil {
		return err
	}
	if !slices.Contains(s.Unknown, "system_memory_used_mb") {
		if err := h.tell(&h.memory, s.Timestamp, s.MemUsed*(1<<20), track{name: "memory in use", parent: h.track, rank: 2, unit: "bytes"}); err != nil {
			return err
		}
	}
	if !slices.Contains(s.Unknown, "load_avg_1") {
		return h.tell(&h.load, s.Timestamp, s.Load1, track{name: "load of a minute", parent: h.track, rank: 3, unit: "tasks"})
	}
	return nil
}

// deepest is how many processes may bear each other in a row: pids that were reused within a minute may make a circle.
const deepest = 100

// sampled takes a process of a snapshot, its parent first.
func (h *hostTracks) sampled(s *query.Snapshot, p *query.Process, byPID map[int64]*query.Process, depth int) error {
	id := identity{p.PID, p.StartTicks}
	l := h.lives[id]
	if l == nil {
		if parent := byPID[p.PPID]; parent != nil && parent != p && depth < deepest && h.lives[identity{parent.PID, parent.StartTicks}] == nil {
			if err := h.sampled(s, parent, byPID, depth+1); err != nil {
				return err
			}
		}
		var err error
		if l, err = h.begin(id, h.trackOf(p.PPID), s.Timestamp-p.Age, p.Command, about(p.JobID, p.Sheet, p.UID)); err != nil {
			return err
		}
	}
	if l.seen == h.snapshots {
		return nil
	}
	l.seen = h.snapshots
	if p.Knows("cpu_percent") {
		if err := h.tell(&l.cpu, s.Timestamp, p.CPUPercent, track{name: "CPU", parent: l.of, rank: 1, unit: "% of a core"}); err != nil {
			return err
		}
	}
	if p.Knows("rss_mb") {
		return h.tell(&l.memory, s.Timestamp, p.RSS*(1<<20), track{name: "resident memory", parent: l.of, rank: 2, unit: "bytes"})
	}
	return nil
}

// trackOf is the track of the process that has a pid now, below which its children are.
func (h *hostTracks) trackOf(pid int64) uint64 {
	if l := h.lives[h.newest[pid]]; l != nil && pid != 0 {
		return l.of
	}
	return h.processes
}

// begin begins a life, of which the range shows what lies in it.
func (h *hostTracks) begin(id identity, parent uint64, at float64, command string, notes []note) (*life, error) {
	shown := name(command, id.pid)
	of, err := h.describe(track{name: shown, parent: parent, order: byTime})
	if err != nil {
		return nil, err
	}
	l := &life{of: of, began: at}
	h.lives[id], h.newest[id.pid] = l, id
	notes = append([]note{{"command", command}, {"pid", id.pid}, {"start_ticks", id.start}, {"started", at}}, notes...)
	return l, h.packets.event(max(at, h.from), sliceBegin, of, shown, notes...)
}

// finish ends a life. What it used is nothing from then on.
func (h *hostTracks) finish(id identity, at float64, notes ...note) error {
	l := h.lives[id]
	delete(h.lives, id)
	if h.newest[id.pid] == id {
		delete(h.newest, id.pid)
	}
	for _, c := range []*counter{&l.cpu, &l.memory} {
		if c.of == 0 {
			continue
		}
		if err := h.tell(c, at, 0, track{}); err != nil {
			return err
		}
	}
	return h.packets.event(at, sliceEnd, l.of, "", notes...)
}

// end ends the slices of all that lives at the end of the range.
func (h *hostTracks) end(at float64) error {
	for _, id := range h.those(func(*life) bool { return true }) {
		if err := h.packets.event(at, sliceEnd, h.lives[id].of, "", note{"end", "it lives on"}); err != nil {
			return err
		}
	}
	return nil
}

// those are the lives that are picked, in an order that does not change from one export to another.
func (h *hostTracks) those(picked func(*life) bool) (ids []identity) {
	for id, l := range h.lives {
		if picked(l) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b identity) int { return cmp.Or(cmp.Compare(a.pid, b.pid), cmp.Compare(a.start, b.start)) })
	return ids
}
