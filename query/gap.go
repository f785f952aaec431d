package query

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/proctape/proctape/schema"
)

// Gap is a hole in the story.
type Gap struct {
	Timestamp float64  `json:"timestamp"` // of the message at which it was noticed, Unix seconds
	Host      string   `json:"host"`      // empty when it is no one host's
	Stream    string   `json:"stream"`
	Reason    string   `json:"reason"`
	Kind      *string  `json:"kind"`  // of the items that are missing
	Count     *int64   `json:"count"` // how many; null when nobody can tell
	From      *float64 `json:"from_time"`
	To        *float64 `json:"to_time"`
	Details   string   `json:"details"`
}

// Gaps returns the holes that were noticed in a range, oldest first.
func (d *DB) Gaps(ctx context.Context, r Range) ([]Gap, error) {
	query := `SELECT g.timestamp, coalesce(h.name, ''), g.stream, g.reason, g.kind, g.count, g.from_time, g.to_time, g.details
		FROM gaps g LEFT JOIN hosts h ON h.id = g.host_id WHERE g.timestamp >= ?`
	args := []any{r.Since}
	if r.Until > 0 {
		query, args = query+` AND g.timestamp < ?`, append(args, r.Until)
	}
	if r.Host != "" {
		query, args = query+` AND h.name = ?`, append(args, r.Host)
	}
	order := ` ORDER BY g.timestamp, g.stream, g.epoch, g.at_seq, g.n`
	if r.Newest {
		order = ` ORDER BY g.timestamp DESC, g.stream DESC, g.epoch DESC, g.at_seq DESC, g.n DESC`
	}
	query += order
	if r.Limit > 0 {
		query, args = query+` LIMIT ?`, append(args, r.Limit)
	}
	gaps, err := collect(ctx, d, query, args, func(rows *sql.Rows, g *Gap) error {
		return rows.Scan(&g.Timestamp, &g.Host, &g.Stream, &g.Reason, &g.Kind, &g.Count, &g.From, &g.To, &g.Details)
	})
	if err != nil {
		return nil, fmt.Errorf("read gaps: %w", err)
	}
	if r.Newest {
		slices.Reverse(gaps)
	}
	return gaps, nil
}

// GapsFromMessage are the gaps that a producer itself tells of.
func GapsFromMessage(m *schema.Message) []Gap {
	gaps := make([]Gap, len(m.Gaps))
	for i, g := range m.Gaps {
		from, to := schema.Timestamp(g.FromWall), schema.Timestamp(g.ToWall)
		gaps[i] = Gap{Timestamp: schema.Timestamp(m.Wall), Host: m.Host, Stream: schema.StreamEvents, Reason: g.Reason,
			Count: pointer(g.Count), From: &from, To: &to, Details: g.Details}
	}
	return gaps
}

// Silences are the gaps that go on: hosts of which nothing has come for more than three of their sampler's periods, as of
// now in Unix seconds. They have no end and no row until the host speaks again.
func (d *DB) Silences(ctx context.Context, now float64, host string) ([]Gap, error) {
	gaps, err := collect(ctx, d, `SELECT h.name, r.wall_ns / 1e9 FROM rosters r JOIN hosts h ON h.id = r.host_id
		WHERE r.wall_ns / 1e9 + 3 * r.interval_ns / 1e9 < ?1 AND (?2 = '' OR h.name = ?2) ORDER BY r.wall_ns`, []any{now, host},
		func(rows *sql.Rows, g *Gap) error {
			g.From = new(float64)
			g.Timestamp, g.Stream, g.Reason, g.Details = now, schema.StreamSnapshots, "silence", "goes on"
			return rows.Scan(&g.Host, g.From)
		})
	if err != nil {
		return nil, fmt.Errorf("read the silent hosts: %w", err)
	}
	return gaps, nil
}

// Coverage is how much of a span of time a host's snapshots cover.
type Coverage struct {
	Host    string  `json:"host"`
	From    float64 `json:"from_time"` // begin of the range, or the host's first snapshot when that is later
	To      float64 `json:"to_time"`
	Percent float64 `json:"coverage_percent"`
	Gaps    int64   `json:"gaps"` // noticed in the span
}

// Coverage says, for every host that was recorded before the range ends, what part of the range its snapshots
// cover. A snapshot covers the time since the one before it, when that is at most one and a half of its sampler's
// periods ago, and otherwise one period. The range must have both ends; a host's part of it begins with its first
// snapshot.
func (d *DB) Coverage(ctx context.Context, r Range) ([]Coverage, error) {
	covers, err := collect(ctx, d, `
		WITH span AS (
			SELECT host_id, timestamp AS t, interval_ns / 1e9 AS period,
				timestamp - lag(timestamp) OVER (PARTITION BY host_id ORDER BY timestamp) AS since
			FROM snapshots WHERE timestamp >= ?1 - 60 AND timestamp < ?2
		), covered AS (
			SELECT host_id, max(t) AS last, max(period) AS period,
				sum(min(t - ?1, CASE WHEN since <= 1.5 * period THEN since ELSE period END)) AS seconds
			FROM span WHERE t >= ?1 GROUP BY host_id
		), began AS (
			SELECT id AS host_id, name, max(?1, coalesce((SELECT min(first_ns) / 1e9 FROM producers p
				WHERE p.host_id = hosts.id AND p.first_ns > 0), ?1)) AS start FROM hosts
		)
		SELECT b.name, b.start, ?2,
			min(100.0, 100.0 * (coalesce(c.seconds, 0) + coalesce(min(max(0, ?2 - c.last), c.period), 0)) / max(1e-9, ?2 - b.start)),
			(SELECT count(*) FROM gaps g WHERE g.host_id = b.host_id AND g.timestamp >= ?1 AND g.timestamp < ?2)
		FROM began b LEFT JOIN covered c ON c.host_id = b.host_id WHERE b.start < ?2 AND (?3 = '' OR b.name = ?3) ORDER BY b.name`,
		[]any{r.Since, r.Until, r.Host}, func(rows *sql.Rows, c *Coverage) error {
			return rows.Scan(&c.Host, &c.From, &c.To, &c.Percent, &c.Gaps)
		})
	if err != nil {
		return nil, fmt.Errorf("read the coverage: %w", err)
	}
	return covers, nil
}
