package query

import (
	"context"
	"database/sql"
	"slices"
)

const (
	fewSnapshots = 64 // of a host: their heads are read, one by one
	apartShare   = 16 // where one of so many snapshots does not go on from the one before, all heads are read
)

// ofHost is the condition that a snapshot of the alias t is of a host, by its name. A database of an older build has no index of a host's snapshots by time: there the plus
// keeps to the index of all by time.
func (d *DB) ofHost() string {
	if d.goesOn {
		return ` AND t.host_id = (SELECT id FROM hosts WHERE name = ?)`
	}
	return ` AND +t.host_id = (SELECT id FROM hosts WHERE name = ?)`
}

// hostIs is the condition that a row of the alias t is of the range's host; the plus keeps to the index by time.
const hostIs = ` AND (? = '' OR +t.host_id = (SELECT id FROM hosts WHERE name = ?))`

// headReader reads the heads of snapshots of a time.
type headReader struct {
	db           *DB
	since, until float64
	host         string            // empty for all
	periods      map[int64]float64 // of the hosts, the seconds between two snapshots
}

// read passes the snapshots on, those of each host by time. Of a long time it passes on those that tell of all others.
func (h *headReader) read(ctx context.Context, add func(*snapshotRow) error) error {
	together := true // the hosts, in one statement
	for _, period := range h.periods {
		together = together && !(h.db.goesOn && h.until-h.since > fewSnapshots*period)
	}
	if together {
		return h.readAll(ctx, hostIs, []any{h.since, h.until, h.host, h.host}, add)
	}
	for id, period := range h.periods {
		ends, err := h.readEnds(ctx, id, max(fewSnapshots, int((h.until-h.since)/max(period, 1)))/apartShare)
		if err != nil {
			return err
		}
		for i := range ends {
			if err := add(&ends[i]); err != nil {
				return err
			}
		}
		if ends == nil {
			if err := h.readAll(ctx, ` AND t.host_id = ?`, []any{h.since, h.until, id}, add); err != nil {
				return err
			}
		}
	}
	return nil
}

// readAll passes on all snapshots that meet a condition.
func (h *headReader) readAll(ctx context.Context, condition string, args []any, add func(*snapshotRow) error) error {
	row := snapshotRow{}
	return each(ctx, h.db.db, snapshotRows+` WHERE t.timestamp >= ? AND t.timestamp < ?`+condition+` ORDER BY t.timestamp`, args, func(rows *sql.Rows) error {
		if err := row.scan(rows); err != nil {
			return err
		}
		return add(&row)
	})
}

// The ends of the stretches of a host from the time ?2 to ?3: its first and last snapshot, each that does not go on from the one before, unless there are more than ?4 of
// them, and the one before and behind that. With each comes how many there are that do not go on, at most one more than ?4, and how many snapshots there are in all.
const stretchEnds = `WITH apart AS (SELECT id, timestamp FROM snapshots WHERE goes_on IS NULL AND host_id = ?1 AND timestamp >= ?2 AND timestamp < ?3 AND ` + countApart + ` <= ?4)
	SELECT ` + snapshotRowColumns + `, t.seq, t.goes_on IS NOT NULL, ` + countApart + `, (SELECT count(*) FROM snapshots WHERE host_id = ?1 AND timestamp >= ?2 AND timestamp < ?3)
	FROM snapshots t WHERE t.id IN (SELECT id FROM apart
		UNION SELECT (SELECT id FROM snapshots WHERE host_id = ?1 AND timestamp >= ?2 AND (timestamp, id) < (a.timestamp, a.id) ORDER BY timestamp DESC, id DESC LIMIT 1) FROM apart a
		UNION SELECT (SELECT id FROM snapshots WHERE host_id = ?1 AND timestamp < ?3 AND (timestamp, id) > (a.timestamp, a.id) ORDER BY timestamp, id LIMIT 1) FROM apart a
		UNION SELECT * FROM (SELECT id FROM snapshots WHERE host_id = ?1 AND timestamp >= ?2 AND timestamp < ?3 ORDER BY timestamp, id LIMIT 1)
		UNION SELECT * FROM (SELECT id FROM snapshots WHERE host_id = ?1 AND timestamp >= ?2 AND timestamp < ?3 ORDER BY timestamp DESC, id DESC LIMIT 1))
	ORDER BY t.timestamp, t.id`

const countApart = `(SELECT count(*) FROM (SELECT 1 FROM snapshots WHERE goes_on IS NULL AND host_id = ?1 AND timestamp >= ?2 AND timestamp < ?3 LIMIT ?4 + 1))`

// readEnds reads the ends of the stretches of a host, from which all of its snapshots are known: between two of which the later goes on, each goes on from the one
// before. It returns nil when it cannot tell so: there are more than most stretches, or one of the snapshots between was deleted.
func (h *headReader) readEnds(ctx context.Context, host int64, most int) ([]snapshotRow, error) {
	ends := []snapshotRow{}
	last := map[string]int64{} // numbers, by sampler
	var known, all, apart int64
	err := each(ctx, h.db.db, stretchEnds, []any{host, h.since, h.until, most}, func(rows *sql.Rows) error {
		var row snapshotRow
		var seq int64
		var goesOn bool
		if err := row.scan(rows, &seq, &goesOn, &apart, &all); err != nil {
			return err
		}
		row.instance, row.capabilities = slices.Clone(row.instance), slices.Clone(row.capabilities)
		before, there := last[string(row.instance)]
		last[string(row.instance)] = seq
		switch row.joins = goesOn && len(ends) > 0; {
		case row.joins && there:
			known += seq - before
		case !row.joins:
			known++
		}
		ends = append(ends, row)
		return nil
	})
	if err != nil || known != all || apart > int64(most) {
		return nil, err
	}
	return ends, nil
}
