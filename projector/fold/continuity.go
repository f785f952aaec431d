package fold

import (
	"fmt"
	"strconv"
	"time"

	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

// markOf is what of a snapshot tells whether its host's record goes on.
func markOf(m *schema.Message) store.SnapshotMark {
	s := m.Snapshot
	return store.SnapshotMark{BootID: m.BootID, Instance: m.Instance.String(), Seq: m.Seq, Tick: s.Tick, Wall: m.Wall,
		Boot: m.Boot, Interval: s.Interval, Capabilities: joined(s.Capabilities), Partial: s.Partial}
}

// joined are capabilities as one text: each in quotes, for it may hold anything.
func joined(capabilities []schema.Capability) string {
	var b []byte
	for _, c := range capabilities {
		b = strconv.AppendQuote(b, string(c))
	}
	return string(b)
}

// How far a host may be from what was expected of it.
const (
	silentPeriods = 3                      // without a snapshot before it counts as silence
	clockStep     = 500 * time.Millisecond // that the wall clock may drift from the boot clock between two snapshots
)

// gapsBetween returns the gaps between two consecutive snapshots of a host. newInstance says that the later one is the
// first of its producer. Numbers that are missing are not its business.
func gapsBetween(before, now store.SnapshotMark, newInstance bool) []store.Gap {
	g := store.Gap{From: before.Wall, To: now.Wall}
	since := time.Duration(now.Boot - before.Boot)
	switch {
	case before.BootID != now.BootID:
		g.Kind, g.Details = schema.GapReboot, "the machine started anew; what ran until then is not known to the end"
		return []store.Gap{g}
	case newInstance:
		g.Kind = schema.GapRestart
		g.Details = fmt.Sprintf("another recorder began %s after the last snapshot", since.Round(time.Millisecond))
		if 2*int64(since) <= 3*before.Interval { // no sample was missed
			g.Count = schema.Some[int64](0)
		}
	case before.Instance != now.Instance || now.Seq != before.Seq+1:
		// Two recorders of one host, or numbers that are missing and booked as such.
	case now.Tick > before.Tick+1:
		missed := now.Tick - before.Tick - 1
		g.Kind, g.Count = schema.GapMissedTicks, schema.Some(int64(missed))
		g.Details = fmt.Sprintf("%d samples were not taken in time", missed)
	case before.Interval > 0 && since > silentPeriods*time.Duration(before.Interval):
		g.Kind, g.Details = schema.GapSilence, fmt.Sprintf("nothing for %s; was the machine suspended?", since.Round(time.Millisecond))
	}
	var out []store.Gap
	if g.Kind != "" {
		out = append(out, g)
	}
	if step := time.Duration(now.Wall - now.Boot - (before.Wall - before.Boot)); step.Abs() > clockStep {
		out = append(out, store.Gap{Kind: schema.GapClockStep, From: before.Wall, To: now.Wall, Count: schema.Some[int64](0),
			Details: fmt.Sprintf("the wall clock was set by %s; nothing is missing", step.Round(time.Millisecond))})
	}
	return out
}
