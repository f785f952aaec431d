package top

import (
	"slices"

	"github.com/proctape/proctape/query"
)

// After so many intervals without a snapshot a live screen is old, and what it shows is gone.
const (
	staleAfter = 2
	goneAfter  = 5
)

// shown is the time that the screen shows.
func shown(m *Model) float64 {
	if m.clock.mode != live {
		return m.clock.at
	}
	if m.frame != nil {
		return m.frame.At
	}
	return m.clock.now
}

// awaits reports whether the frame is of another time than the one that was asked for, which has not come yet.
func awaits(m *Model) bool {
	return m.frame != nil && m.clock.mode != live && m.frame.At != m.clock.at && m.clock.mode != replay
}

// oldness is how old the newest snapshot of a live screen is, in seconds; 0 while it is young enough.
func oldness(m *Model) float64 {
	if m.frame == nil || len(m.frame.Hosts) == 0 {
		return 0
	}
	h := slices.MaxFunc(m.frame.Hosts, func(a, b Host) int { return compare(a.Timestamp, b.Timestamp) })
	if old := max(m.clock.now, m.frame.At) - h.Timestamp; old > staleAfter*h.Interval {
		return old
	}
	return 0
}

func compare(a, b float64) int {
	if a < b {
		return -1
	}
	return btoi(a > b)
}

// holeOf is the hole in which the time of all hosts lies; nil when something was measured then.
func holeOf(m *Model) *query.Hole {
	if m.frame == nil || len(m.frame.Hosts) == 0 {
		return nil
	}
	for i := range m.frame.Hosts {
		if m.frame.Hosts[i].Hole == nil {
			return nil
		}
	}
	return m.frame.Hosts[0].Hole
}

// severalHosts reports whether the frame has more than one host.
func severalHosts(m *Model) bool { return m.frame != nil && len(m.frame.Hosts) > 1 }
