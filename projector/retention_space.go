package projector

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// pages is how large the database file is.
type pages struct{ size, count, free int64 }

func (p pages) used() int64 { return (p.count - p.free) * p.size }

func (r *retention) pages(ctx context.Context) (p pages, err error) {
	err = r.db.QueryRowContext(ctx, `SELECT page_size, page_count, freelist_count FROM pragma_page_size, pragma_page_count, pragma_freelist_count`).
		Scan(&p.size, &p.count, &p.free)
	if err != nil {
		return p, fmt.Errorf("read the size of the database: %w", err)
	}
	return p, nil
}

// capRounds bounds how often the cap is looked at in one pass: each round goes most of the way.
const capRounds = 20

// cap deletes before its time what does not fit under the cap: the oldest snapshots first, rolled up as always, then the
// oldest rollups, then the oldest events.
func (r *retention) cap(ctx context.Context) error {
	if r.cfg.MaxBytes == 0 || r.dry { // what a cut leaves cannot be told without making it
		return nil
	}
	for range capRounds {
		p, err := r.pages(ctx)
		if err != nil || p.used() <= r.cfg.MaxBytes {
			return err
		}
		excess := 1 - 0.9*float64(r.cfg.MaxBytes)/float64(p.used())
		r.log.Warn("the database is above its cap; the oldest goes before its time", "bytes", p.used(), "cap", r.cfg.MaxBytes)
		cut := false
		for _, level := range []struct {
			table string
			do    func(context.Context, time.Duration) error
		}{{"snapshots", r.expireOlder}, {"rollups", r.expireRollupsOlder}, {"process_events", r.expireEventsOlder}} {
			age, ok, err := r.cutAge(ctx, level.table, excess)
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

// cutAge is the age that a share of a table's time is older than. It is not ok when the table holds too little to tell.
func (r *retention) cutAge(ctx context.Context, table string, share float64) (age time.Duration, ok bool, err error) {
	var first, last sql.NullFloat64
	err = r.db.QueryRowContext(ctx, `SELECT min(timestamp), max(timestamp) FROM `+table).Scan(&first, &last)
	if err != nil {
		return 0, false, fmt.Errorf("read how far table %s goes back: %w", table, err)
	}
	const least = 180 // seconds
	if !first.Valid || last.Float64-first.Float64 < least {
		return 0, false, nil
	}
	cut := first.Float64 + max(60, share*(last.Float64-first.Float64))
	return time.Duration(r.ages.now - int64(cut*1e9)), true, nil
}

// slack is how many free bytes the file may keep: what comes next needs them.
const slack = 4 << 20

// vacuum gives free pages back to the file system, some at a time.
func (r *retention) vacuum(ctx context.Context) error {
	before, err := r.pages(ctx)
	if err != nil || r.dry {
		return err
	}
	keep := max(slack, before.used()/20)
	for n, p := int64(64), before; p.free*p.size > keep; {
		n = min(n, (p.free*p.size-keep)/p.size+1)
		began := time.Now()
		err := r.write(ctx, func(f *fold) error {
			return f.db.query(fmt.Sprintf(`PRAGMA incremental_vacuum(%d)`, n), func(*sql.Rows) error { return nil })
		})
		if err != nil {
			return err
		}
		if took := time.Since(began); took < choreTime {
			n *= 2
		} else if took > 2*choreTime {
			n = max(n/2, 16)
		}
		after, err := r.pages(ctx)
		if err != nil {
			return err
		}
		if after.count >= p.count {
			break // a database that was made without auto_vacuum
		}
		p = after
		r.removed.Bytes = (before.count - p.count) * p.size
	}
	return nil
}
