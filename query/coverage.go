package query

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/proctape/proctape/schema"
)

// Coverage is how much of a range a host's snapshots cover.
type Coverage struct {
	Host    string  `json:"host"`
	From    float64 `json:"from_time"` // start of the range, or the host's first snapshot when that is later; Unix seconds
	To      float64 `json:"to_time"`
	Percent float64 `json:"coverage_percent"`
	Gaps    int64   `json:"gaps"` // gaps that were noticed in the range
}

// HostCoverage returns what part of a range the snapshots of each host cover, for every host that was recorded before the range
// ends. A snapshot covers the time since the snapshot before it, if that is at most one and a half of its sampler's periods,
// and otherwise one period. The range must have both ends. A host's part of it begins with the host's first snapshot.
func HostCoverage(ctx context.Context, db *DB, r Range) ([]Coverage, error) {
	covers, err := collect(ctx, db, `
		WITH span AS (
			SELECT host_id, timestamp AS t, interval_ns / 1e9 AS period,
				timestamp - lag(timestamp) OVER (PARTITION BY host_id ORDER BY timestamp) AS since
			FROM snapshots WHERE timestamp >= ?1 - 60 AND timestamp < ?2
		), covered AS (
			SELECT host_id, max(t) AS last, max(period) AS period,
				total(min(t - ?1, CASE WHEN since <= 1.5 * period THEN since ELSE period END)) AS seconds
			FROM span WHERE t >= ?1 GROUP BY host_id
		), began AS (
			SELECT id AS host_id, name, max(?1, coalesce((SELECT min(first_ns) / 1e9 FROM producers p
				WHERE p.host_id = hosts.id AND p.first_ns > 0), ?1)) AS start FROM hosts
		)
		SELECT b.name, b.start, ?2,
			min(100.0, 100.0 * (coalesce(c.seconds, 0) + coalesce(min(max(0, ?2 - c.last), c.period), 0)) / max(1e-9, ?2 - b.start)),
			(SELECT count(*) FROM gaps g WHERE g.host_id = b.host_id AND g.timestamp >= ?1 AND g.timestamp < ?2)
		FROM began b LEFT JOIN covered c ON c.host_id = b.host_id WHERE b.start < ?2 AND (?3 = '' OR b.name = ?3) AND b.name <> ?4 ORDER BY b.name`,
		[]any{r.Since, r.Until, r.Host, schema.Fleet}, func(rows *sql.Rows, c *Coverage) error {
			return rows.Scan(&c.Host, &c.From, &c.To, &c.Percent, &c.Gaps)
		})
	if err != nil {
		return nil, fmt.Errorf("read the coverage: %w", err)
	}
	return covers, nil
}
