package top

import (
	"context"
	"math"

	"github.com/proctape/proctape/query"
)

// Line reads the time line of a range.
func (d *Database) Line(ctx context.Context, r query.Range, cells int) (*Line, error) {
	now := d.Now()
	read := r
	read.Until = min(r.Until, now)
	covers, err := query.HostCoverage(ctx, d.db, read)
	if err != nil {
		return nil, err
	}
	began := r.Until
	for _, c := range covers {
		began = min(began, c.From)
	}
	l := newLine(r, cells, began, now)
	points, err := query.Trend(ctx, d.db, read, l.cell())
	if err != nil {
		return nil, err
	}
	l.addPoints(points)
	holes, err := query.Holes(ctx, d.db, read)
	if err != nil {
		return nil, err
	}
	l.addHoles(settled(holes, now), now)
	read.Limit, read.Newest = mostMarks, true
	deaths, err := d.deaths(ctx, query.Filter{Range: read, Failed: true})
	l.addDeaths(deaths)
	if err != nil {
		return nil, err
	}
	return l, addFound(ctx, d, l, read)
}

// settled are the holes without those that are so young that a snapshot may still come.
func settled(holes []query.Hole, now float64) []query.Hole {
	out := holes[:0:0]
	for _, h := range holes {
		if h.To > 0 || now-h.From > 10 {
			out = append(out, h)
		}
	}
	return out
}

// Step returns where a step in time ends.
func (d *Database) Step(ctx context.Context, from float64, to Stop, back bool, host string) (float64, error) {
	switch to {
	case StopTrouble:
		return stepTrouble(ctx, d, from, back, host)
	case StopHole:
		return stepHole(ctx, d, from, back, host)
	}
	return stepSample(ctx, d, from, back, host)
}

// stepTrouble goes to the next death or start of an episode, or to the one before.
func stepTrouble(ctx context.Context, d *Database, from float64, back bool, host string) (float64, error) {
	r := query.Range{Since: math.Nextafter(from, math.Inf(1)), Limit: 1, Host: host}
	if back {
		r = query.Range{Until: from, Limit: 1, Newest: true, Host: host}
	}
	deaths, err := d.deaths(ctx, query.Filter{Range: r, Failed: true})
	if err != nil {
		return 0, err
	}
	at, err := stepAnomaly(ctx, d, r)
	if len(deaths) > 0 && (at == 0 || back == (deaths[0].Timestamp > at)) {
		at = deaths[0].Timestamp
	}
	return at, err
}

// stepHole looks for a hole in stretches that grow.
func stepHole(ctx context.Context, d *Database, from float64, back bool, host string) (float64, error) {
	now := d.Now()
	for span, seen := 3600.0, 0.0; seen < 20*365*86400; seen, span = seen+span, 4*span {
		r := query.Range{Since: from + seen, Until: min(now, from+seen+span), Host: host}
		if back {
			r.Since, r.Until = from-seen-span, from-seen
		}
		if r.Since >= now {
			return 0, nil
		}
		holes, err := query.Holes(ctx, d.db, r)
		if err != nil {
			return 0, err
		}
		holes = settled(holes, now)
		if back {
			for i := len(holes) - 1; i >= 0; i-- {
				if holes[i].From < from {
					return holes[i].From, nil
				}
			}
			continue
		}
		for _, h := range holes {
			if h.From > from {
				return h.From, nil
			}
		}
	}
	return 0, nil
}

// stepSample goes to the next snapshot, or to the one before. No hole is passed over: a step ends at its begin.
func stepSample(ctx context.Context, d *Database, from float64, back bool, host string) (float64, error) {
	moments, err := query.MomentsAt(ctx, d.db, from, host)
	if err != nil {
		return 0, err
	}
	best := 0.0
	for i := range moments {
		at, err := stepHost(ctx, d, &moments[i], from, back)
		if err != nil {
			return 0, err
		}
		if at > 0 && (best == 0 || back == (at > best)) {
			best = at
		}
	}
	if len(moments) == 0 && !back {
		heads, err := query.SnapshotHeads(ctx, d.db, query.Range{Since: math.Nextafter(from, math.Inf(1)), Host: host, Limit: 1})
		if err != nil || len(heads) == 0 {
			return 0, err
		}
		return heads[0].Timestamp, nil
	}
	return best, nil
}

// stepHost is a step among the snapshots of one host, from a time at which m is its newest.
func stepHost(ctx context.Context, d *Database, m *query.HostAt, from float64, back bool) (float64, error) {
	around, err := query.SurroundingsOf(ctx, d.db, &m.Snapshot)
	if err != nil {
		return 0, err
	}
	ends := m.Timestamp + around.Interval
	if !back {
		if around.Next-m.Timestamp > query.HoleFactor*around.Interval && from < ends {
			return ends, nil
		}
		return around.Next, nil
	}
	if from > m.Timestamp {
		return m.Timestamp, nil
	}
	heads, err := query.SnapshotHeads(ctx, d.db, query.Range{Until: m.Timestamp, Host: m.Host, Limit: 1, Newest: true})
	if err != nil || len(heads) == 0 {
		return 0, err
	}
	before, err := query.SurroundingsOf(ctx, d.db, &heads[0])
	if err != nil {
		return 0, err
	}
	if m.Timestamp-heads[0].Timestamp > query.HoleFactor*before.Interval {
		return heads[0].Timestamp + before.Interval, nil
	}
	return heads[0].Timestamp, nil
}
