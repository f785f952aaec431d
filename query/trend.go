package query

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/proctape/proctape/schema"
)

// TrendPoint is what a host used as a whole at a snapshot, or over a minute that has left full resolution.
type TrendPoint struct {
	Timestamp float64 // Unix seconds
	Host      string
	Interval  float64  // seconds for which the point stands
	CPU       float64  // percent of a core, of all processes
	MemUsed   float64  // MiB
	GPU       *float64 // percent, the mean of the host's accelerators; nil where there are none, or none is known, and of a minute
}

// Trend returns what hosts used over a range, in the order of time: of each host the newest snapshot in each stretch of so many seconds,
// which begin at multiples of it. The range must have both ends.
func Trend(ctx context.Context, db *DB, r Range, stretch float64) ([]TrendPoint, error) {
	points, err := trendOfSnapshots(ctx, db, r, stretch)
	if err != nil {
		return nil, fmt.Errorf("read the trend: %w", err)
	}
	minutes, err := collect(ctx, db, `SELECT max(t.timestamp), h.name, max(60.0, ?4), coalesce(t.cpu_mean, 0) / 10.0, coalesce(t.memory_used_mean, 0) / 1024.0, NULL
		FROM rollups t JOIN hosts h ON h.id = t.host_id WHERE t.timestamp >= ?1 - 60 AND t.timestamp < ?2 AND (?3 = '' OR h.name = ?3)`+withoutSnapshots+`
		GROUP BY t.host_id, CAST(t.timestamp / ?4 AS INTEGER) ORDER BY t.timestamp`, []any{r.Since, r.Until, r.Host, stretch}, scanTrend)
	if err != nil {
		return nil, fmt.Errorf("read the trend of minutes: %w", err)
	}
	return merged(minutes, points, Range{}, func(a, b TrendPoint) int { return compareTimes(a.Timestamp, b.Timestamp) }), nil
}

// trendOfSnapshots is the trend as far as there are snapshots.
func trendOfSnapshots(ctx context.Context, db *DB, r Range, stretch float64) ([]TrendPoint, error) {
	var ids []int64
	points, err := collect(ctx, db, `WITH newest AS (SELECT max(t.timestamp) AS timestamp, t.id AS id FROM snapshots t
			WHERE t.timestamp >= ?1 AND t.timestamp < ?2 AND (?3 = '' OR t.host_id = (SELECT id FROM hosts WHERE name = ?3))
			GROUP BY t.host_id, CAST(t.timestamp / ?4 AS INTEGER))
		SELECT s.id, s.timestamp, h.name, max(s.interval_ns / 1e9, ?4), coalesce(s.system_memory_used_mb, 0), (SELECT avg(value ->> 'utilization_pct') FROM json_each(s.gpus))
		FROM newest n JOIN snapshots s ON s.id = n.id JOIN hosts h ON h.id = s.host_id ORDER BY s.timestamp`,
		[]any{r.Since, r.Until, r.Host, stretch}, func(rows *sql.Rows, p *TrendPoint) error {
			ids = append(ids, 0)
			return rows.Scan(&ids[len(ids)-1], &p.Timestamp, &p.Host, &p.Interval, &p.MemUsed, &p.GPU)
		})
	if err != nil {
		return nil, err
	}
	return points, addCPU(ctx, db, ids, points)
}

// addKnown sets what is known of snapshots, each of which has a point, and returns the ids of the others.
func addKnown(c *cpuSums, ids []int64, points []TrendPoint) (unknown []any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, id := range ids {
		used, known := c.of[cpuSum{id, points[i].Timestamp}]
		if points[i].CPU = used; !known {
			unknown = append(unknown, id)
		}
	}
	return unknown
}

// addCPU sets what the processes of snapshots used, each of which has a point.
func addCPU(ctx context.Context, db *DB, ids []int64, points []TrendPoint) error {
	for some := range slices.Chunk(addKnown(&db.sums, ids, points), 500) {
		err := each(ctx, db.db, `SELECT s.id, s.timestamp, (SELECT total(m.cpu_permille) FROM samples m WHERE m.id >= s.id << 22 AND m.id < (s.id + 1) << 22) / 10.0
			FROM snapshots s WHERE s.id IN (`+placeholders(len(some))+`)`, some, func(rows *sql.Rows) error {
			var of cpuSum
			var used float64
			err := rows.Scan(&of.id, &of.at, &used)
			db.sums.keep(of, used)
			return err
		})
		if err != nil {
			return err
		}
	}
	addKnown(&db.sums, ids, points)
	return nil
}

func compareTimes(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func scanTrend(r *sql.Rows, p *TrendPoint) error {
	return r.Scan(&p.Timestamp, &p.Host, &p.Interval, &p.CPU, &p.MemUsed, &p.GPU)
}

// Hole is a stretch of time without a snapshot of a host, longer than its sampler's interval allows: nothing was measured then.
type Hole struct {
	Host string
	From float64 // when the snapshot before it ends to count, Unix seconds
	To   float64 // of the next snapshot; 0 when none has come
}

// HoleFactor is how many intervals may lie between two snapshots without a hole, as [HostCoverage] counts.
const HoleFactor = 1.5

// Holes returns the holes that touch a range, which must have both ends, in the order of time. One that goes on until the range's end has no end.
func Holes(ctx context.Context, db *DB, r Range) ([]Hole, error) {
	holes, err := collect(ctx, db, `WITH seen AS (
			SELECT t.host_id, t.timestamp AS at, t.interval_ns / 1e9 AS stands FROM snapshots t WHERE t.timestamp >= ?1 - 3600 AND t.timestamp < ?2 + 3600
			UNION ALL SELECT t.host_id, t.timestamp, 60.0 FROM rollups t WHERE t.timestamp >= ?1 - 3600 AND t.timestamp < ?2 + 3600`+withoutSnapshots+`
		), step AS (
			SELECT host_id, at, stands, lead(at) OVER (PARTITION BY host_id ORDER BY at) AS next FROM seen
		)
		SELECT h.name, s.at + s.stands, coalesce(s.next, 0) FROM step s JOIN hosts h ON h.id = s.host_id
		WHERE coalesce(s.next, ?2) > s.at + ?4 * s.stands AND s.at + s.stands < ?2 AND coalesce(s.next, ?2) > ?1 AND (?3 = '' OR h.name = ?3) AND h.name <> ?5
		ORDER BY s.at`, []any{r.Since, r.Until, r.Host, HoleFactor, schema.Fleet}, func(rows *sql.Rows, h *Hole) error {
		return rows.Scan(&h.Host, &h.From, &h.To)
	})
	if err != nil {
		return nil, fmt.Errorf("read the holes of a time: %w", err)
	}
	return holes, nil
}
