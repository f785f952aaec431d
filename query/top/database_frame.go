package top

import (
	"context"
	"errors"
	"math"
	"slices"

	"github.com/proctape/proctape/query"
)

// Frame reads what is known of a time.
func (d *Database) Frame(ctx context.Context, at float64, host string) (*Frame, error) {
	moments, err := query.MomentsAt(ctx, d.db, at, host)
	if err != nil {
		return nil, err
	}
	f := &Frame{At: at, Made: d.Now(), Rows: []Row{}, Hosts: []Host{}}
	for i := range moments {
		full, err := d.processes(ctx, &moments[i])
		if err != nil {
			return nil, err
		}
		h, err := readHost(ctx, d, &moments[i], full, f.Made)
		if err != nil {
			return nil, err
		}
		rows, err := rowsOf(ctx, d, full, h)
		if err != nil {
			return nil, err
		}
		f.Rows, f.Hosts = append(slices.Grow(f.Rows, len(rows)+mostEnded), rows...), append(f.Hosts, *h)
	}
	if err := addCoverage(ctx, d, f, host); err != nil {
		return nil, err
	}
	return f, errors.Join(addEnds(ctx, d, f), addDeaths(ctx, d, f, host), addAnomalies(ctx, d, f, host))
}

// readHost reads a host at a time, of which the processes have been read.
func readHost(ctx context.Context, d *Database, m *query.HostAt, full *snapshot, now float64) (*Host, error) {
	around, err := query.SurroundingsOf(ctx, d.db, &m.Snapshot)
	if err != nil {
		return nil, err
	}
	h := &Host{HostAt: *m, BootID: around.BootID, Interval: around.Interval, Next: around.Next, Capabilities: around.Capabilities, CPU: full.cpu}
	h.Processes = full.Processes
	if h.Hole = holeAt(m, &around, now); h.Hole != nil {
		h.Reason, err = holeReason(ctx, d, h.Hole)
	}
	if err != nil {
		return nil, err
	}
	r := query.Range{Since: m.Timestamp - trendOf*max(h.Interval, 1), Until: math.Nextafter(m.Timestamp, math.Inf(1)), Host: m.Host}
	h.Trend, err = query.Trend(ctx, d.db, r, max(h.Interval, 0.1))
	return h, err
}

// holeAt is the hole in which the time of a moment lies; nil when a snapshot stands for it, or may still come.
func holeAt(m *query.HostAt, around *query.Surroundings, now float64) *query.Hole {
	ends := m.Timestamp + around.Interval
	switch {
	case m.Asked < ends, around.Next > 0 && around.Next-m.Timestamp <= query.HoleFactor*around.Interval:
		return nil
	case around.Next == 0 && now-m.Timestamp <= goneAfter*around.Interval:
		return nil
	}
	return &query.Hole{Host: m.Host, From: ends, To: around.Next}
}

// holeReason is what the gaps tell of a hole; empty when they do not.
func holeReason(ctx context.Context, d *Database, h *query.Hole) (string, error) {
	until := h.To
	if until == 0 {
		until = d.Now()
	}
	gaps, err := query.Gaps(ctx, d.db, query.Range{Since: h.From - 60, Until: until + 120, Host: h.Host, Limit: 20}, "")
	for i := range gaps {
		g := &gaps[i]
		if g.From != nil && *g.From < until && (g.To == nil || *g.To > h.From) {
			return string(g.Kind), err
		}
	}
	return "", err
}

// addCoverage adds how much of the last hour is known.
func addCoverage(ctx context.Context, d *Database, f *Frame, host string) error {
	covers, err := query.HostCoverage(ctx, d.db, query.Range{Since: f.At - coveredFor, Until: f.At, Host: host})
	for i := range covers {
		for j := range f.Hosts {
			if f.Hosts[j].Host == covers[i].Host {
				f.Hosts[j].Coverage = &covers[i]
			}
		}
	}
	return err
}
