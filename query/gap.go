package query

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/proctape/proctape/schema"
)

// Gaps returns the gaps of a kind that overlap a range, by when they were noticed, oldest first; of all kinds when kind is empty. A gap of which
// it is not known when it began, or ended, is at the end that is known, or else when it was noticed; one of
// what was before the log has no beginning.
func Gaps(ctx context.Context, db *DB, r Range, kind schema.GapKind) ([]Gap, error) {
	const end = `coalesce(g.to_time, g.from_time, g.timestamp)`
	const begin = `min(coalesce(g.from_time, iif(g.kind IN ('before_log', 'trimmed_unread', 'database_damaged'), -9e99, ` + end + `)), ` + end + `)`
	query := `SELECT g.timestamp, coalesce(h.name, ''), g.stream, g.kind, g.message_kind, g.count, g.from_time, g.to_time, g.details
		FROM gaps g LEFT JOIN hosts h ON h.id = g.host_id WHERE (` + end + ` > ?1 OR ` + end + ` = ?1 AND ` + begin + ` = ?1)`
	args := []any{r.Since}
	if r.Until > 0 {
		query, args = query+` AND `+begin+` < ?`, append(args, r.Until)
	}
	if r.Host != "" {
		query, args = query+` AND h.name = ?`, append(args, r.Host)
	}
	if kind != "" {
		query, args = query+` AND g.kind = ?`, append(args, kind)
	}
	order := ` ORDER BY g.timestamp, g.stream, g.epoch, g.at_seq, g.n`
	if r.Newest {
		order = ` ORDER BY g.timestamp DESC, g.stream DESC, g.epoch DESC, g.at_seq DESC, g.n DESC`
	}
	query += order
	if r.Limit > 0 {
		query, args = query+` LIMIT ?`, append(args, r.Limit)
	}
	gaps, err := collect(ctx, db, query, args, func(rows *sql.Rows, g *Gap) error {
		return rows.Scan(&g.Timestamp, &g.Host, &g.Stream, &g.Kind, &g.MessageKind, &g.Count, &g.From, &g.To, &g.Details)
	})
	if err != nil {
		return nil, fmt.Errorf("read gaps: %w", err)
	}
	if r.Newest {
		slices.Reverse(gaps)
	}
	return gaps, nil
}

// Silences returns the gaps that have not ended: hosts of which no snapshot has come for more than three of their
// sampler's periods, as of now in Unix seconds. Such a gap has no end, and no row until the host is heard again.
func Silences(ctx context.Context, db *DB, now float64, host string) ([]Gap, error) {
	gaps, err := collect(ctx, db, `SELECT h.name, r.wall_ns / 1e9 FROM rosters r JOIN hosts h ON h.id = r.host_id
		WHERE r.wall_ns / 1e9 + 3 * r.interval_ns / 1e9 < ?1 AND (?2 = '' OR h.name = ?2) ORDER BY r.wall_ns`, []any{now, host},
		func(rows *sql.Rows, g *Gap) error {
			g.From = new(float64)
			g.Timestamp, g.Stream, g.Kind, g.Details = now, schema.StreamSnapshots, schema.GapSilence, "goes on"
			return rows.Scan(&g.Host, g.From)
		})
	if err != nil {
		return nil, fmt.Errorf("read the silent hosts: %w", err)
	}
	return gaps, nil
}

// notComeAfter is for how many seconds nothing has come of a producer before what it made besides counts as a gap.
const notComeAfter = 30

// NotCome returns the gaps that no number shows: what producers say that they made after all that has come of them, as of now
// in Unix seconds. It may be on its way, or lost at the end of the producer's life. Such a gap has no row: a later life of the
// producer tells what this one had reached, and then there are rows.
func NotCome(ctx context.Context, db *DB, now float64, host string) ([]Gap, error) {
	gaps, err := collect(ctx, db, `SELECT h.name, max(p.produced) - `+countOf("p.next_seq - 1")+` AS n, max(p.last_ns) / 1e9 AS last
		FROM producers p JOIN hosts h ON h.id = p.host_id WHERE ?2 = '' OR h.name = ?2
		GROUP BY p.host_id, p.instance HAVING n > 0 AND last + ?3 < ?1 ORDER BY last`, []any{now, host, notComeAfter},
		func(rows *sql.Rows, g *Gap) error {
			g.Count, g.From = new(int64), new(float64)
			g.Timestamp, g.Kind, g.Details = now, schema.GapMissing, "made after all that came of this producer: on its way, or lost at its end"
			return rows.Scan(&g.Host, g.Count, g.From)
		})
	if err != nil {
		return nil, fmt.Errorf("read what has not come: %w", err)
	}
	return gaps, nil
}
