package verify

import (
	"context"
	"fmt"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema"
)

// lostAtEnds are what the log acknowledged and lost at the ends of lives of producers, by host: neither the log nor the database
// has it, so that no comparison shows it. Sums are made as in package query, so that no host's numbers stop them. Only lives of which a later one told count, and no more than their gaps say.
func lostAtEnds(ctx context.Context, db *query.DB) (losses []Loss, err error) {
	rows, err := db.Handle().QueryContext(ctx, `WITH lives AS (
			SELECT host_id, instance, max(acked) - CAST(total(stored + quarantined) AS INTEGER) AS gone FROM producers GROUP BY host_id, instance HAVING max(ended_ns) > 0),
		ends AS (SELECT host_id, instance, CAST(total(CASE kind WHEN 'end_lost' THEN count END) AS INTEGER) AS lost,
			CAST(total(CASE kind WHEN 'before_log' THEN count END) AS INTEGER) AS earlier FROM gaps WHERE first_seq IS NOT NULL GROUP BY host_id, instance)
		SELECT h.name, CAST(total(min(lost, gone - earlier)) AS INTEGER) FROM lives JOIN ends USING (host_id, instance) JOIN hosts h ON h.id = host_id
		WHERE lost > 0 AND gone > earlier GROUP BY h.name ORDER BY h.name`)
	if err != nil {
		return nil, fmt.Errorf("read what was lost at the ends of lives: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var host string
		l := Loss{}
		if err := rows.Scan(&host, &l.Items); err != nil {
			return nil, err
		}
		if l.Items >= schema.MaxSum {
			l.Items, l.AtLeast = schema.MaxSum, []string{"items"}
		}
		l.What = fmt.Sprintf("of host %s, items that the log had acknowledged are neither in it nor in the database", host)
		losses = append(losses, l)
	}
	return losses, rows.Err()
}
