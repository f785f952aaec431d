package query

import (
	"cmp"
	"context"
	"slices"
	"strings"
)

// Shortage is who had memory when a process was killed for want of it. Memory is resident, in MiB; pages that processes share
// count for each.
type Shortage struct {
	Group       *string  `json:"cgroup"`      // of the process that was killed; nil when it is not known
	From        float64  `json:"from_time"`   // of the two snapshots that are compared, Unix seconds; 0 when there is no earlier one
	To          float64  `json:"to_time"`     // the newest before the death
	InGroup     []Holder `json:"in_group"`    // the largest first; empty when the group is not known
	OnMachine   []Holder `json:"on_machine"`  // the largest first
	GroupCount  int      `json:"group_count"` // of processes in the group, and on the machine
	Count       int      `json:"machine_count"`
	GroupRSS    float64  `json:"group_rss_mb"`
	MachineUsed float64  `json:"system_memory_used_mb"`
	MachineSize float64  `json:"system_memory_total_mb"`
}

// Holder is a process that had memory.
type Holder struct {
	PID     int64    `json:"pid"`
	Command string   `json:"command"`
	Before  *float64 `json:"before_mb"`   // a minute before, or in its first sample after that; nil when there is only one
	RSS     float64  `json:"rss_mb"`      // in the newest snapshot before the death
	Growth  *float64 `json:"growth_mb_s"` // a second, between these two
	Victim  bool     `json:"victim"`      // it is the one that was killed
	start   int64
}

const (
	shortageBefore = 60.0 // seconds over which growth before a death is told
	mostHolders    = 5    // processes that are named
)

// ShortageAt compares the host of a process a minute before its death with the host at it. The identity must have a host and a start. It is nil when
// no snapshot of before the death is in the recording.
func ShortageAt(ctx context.Context, db *DB, of Identity, death float64) (*Shortage, error) {
	last, err := lastWithMemory(ctx, db, of, death)
	if err != nil {
		return nil, err
	}
	at, err := oneMoment(ctx, db, last, of.Host)
	if err != nil || at == nil {
		return nil, err
	}
	before, err := oneMoment(ctx, db, death-shortageBefore, of.Host)
	if err != nil {
		return nil, err
	}
	s := &Shortage{To: at.Timestamp, MachineUsed: at.MemUsed, MachineSize: at.MemTotal, Count: len(at.Processes), InGroup: []Holder{}, OnMachine: []Holder{}}
	was := map[[2]int64]float64{}
	if before != nil && before.Timestamp < at.Timestamp {
		s.From = before.Timestamp
		for _, p := range before.Processes {
			was[[2]int64{p.PID, p.StartTicks}] = p.RSS
		}
	}
	if s.Group, err = groupOf(ctx, db, of, at); err != nil {
		return nil, err
	}
	s.addHolders(at, was, of)
	for _, holders := range [][]Holder{s.InGroup, s.OnMachine} {
		for i := range holders {
			if err := holders[i].addFirst(ctx, db, of.Host, s.To); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

// lastWithMemory is when a process was last seen with memory before it died: one that dies gives its memory back before its end is told, and a
// snapshot may come in between. It is the death where no sample is near.
func lastWithMemory(ctx context.Context, db *DB, of Identity, death float64) (float64, error) {
	const near = 10.0 // seconds
	points, err := HistoryOf(ctx, db, of, Range{Since: death - near, Until: death, Newest: true, Limit: 5})
	if err != nil || len(points) == 0 || points[len(points)-1].RSS > 0 {
		return death, err
	}
	for _, p := range slices.Backward(points) {
		if p.RSS > 0 {
			return p.Timestamp, nil
		}
	}
	return death, nil
}

func oneMoment(ctx context.Context, db *DB, at float64, host string) (*HostAt, error) {
	moments, err := ProcessesAt(ctx, db, at, Filter{Range: Range{Host: host}})
	if err != nil || len(moments) == 0 {
		return nil, err
	}
	return &moments[0], nil
}

// addHolders adds who had memory at a moment, and what they had before it.
func (s *Shortage) addHolders(at *HostAt, was map[[2]int64]float64, of Identity) {
	for i := range at.Processes {
		p := &at.Processes[i]
		h := Holder{PID: p.PID, start: p.StartTicks, Command: p.Command, RSS: p.RSS, Victim: p.PID == of.PID && p.StartTicks == *of.StartTicks}
		if rss, known := was[[2]int64{p.PID, p.StartTicks}]; known {
			growth := (p.RSS - rss) / (s.To - s.From)
			h.Before, h.Growth = &rss, &growth
		}
		s.OnMachine = append(s.OnMachine, h)
		if s.Group != nil && p.Cgroup != nil && below(*s.Group, *p.Cgroup) {
			s.InGroup, s.GroupRSS = append(s.InGroup, h), s.GroupRSS+p.RSS
		}
	}
	s.GroupCount = len(s.InGroup)
	s.InGroup, s.OnMachine = mostMemory(s.InGroup), mostMemory(s.OnMachine)
}

// addFirst sets the growth of a holder that was not there a minute before: since its first sample.
func (h *Holder) addFirst(ctx context.Context, db *DB, host string, to float64) error {
	if h.Before != nil {
		return nil
	}
	first, err := HistoryOf(ctx, db, Identity{Host: host, PID: h.PID, StartTicks: &h.start}, Range{Since: to - shortageBefore, Until: to, Limit: 1})
	if err != nil || len(first) == 0 {
		return err
	}
	growth := (h.RSS - first[0].RSS) / (to - first[0].Timestamp)
	h.Before, h.Growth = &first[0].RSS, &growth
	return nil
}

// groupOf is the control group that a process was in when it was seen last.
func groupOf(ctx context.Context, db *DB, of Identity, at *HostAt) (*string, error) {
	for _, p := range at.Processes {
		if p.PID == of.PID && p.StartTicks == *of.StartTicks {
			return p.Cgroup, nil
		}
	}
	last, err := HistoryOf(ctx, db, of, Range{Host: of.Host, Until: at.Timestamp, Newest: true, Limit: 1})
	if err != nil || len(last) == 0 {
		return nil, err
	}
	return last[0].Cgroup, nil
}

func mostMemory(holders []Holder) []Holder {
	slices.SortFunc(holders, func(a, b Holder) int { return cmp.Or(cmp.Compare(b.RSS, a.RSS), cmp.Compare(a.PID, b.PID)) })
	return holders[:min(len(holders), mostHolders)]
}

// LimitReached is the control group of which the details of a death say that it was at its limit; empty when they say of none.
func LimitReached(details string) string {
	_, rest, found := strings.Cut(details, "cgroup ")
	group, _, said := strings.Cut(rest, " was at its")
	if !found || !said {
		return ""
	}
	return group
}
