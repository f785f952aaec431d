package projector

import (
	"fmt"
	"time"

	"github.com/proctape/proctape/schema"
)

// sight is what tells whether a host's story goes on from one snapshot to the next.
type sight struct {
	bootID     string
	instance   string
	seq, tick  uint64
	wall, boot int64 // ns
	interval   int64 // ns
}

func sightOf(m *schema.Message) sight {
	return sight{bootID: m.BootID, instance: m.Instance.String(), seq: m.Seq, tick: m.Snapshot.Tick, wall: m.Wall, boot: m.Boot,
		interval: m.Snapshot.Interval}
}

// How far a host may be from what was expected of it.
const (
	silentPeriods = 3                      // without a snapshot before it counts as silence
	clockStep     = 500 * time.Millisecond // that the wall clock may drift from the boot clock between two snapshots
)

// breaks says what came between two snapshots of a host, the later of which is the first of its producer when
// newInstance is set. Numbers that are missing are not its business.
func breaks(before, now sight, newInstance bool) []gap {
	g := gap{from: before.wall, to: now.wall}
	since := time.Duration(now.boot - before.boot)
	switch {
	case before.bootID != now.bootID:
		g.reason, g.details = "reboot", "the machine started anew; what ran until then is not known to the end"
		return []gap{g}
	case newInstance:
		g.reason = "restart"
		g.details = fmt.Sprintf("another recorder began %s after the last snapshot", since.Round(time.Millisecond))
		if 2*int64(since) <= 3*before.interval { // no sample was missed
			g.count = schema.Some[int64](0)
		}
	case before.instance != now.instance || now.seq != before.seq+1:
		// Two recorders of one host, or numbers that are missing and booked as such.
	case now.tick > before.tick+1:
		missed := now.tick - before.tick - 1
		g.reason, g.count = "missed ticks", schema.Some(int64(missed))
		g.details = fmt.Sprintf("%d samples were not taken in time", missed)
	case before.interval > 0 && since > silentPeriods*time.Duration(before.interval):
		g.reason, g.details = "silence", fmt.Sprintf("nothing for %s; was the machine suspended?", since.Round(time.Millisecond))
	}
	var out []gap
	if g.reason != "" {
		out = append(out, g)
	}
	if step := time.Duration(now.wall - now.boot - (before.wall - before.boot)); step.Abs() > clockStep {
		out = append(out, gap{reason: "clock step", from: before.wall, to: now.wall, count: schema.Some[int64](0),
			details: fmt.Sprintf("the wall clock was set by %s; nothing is missing", step.Round(time.Millisecond))})
	}
	return out
}
