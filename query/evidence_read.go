package query

import (
	"cmp"
	"context"
	"database/sql"
	"math"
	"slices"

	"github.com/proctape/proctape/schema"
)

// evidenceReader reads what a database has of a range, host by host.
type evidenceReader struct {
	db      *DB
	r       Range
	hosts   []*evidence
	byID    map[int64]*evidence
	longest float64 // the longest that a snapshot tells of the time before it, in seconds
}

// readEvidence returns what there is of each host, by name.
func readEvidence(ctx context.Context, db *DB, r Range) ([]*evidence, error) {
	e := &evidenceReader{db: db, r: r, byID: map[int64]*evidence{}, longest: 60}
	for _, read := range []func(context.Context) error{e.readHosts, e.readSnapshots, e.readMinutes, e.readSamplers, e.readGaps, e.readNotCome, e.readTrimmed} {
		if err := read(ctx); err != nil {
			return nil, err
		}
	}
	for id, h := range e.byID {
		if err := h.readForks(ctx, db, id); err != nil {
			return nil, err
		}
	}
	for _, h := range e.hosts {
		if taken := joined(h.taken); len(h.heard) == 0 && len(taken) > 0 { // nobody says when its samplers were there
			h.heard, h.began = taken, taken[0].from
		}
		slices.SortStableFunc(h.views, func(a, b viewed) int { return cmp.Compare(a.from, b.from) })
	}
	return e.hosts, nil
}

func (e *evidenceReader) readHosts(ctx context.Context) error {
	return each(ctx, e.db.db, `SELECT h.id, h.name, coalesce(r.wall_ns / 1e9, 0), coalesce(r.interval_ns / 1e9, 0) FROM hosts h
		LEFT JOIN rosters r ON r.host_id = h.id WHERE h.name <> ?1 AND (?2 = '' OR h.name = ?2) ORDER BY h.name`, []any{schema.Fleet, e.r.Host},
		func(rows *sql.Rows) error {
			h := &evidence{stretch: stretch{e.r.Since, e.r.Until}, eventsFrom: math.Inf(-1), began: math.Inf(1)}
			var id int64
			err := rows.Scan(&id, &h.host, &h.newest, &h.period)
			e.hosts, e.byID[id] = append(e.hosts, h), h
			e.longest = max(e.longest, schema.LateBy*h.period)
			return err
		})
}

// readSnapshots reads of which time snapshots tell, and what their samplers saw.
func (e *evidenceReader) readSnapshots(ctx context.Context) error {
	readers := map[int64]*snapshotReader{}
	heads := headReader{db: e.db, since: e.r.Since - e.longest, until: e.r.Until, host: e.r.Host, periods: map[int64]float64{}}
	for id, h := range e.byID {
		heads.periods[id] = h.period
	}
	if err := heads.read(ctx, func(row *snapshotRow) error {
		h := e.byID[row.host]
		if h == nil { // it came meanwhile
			return nil
		}
		if readers[row.host] == nil {
			readers[row.host] = newSnapshotReader(h)
		}
		return readers[row.host].add(row)
	}); err != nil {
		return err
	}
	row := snapshotRow{}
	for id, h := range e.byID {
		if readers[id] == nil { // what its sampler saw last is the best that is known
			readers[id] = newSnapshotReader(h)
			err := each(ctx, e.db.db, snapshotRows+` WHERE t.id = (SELECT last_snapshot FROM rosters WHERE host_id = ?)`, []any{id}, func(rows *sql.Rows) error {
				if err := row.scan(rows); err != nil {
					return err
				}
				return readers[id].addView(&row)
			})
			if err != nil {
				return err
			}
		}
		if err := readers[id].finish(ctx, e.db); err != nil {
			return err
		}
	}
	return nil
}

// readMinutes reads of which time only minutes are left.
func (e *evidenceReader) readMinutes(ctx context.Context) error {
	return each(ctx, e.db.db, `SELECT t.host_id, t.timestamp, min(60, t.samples * t.interval_ns / 1e9) FROM rollups t
		WHERE t.timestamp > ? - 60 AND t.timestamp < ?`+hostIs, []any{e.r.Since, e.r.Until, e.r.Host, e.r.Host}, func(rows *sql.Rows) error {
		var id int64
		var at, seconds float64
		err := rows.Scan(&id, &at, &seconds)
		if seconds > 45 { // a snapshot may fall into the minute beside
			seconds = 60
		}
		if h := e.byID[id]; h != nil {
			h.taken = append(h.taken, stretch{at, at + seconds})
		}
		return err
	})
}

// readSamplers reads when samplers were there: from the first to the last message of each. Nothing of a newest one may come for some
// periods before it counts as gone.
func (e *evidenceReader) readSamplers(ctx context.Context) error {
	return each(ctx, e.db.db, `SELECT t.host_id, min(t.first_ns) / 1e9, max(t.last_ns) / 1e9 FROM producers t JOIN hosts h ON h.id = t.host_id
		WHERE t.first_ns > 0 AND (?1 = '' OR h.name = ?1) GROUP BY t.host_id, t.instance HAVING max(t.kind = ?2) ORDER BY 3`, []any{e.r.Host, schema.KindSnapshot},
		func(rows *sql.Rows) error {
			var id int64
			var s stretch
			err := rows.Scan(&id, &s.from, &s.to)
			h := e.byID[id]
			if h == nil {
				return err
			}
			if s.to >= h.newest {
				s.to += h.quiet()
			}
			h.heard, h.began = append(h.heard, s), min(h.began, s.from)
			return err
		})
}

func (e *evidenceReader) readGaps(ctx context.Context) error {
	gaps, err := Gaps(ctx, e.db, Range{Since: e.r.Since, Until: e.r.Until}, "")
	for i := range gaps {
		for _, h := range e.hosts {
			if gaps[i].Host == "" || gaps[i].Host == h.host {
				h.gaps = append(h.gaps, gaps[i])
			}
		}
	}
	return err
}

// readNotCome reads how many items samplers made after all that has come of them.
func (e *evidenceReader) readNotCome(ctx context.Context) error {
	gaps, err := NotCome(ctx, e.db, e.r.Until, e.r.Host)
	for i := range gaps {
		for _, h := range e.hosts {
			if h.host == gaps[i].Host {
				h.notCome = schema.AddSaturated(h.notCome, *gaps[i].Count)
			}
		}
	}
	return err
}

// readTrimmed reads where the events begin that retention has left.
func (e *evidenceReader) readTrimmed(ctx context.Context) error {
	var from sql.Null[float64]
	err := e.db.db.QueryRowContext(ctx, `SELECT min(timestamp) FROM process_events
		WHERE EXISTS (SELECT 1 FROM retention_passes WHERE json_extract(removed, '$.events') > 0)`).Scan(&from)
	for _, h := range e.hosts {
		if from.Valid {
			h.eventsFrom = from.V
		}
	}
	return err
}
