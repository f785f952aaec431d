package retention

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema/trouble"
)

// space keeps the database file below its cap, and gives free pages back.
type space struct {
	*pass
	condenser *condenser
	expirer   *expirer
}

// pages is how large the database file is.
type pages struct{ size, count, free int64 }

func (p pages) used() int64 { return (p.count - p.free) * p.size }

func (s *space) pages(ctx context.Context) (p pages, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT page_size, page_count, freelist_count FROM pragma_page_size, pragma_page_count, pragma_freelist_count`).
		Scan(&p.size, &p.count, &p.free)
	if err != nil {
		return p, fmt.Errorf("read the size of the database: %w", err)
	}
	return p, nil
}

// capRounds bounds how often the cap is looked at in one pass: each round goes most of the way.
const capRounds = 20

// enforceMaxBytes deletes before its time what does not fit under the cap: the oldest snapshots first, rolled up as always, then the
// oldest rollups, then the oldest events.
func (s *space) enforceMaxBytes(ctx context.Context) error {
	if s.settings.MaxBytes == 0 || s.writer.dry { // what a cut leaves cannot be told without making it
		return nil
	}
	for round := range capRounds {
		p, err := s.pages(ctx)
		if err != nil || p.used() <= s.settings.MaxBytes {
			if err == nil && round == 0 {
				s.trouble.End(reporting, trouble.OverCap, "", "the oldest, which went before its time")
			}
			return err
		}
		excess := 1 - 0.9*float64(s.settings.MaxBytes)/float64(p.used())
		s.trouble.Begin(reporting, trouble.Trouble{Kind: trouble.OverCap, Reason: "there is more than the cap allows",
			Figures: map[string]int64{"bytes": p.used(), "cap_bytes": s.settings.MaxBytes}})
		cut := false
		for _, level := range []struct {
			table string
			do    func(context.Context, time.Duration) error
		}{{"snapshots", s.condenseOlder}, {"rollups", s.expirer.expireRollupsOlder}, {"process_events", s.expirer.expireEventsOlder}} {
			age, ok, err := s.cutAge(ctx, level.table, excess)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			if err := level.do(ctx, age); err != nil {
				return err
			}
			cut = true
			break
		}
		if !cut {
			return nil // what is left is no more than a few minutes of anything
		}
	}
	return nil
}

// condenseOlder is the condenser's, for the sake of space: what cannot be rolled up goes too.
func (s *space) condenseOlder(ctx context.Context, age time.Duration) error {
	return s.condenser.condenseOlder(ctx, age, age)
}

// cutAge is the age that a share of a table's rows is older than. Rows, and not time, are shared out: one host whose clock is years
// ahead or behind moves nobody's. It is not ok when the table holds too little to tell.
func (s *space) cutAge(ctx context.Context, table string, share float64) (age time.Duration, ok bool, err error) {
	var first, last, cut sql.NullFloat64
	err = s.read.QueryRowContext(ctx, fmt.Sprintf(`SELECT min(timestamp), max(timestamp), (SELECT timestamp FROM %[1]s ORDER BY timestamp
		LIMIT 1 OFFSET CAST(? * (SELECT count(*) FROM %[1]s) AS INTEGER)) FROM %[1]s`, table), share).Scan(&first, &last, &cut)
	if err != nil {
		return 0, false, fmt.Errorf("read how far table %s goes back: %w", table, err)
	}
	const least = 180 // seconds
	if !cut.Valid || last.Float64-first.Float64 < least {
		return 0, false, nil
	}
	return time.Duration(s.ages.now - int64(max(first.Float64+60, cut.Float64)*1e9)), true, nil
}

// slack is how many free bytes the file may keep: what comes next needs them.
const slack = 4 << 20

// vacuum gives free pages back to the file system, some at a time.
func (s *space) vacuum(ctx context.Context) error {
	before, err := s.pages(ctx)
	if err != nil || s.writer.dry {
		return err
	}
	keep := max(slack, before.used()/20)
	for n, p := int64(64), before; p.free*p.size > keep; {
		n = min(n, (p.free*p.size-keep)/p.size+1)
		began := time.Now()
		err := s.writer.write(ctx, func(tx *store.Tx) error {
			return tx.Query(fmt.Sprintf(`PRAGMA incremental_vacuum(%d)`, n), func(*sql.Rows) error { return nil })
		})
		if err != nil {
			return err
		}
		if took := time.Since(began); took < WriteTime {
			n *= 2
		} else if took > 2*WriteTime {
			n = max(n/2, 16)
		}
		after, err := s.pages(ctx)
		if err != nil {
			return err
		}
		if after.count >= p.count {
			break // a database that was made without auto_vacuum
		}
		p = after
		s.removed.Bytes = (before.count - p.count) * p.size
	}
	return nil
}
