package fold

import (
	"fmt"
	"time"

	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

// role is what a snapshot's sampler is to its host, which another may record under the same name.
type role int

const (
	leads     role = iota // its snapshots are the host's
	takesOver             // from now on they are: the sampler that led has been silent for too long, or is back
	setAside              // another sampler leads, which began later, and this one goes on beside it
)

// leaders implements [samplers]: of two samplers the one that began last leads.
type leaders struct{}

// admit implements [samplers].
func (leaders) admit(r *roster, to place, m *schema.Message, first bool) role {
	what := r.roleOf(m, first)
	if what == setAside {
		r.setAside(to, m)
	}
	return what
}

// roleOf says whose a snapshot is. The sampler that began last leads; one that began before it and goes on is set aside while
// the other lives, and leads while that is silent. What a sampler took before another began counts, however late it comes. first says that nothing of this life
// of its producer came before.
func (r *roster) roleOf(m *schema.Message, first bool) role {
	same := m.BootID == r.Newest.BootID
	taken, began, newest := m.Wall, r.Lead.Wall, r.Newest.Wall
	if same {
		taken, began, newest = m.Boot, r.Lead.Boot, r.Newest.Boot
	}
	switch {
	case r.Newest.BootID == "", m.Instance.String() == r.Newest.Instance, !r.boots[m.BootID], taken < began:
		return leads
	case first && !r.late(m):
		return leads
	case !same && r.Newest.Wall == r.Lead.Wall: // of the other boot there is one snapshot, which may be one of before that came late
		return takesOver
	case same && m.Instance.String() == r.Lead.Silent && !r.late(m):
		return takesOver
	case r.Newest.Interval > 0 && taken-newest > silentPeriods*r.Newest.Interval:
		return takesOver
	}
	return setAside
}

// follow implements [samplers].
func (leaders) follow(r *roster, before store.SnapshotMark, what role) {
	if r.Newest.Instance == before.Instance && r.Newest.BootID == before.BootID {
		return
	}
	isBack := r.Newest.Instance == r.Lead.Silent
	r.Lead = store.Lead{Wall: r.Newest.Wall, Boot: r.Newest.Boot}
	if what == takesOver {
		r.Lead.Wall = before.Wall
	}
	if what == takesOver && !isBack && r.Newest.BootID == before.BootID {
		r.Lead.Silent = before.Instance
	}
}

// doubledApart is for how long nothing is set aside before what is set aside next is told of anew.
const doubledApart = time.Minute

// setAside notes in a gap that a snapshot is set aside. The gap grows while that goes on.
func (r *roster) setAside(to place, m *schema.Message) {
	d := &r.Doubled
	other := m.BootID != r.Newest.BootID
	details := fmt.Sprintf("another sampler (process %d) records under this name too; its snapshots do not count", m.Snapshot.DaemonPID)
	if other {
		details = fmt.Sprintf("a sampler of another machine (process %d, boot %s) records under this name too; its snapshots do not count",
			m.Snapshot.DaemonPID, m.BootID)
	}
	apart := max(int64(doubledApart), silentPeriods*m.Snapshot.Interval)
	grows := d.Noticed != 0 && m.Wall-d.To <= apart && d.From-m.Wall <= apart
	if !grows {
		*d = store.Doubled{From: m.Wall, To: m.Wall, Details: details}
	}
	d.From, d.To = min(d.From, m.Wall), max(d.To, m.Wall)
	if other {
		d.Lost++
		d.Details = details
	}
	g := store.Gap{Key: d.Key, Noticed: d.Noticed, Kind: schema.GapTwoSamplers, Host: m.Host, Count: schema.Some(d.Lost), From: d.From, To: d.To, Details: d.Details}
	if grows {
		to.filled(d.Key)
		to.batch.Gaps = append(to.batch.Gaps, store.GapChange{Change: store.GapRemains, Gap: g})
	} else {
		d.Key, d.Noticed = to.gap(g), to.at.Stored
	}
	to.batch.Doubled[m.Host] = d.Details
}
