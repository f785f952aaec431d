package query

import (
	"slices"

	"github.com/proctape/proctape/schema"
)

// Reason is why something is not known.
type Reason struct {
	Kind string `json:"kind"` // a kind of gap, or one of those that follow
	Data []Data `json:"data"` // of what not all is known
	// From and To are the first and the last time for which it holds, Unix seconds; nil for all of the time that is meant.
	From    *float64 `json:"from_time"`
	To      *float64 `json:"to_time"`
	Seconds *float64 `json:"seconds"`          // how long it held in all
	Gaps    int64    `json:"gaps"`             // how many gaps it stands for
	Count   *int64   `json:"count"`            // of what is missing, or was not seen; nil when it is not known
	Of      *int64   `json:"of"`               // of how many; nil when that means nothing
	Detail  string   `json:"detail,omitempty"` // what the sampler does see
}

// The reasons that are no gaps.
const (
	ReasonBeginsLate = "begins_late"      // the record begins after what is asked about did
	ReasonAway       = "away"             // no recorder was there, and no gap tells of it yet
	ReasonNoSnapshot = "no_snapshots"     // no snapshots came
	ReasonTrimmed    = "trimmed"          // it was recorded, and retention has deleted it
	ReasonHidden     = "processes_hidden" // the sampler could not see all processes
	ReasonShortLives = "short_lives"      // the sampler does not see every start and end
	ReasonNoTotals   = "no_totals"        // of what ends between two samples nobody tells what it used
	ReasonIOHidden   = "io_hidden"        // the sampler could not read the I/O of all processes
	ReasonUnsaid     = "sees_unsaid"      // the sampler did not say what it sees
	ReasonNotCome    = "not_come"         // the sampler made more than has come
	ReasonSamplers   = "several_samplers" // more than one sampler recorded the host at a time
	ReasonNoRecord   = "not_recorded"     // the host was never recorded
)

// reasons are why not all of the time is known, the worst first.
func (e *evidence) reasons() []Reason {
	if len(e.views)+len(e.heard)+len(e.taken)+len(e.gaps) == 0 {
		return []Reason{{Kind: ReasonNoRecord, Data: AllData[:]}}
	}
	var all []Reason
	for _, some := range [][]Reason{e.gapReasons(), e.absences(), e.trimmed(), e.snapshotHoles(), e.viewReasons()} {
		for _, r := range some {
			all = addReason(all, r)
		}
	}
	if e.notCome > 0 {
		all = append(all, Reason{Kind: ReasonNotCome, Data: AllData[:], Count: &e.notCome})
	}
	slices.SortStableFunc(all, func(a, b Reason) int { return rank(&a) - rank(&b) })
	return all
}

// The reasons that are told first, and those that are told last, in their order.
var (
	toldFirst = []string{ReasonNoRecord, ReasonBeginsLate, string(schema.GapRestart), string(schema.GapReboot), ReasonAway, ReasonNoSnapshot, ReasonTrimmed}
	toldLast  = []string{ReasonSamplers, ReasonHidden, ReasonUnsaid, ReasonShortLives, ReasonNoTotals, ReasonIOHidden}
)

func rank(r *Reason) int {
	if i := slices.Index(toldFirst, r.Kind); i >= 0 {
		return i - len(toldFirst)
	}
	return 1 + slices.Index(toldLast, r.Kind)
}

// addReason adds a reason, joined with one of the same kind that is there already.
func addReason(reasons []Reason, r Reason) []Reason {
	i := slices.IndexFunc(reasons, func(o Reason) bool { return o.Kind == r.Kind })
	if i < 0 {
		return append(reasons, r)
	}
	o := &reasons[i]
	o.Data = slices.Clone(o.Data)
	for _, d := range r.Data {
		if !slices.Contains(o.Data, d) {
			o.Data = append(o.Data, d)
		}
	}
	o.From, o.To, o.Seconds = further(o.From, r.From, -1), further(o.To, r.To, 1), plus(o.Seconds, r.Seconds)
	o.Gaps += r.Gaps
	switch {
	case r.Of == nil:
		o.Count = plusCount(o.Count, r.Count)
	case deref(o.Count, 0)*deref(r.Of, 0) < deref(r.Count, 0)*deref(o.Of, 0): // the larger share
		o.Count, o.Of = r.Count, r.Of
	}
	return reasons
}

// reasonOf is a reason that holds for a time.
func reasonOf(kind string, s stretch, data ...Data) Reason {
	seconds := s.to - s.from
	return Reason{Kind: kind, Data: data, From: &s.from, To: &s.to, Seconds: &seconds}
}

