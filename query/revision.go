package query

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"fmt"
	"hash"
	"math"

	"github.com/proctape/proctape/schema"
)

// Revision names what the database knows of a range that has ended. While it stays the same, so does each answer about the range that is made of
// snapshots, events, execs, gaps, minutes and episodes, and its coverage, but for how far it is proven. It is empty when that cannot be told without
// reading them: of several databases, of one elsewhere, and where the projector noted no change of a time before the end of the range.
//
// It costs a look-up for each host and each life of a producer, however long the range is.
func Revision(ctx context.Context, db *DB, r Range) (string, error) {
	if db.elsewhere != nil || db.parts != nil {
		return "", nil
	}
	sum := sha256.New()
	known := false
	err := view(ctx, db, func(tx *sql.Tx) (err error) {
		if known, err = hashChanges(ctx, tx, sum, r.Until); err != nil || !known {
			return err
		}
		return hashPresent(ctx, tx, sum, r)
	})
	if err != nil {
		return "", fmt.Errorf("read what has changed: %w", err)
	}
	if !known {
		return "", nil
	}
	proof := NotedProof(db)
	fmt.Fprintln(sum, proof.Until != nil)
	return base64.RawURLEncoding.EncodeToString(sum.Sum(nil)[:9]), nil
}

// hashChanges adds which database it is, and which change of the time before a moment was the last. It reports whether that is known.
func hashChanges(ctx context.Context, tx *sql.Tx, sum hash.Hash, until float64) (known bool, err error) {
	err = each(ctx, tx, `SELECT value, (SELECT value FROM meta WHERE key = 'database_id'), coalesce((SELECT value FROM meta WHERE key = 'hosts'), '') FROM meta
		WHERE key >= ? AND key < ? ORDER BY key DESC LIMIT 1`, []any{schema.ChangedKey, schema.ChangedFrom(int64(math.Ceil(until / Minute)))},
		func(rows *sql.Rows) error {
			var value, hosts string
			var id sql.NullString
			known = true
			err := rows.Scan(&value, &id, &hosts)
			fmt.Fprintf(sum, "%q %q %q\n", value, id.String, hosts)
			return err
		})
	return known, err
}

// Of a range that has ended an answer tells a little of what is now: which hosts there are, whether their samplers were heard after it, what they made beyond what
// came of them, and, of a host without a snapshot in the range, what its newest shows.
const (
	presentHosts = `SELECT h.id, h.name, coalesce(r.boot_id, ''), coalesce(r.interval_ns, 0), coalesce(r.wall_ns, 0) >= ?2, coalesce(t.capabilities, ''), coalesce(t.partial, 0),
		CASE WHEN (t.partial OR t.capabilities NOT LIKE '%"` + string(schema.CapIO) + `"%') AND NOT EXISTS (SELECT 1 FROM snapshots s WHERE s.timestamp >= ?1 / 1e9
			AND s.timestamp < ?2 / 1e9 AND +s.host_id = h.id) THEN r.last_snapshot ELSE 0 END
		FROM hosts h LEFT JOIN rosters r ON r.host_id = h.id LEFT JOIN snapshots t ON t.id = r.last_snapshot ORDER BY h.id`
	presentSamplers = `SELECT p.host_id, p.instance, min(CASE WHEN p.first_ns > 0 THEN p.first_ns END), min(max(p.last_ns), ?1), max(p.kind = '` + string(schema.KindSnapshot) + `'),
		CASE WHEN max(p.last_ns) < ?1 THEN max(p.last_ns) >= coalesce((SELECT wall_ns FROM rosters r WHERE r.host_id = p.host_id), 0) END,
		CASE WHEN max(p.last_ns) < ?1 THEN max(p.produced) - CAST(total(p.next_seq - 1) AS INTEGER) END
		FROM producers p GROUP BY p.host_id, p.instance HAVING min(p.first_ns) < ?1`
)

// hashPresent adds what an answer about a range tells of what is now.
func hashPresent(ctx context.Context, tx *sql.Tx, sum hash.Hash, r Range) error {
	since, until := int64(r.Since*1e9), int64(r.Until*1e9)
	if err := hashRows(ctx, tx, sum, 8, presentHosts, since, until); err != nil {
		return err
	}
	return hashRows(ctx, tx, sum, 7, presentSamplers, until)
}

// hashRows adds the rows of a query, of so many columns.
func hashRows(ctx context.Context, tx *sql.Tx, sum hash.Hash, columns int, query string, args ...any) error {
	values, into := make([]any, columns), make([]any, columns)
	for i := range values {
		into[i] = &values[i]
	}
	return each(ctx, tx, query, args, func(rows *sql.Rows) error {
		err := rows.Scan(into...)
		fmt.Fprintf(sum, "%q\n", values)
		return err
	})
}
