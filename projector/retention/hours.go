package retention

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

// hours makes hours of minutes.
type hours struct{ *pass }

// hourGrace is how long after its end an hour is made. What comes later makes it anew.
const hourGrace = 2 * time.Minute

// hourOf is an hour of a host, by its start in Unix seconds.
type hourOf struct {
	start  float64
	hostID int64
}

const minuteSums = `sum(samples), sum(cpu_samples), min(sum(cpu_sum), 2305843009213693951), max(cpu_max), sum(memory_samples),
	min(sum(memory_sum), 2305843009213693951), max(memory_max), max(memory_total_kib), sum(starts), sum(ends), sum(deaths)`

// run makes the hours that are over and of which the minutes tell more than the hour does, or of which there is none. Minutes that have
// left the policy take nothing from an hour.
func (h *hours) run(ctx context.Context) error {
	var grown []hourOf
	err := schema.EachRow(ctx, h.read, `SELECT m.start, m.host_id FROM (SELECT CAST(timestamp / 3600 AS INTEGER) * 3600.0 AS start, host_id,
		sum(samples) AS samples, sum(starts + ends) AS lives FROM host_minutes WHERE timestamp < ?1 GROUP BY 1, 2) m
		LEFT JOIN host_hours h ON h.timestamp = m.start AND h.host_id = m.host_id
		WHERE m.start + 3600 <= ?1 AND (h.host_id IS NULL OR m.samples > h.samples OR m.lives > h.starts + h.ends) ORDER BY 1, 2`,
		func(rows *sql.Rows) error {
			var of hourOf
			err := rows.Scan(&of.start, &of.hostID)
			grown = append(grown, of)
			return err
		}, schema.Timestamp(h.ages.now-int64(hourGrace)))
	if err != nil {
		return fmt.Errorf("read the minutes: %w", err)
	}
	if h.writer.dry {
		return nil
	}
	var made int64
	return writeAll(ctx, h.writer, grown, &made, func(tx *store.Tx, of hourOf) error {
		_, err := tx.Exec(`INSERT OR REPLACE INTO host_hours SELECT ?1, ?2, `+minuteSums+` FROM host_minutes
			WHERE timestamp >= ?1 AND timestamp < ?1 + 3600 AND host_id = ?2`, of.start, of.hostID)
		return err
	})
}