// gapReasons are those of the gaps that hide something.
func (e *evidence) gapReasons() (reasons []Reason) {
	for i := range e.gaps {
		g := &e.gaps[i]
		r := Reason{Kind: string(g.Kind), Gaps: 1, From: g.From, To: g.To, Count: g.Count}
		for _, d := range AllData {
			if hides(g, d) {
				r.Data = append(r.Data, d)
			}
		}
		if g.From != nil && g.To != nil {
			seconds := max(0, *g.To-*g.From)
			r.Seconds = &seconds
		}
		if len(r.Data) > 0 {
			reasons = addReason(reasons, r)
		}
	}
	return reasons
}

// absences are the times in which no sampler was there, and no gap says so.
func (e *evidence) absences() (reasons []Reason) {
	there := joined(slices.Concat(e.heard, e.holes(DataEvents)))
	for _, hole := range without([]stretch{e.stretch}, there) {
		switch {
		case hole.to-hole.from < 0.001: // clocks of messages are no better
		case hole.from == e.from && hole.to < e.to && hole.to <= e.began:
			reasons = append(reasons, reasonOf(ReasonBeginsLate, hole, AllData[:]...))
		default:
			reasons = append(reasons, reasonOf(ReasonAway, hole, AllData[:]...))
		}
	}
	return reasons
}

// trimmed is the time of which events were deleted.
func (e *evidence) trimmed() (reasons []Reason) {
	for _, s := range inside(inside(joined(e.heard), e.stretch), stretch{e.from, e.eventsFrom}) {
		reasons = append(reasons, reasonOf(ReasonTrimmed, s, AllData[1:]...))
	}
	return reasons
}

// snapshotHoles are the times of which a sampler that was there left no snapshots, and no gap says why. Those from before all snapshots
// are left to retention.
func (e *evidence) snapshotHoles() (reasons []Reason) {
	explained := slices.Clone(e.taken)
	for i := range e.gaps {
		if hides(&e.gaps[i], DataSnapshots) {
			explained = append(explained, extent(&e.gaps[i]))
		}
	}
	first := e.to
	if taken := joined(e.taken); len(taken) > 0 {
		first = taken[0].from
	}
	for _, hole := range without(inside(joined(e.heard), e.stretch), joined(explained)) {
		switch {
		case hole.to-hole.from < e.period:
		case hole.to <= first:
			reasons = append(reasons, reasonOf(ReasonTrimmed, hole, DataSnapshots))
		default:
			reasons = append(reasons, reasonOf(ReasonNoSnapshot, hole, DataSnapshots))
		}
	}
	return reasons
}

// viewReasons are what the samplers could not see.
func (e *evidence) viewReasons() (reasons []Reason) {
	for i := range e.views {
		held := inside([]stretch{e.viewTime(i)}, e.stretch)
		if len(held) == 0 {
			continue
		}
		for _, r := range e.views[i].reasons() {
			if held[0] != e.stretch {
				r.From, r.To = &held[0].from, &held[0].to
			}
			reasons = append(reasons, r)
		}
	}
	return reasons
}

// reasons are what the sampler could not see.
func (v *viewed) reasons() (reasons []Reason) {
	if len(v.capabilities) == 0 {
		return []Reason{{Kind: ReasonUnsaid, Data: AllData[1:]}}
	}
	if v.partial {
		r := Reason{Kind: ReasonHidden, Data: []Data{DataSnapshots, DataIO}}
		if v.hidden > 0 {
			all := v.seen + v.hidden
			r.Count, r.Of = &v.hidden, &all
		}
		reasons = append(reasons, r)
	}
	switch {
	case !v.sees(seesAll):
		reasons = append(reasons, Reason{Kind: ReasonShortLives, Data: AllData[1:], Detail: v.source()})
	case !v.sees(seesTotals):
		reasons = append(reasons, Reason{Kind: ReasonNoTotals, Data: []Data{DataCPU, DataIO}, Detail: v.source()})
	}
	if !slices.Contains(v.capabilities, schema.CapIO) {
		r := Reason{Kind: ReasonIOHidden, Data: []Data{DataIO}}
		if v.ioOf > 0 {
			unseen := v.ioOf - v.ioSeen
			r.Count, r.Of = &unseen, &v.ioOf
		}
		reasons = append(reasons, r)
	}
	return reasons
}

// source is what the sampler's source of starts and ends sees.
func (v *viewed) source() string {
	for _, c := range v.capabilities {
		if info, _ := c.Info(); info.Source {
			return info.Doc
		}
	}
	return ""
}
