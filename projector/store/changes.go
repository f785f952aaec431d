package store

import (
	"database/sql"
	"fmt"
	"math"
	"time"

	"github.com/proctape/proctape/schema"
)

// AllTime is the time from which a change reaches that may be of any time, Unix ns.
const AllTime = int64(math.MinInt64)

// noChange is the time of a batch that changes nothing that is known of a time.
const noChange = int64(math.MaxInt64)

// NoteChange notes that the transaction changes what is known of the time from a moment on, Unix ns. So a reader knows that what it was
// told of an earlier time still holds (docs/adr/0036-tags.md). Of all changes that are noted, only the last one of each minute counts, and none that
// a later one reaches behind.
func (tx *Tx) NoteChange(from int64) error {
	minute := max(0, from/int64(time.Minute))
	var last int64
	err := tx.Query(`SELECT value FROM meta WHERE key >= ? AND key < ? ORDER BY key DESC LIMIT 1`, func(r *sql.Rows) error { return r.Scan(&last) },
		schema.ChangedKey, schema.ChangedEnd)
	if last == 0 { // another database that was at this place had smaller numbers
		last = time.Now().UnixNano()
	}
	if err == nil {
		_, err = tx.Exec(`DELETE FROM meta WHERE key >= ? AND key < ?`, schema.ChangedFrom(minute), schema.ChangedEnd)
	}
	if err == nil {
		_, err = tx.Exec(`INSERT INTO meta(key, value) VALUES (?, ?)`, schema.ChangedFrom(minute), last+1)
	}
	if err != nil {
		return fmt.Errorf("note what changes: %w", err)
	}
	return nil
}

// noteChange notes what a batch changes.
func noteChange(tx *Tx, b *Batch) error {
	if from := b.changedFrom(); from != noChange {
		return tx.NoteChange(from)
	}
	return nil
}

// changedFrom is the oldest time of which the batch changes what is told of it, Unix ns: by snapshots, events, execs, gaps, rollups and
// episodes. Minutes are of these. What only jobs, runs and lives have does not count.
func (b *Batch) changedFrom() int64 {
	from := noChange
	for i := range b.Snapshots {
		from = min(from, b.Snapshots[i].Message.Wall)
	}
	for i := range b.Events {
		from = min(from, b.Events[i].Wall)
	}
	for i := range b.Execs {
		from = min(from, b.Execs[i].Wall)
	}
	for i := range b.Gaps {
		if from = min(from, b.Gaps[i].From); b.Gaps[i].From == 0 {
			return AllTime
		}
	}
	for i := range b.Anomalies {
		from = min(from, b.Anomalies[i].Message.Anomaly.Started)
	}
	for i := range b.Rollups {
		from = min(from, b.Rollups[i].Message.Rollup.Minute)
	}
	if len(b.Told) > 0 || len(b.Processes) > 0 && len(b.Snapshots) == 0 { // events are told otherwise; or a host's processes end without a snapshot
		return AllTime
	}
	return from
}
