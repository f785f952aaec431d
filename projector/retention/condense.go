package retention

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

// condenser puts rollups in the place of snapshots.
type condenser struct {
	*pass
	roller *roller
}

// rollupBatch is how many minutes of hosts are rolled up before they are waited for and go. They come to the fold
// together, and live messages wait behind them.
const rollupBatch = 8

// run rolls up and deletes what has left full resolution. A minute that cannot be rolled up stays as long as the log may still have its
// snapshots: longer it would hold the log of all hosts.
func (c *condenser) run(ctx context.Context) error {
	return c.condenseOlder(ctx, c.limits.full, schema.MaxAge(c.limits.full))
}

// condenseOlder rolls up and deletes what is older than age, minute by minute. Minutes older than lost that cannot be rolled up go
// without a rollup.
func (c *condenser) condenseOlder(ctx context.Context, age, lost time.Duration) error {
	var batch []hostMinute
	err := c.oldMinutes(ctx, age, func(hm hostMinute) error {
		batch = append(batch, hm)
		if len(batch) < rollupBatch {
			return nil
		}
		err := c.condense(ctx, batch, lost)
		batch = batch[:0]
		return err
	})
	if err != nil {
		return err
	}
	return c.condense(ctx, batch, lost)
}

// condense puts rollups in the place of snapshots: it publishes them, waits until this database has folded them, and
// deletes what they cover.
func (c *condenser) condense(ctx context.Context, batch []hostMinute, lost time.Duration) error {
	if len(batch) == 0 {
		return nil
	}
	if c.writer.dry {
		return c.count(ctx, batch)
	}
	var sent []jetstream.PubAckFuture
	var gone []int64
	unreadable := map[int]bool{}
	for i, hm := range batch {
		future, err := c.roller.publish(ctx, hm)
		switch {
		case err != nil && isGeneral(ctx, err):
			return fmt.Errorf("%s of %s: %w", minuteText(hm), hm.host, err)
		case err != nil:
			unreadable[i] = true
			gone = append(gone, c.spoilt(hm, lost, err)...)
		case future != nil:
			sent = append(sent, future)
		}
	}
	last, err := c.roller.acknowledged(ctx, sent)
	if err != nil {
		return err
	}
	if err := c.writer.waitCommitted(ctx, map[string]uint64{schema.StreamRollups: last}); err != nil {
		return err
	}
	for i, hm := range batch {
		if unreadable[i] {
			continue
		}
		covers, _, err := c.roller.stored(ctx, hm)
		if err != nil {
			return err
		}
		for _, h := range hm.heads {
			if covered(covers, h) {
				gone = append(gone, h.id)
			}
		}
	}
	return c.deleteSnapshots(ctx, gone)
}

// spoilt notes that a minute of a host cannot be rolled up, and returns which of its snapshots go all the same: all when it is older
// than lost, and no damage of the file is to blame, which may be mended.
func (c *condenser) spoilt(hm hostMinute, lost time.Duration, err error) (gone []int64) {
	more := []any{"minute", minuteText(hm), "err", err}
	if store.IsCorrupt(err) || !c.allOlder(hm.heads, lost) {
		c.troubles.note(hm.host, "minutes cannot be rolled up, and their snapshots stay for now", more...)
		return nil
	}
	c.troubles.note(hm.host, "minutes could not be rolled up, and their snapshots go without", more...)
	c.removed.MinutesLost++
	for _, h := range hm.heads {
		gone = append(gone, h.id)
	}
	return gone
}

func minuteText(hm hostMinute) string { return time.Unix(0, hm.minute).UTC().Format(time.RFC3339) }

// count counts what condense would make and take away, and which of what it would make would go at once.
func (c *condenser) count(ctx context.Context, batch []hostMinute) error {
	for _, hm := range batch {
		covers, id, err := c.roller.stored(ctx, hm)
		if err != nil && isGeneral(ctx, err) {
			return err
		} else if err != nil || hm.broken != nil {
			continue // what becomes of it only a pass can tell
		}
		if slices.ContainsFunc(hm.heads, func(h head) bool { return !covered(covers, h) }) {
			c.removed.RollupsMade++
		}
		if h := hm.heads[len(hm.heads)-1]; id == 0 && c.ages.of(h.hostID, h.bootID, h.boot, hm.minute) > c.limits.downsampled {
			c.removed.RollupsDeleted++
		}
		c.removed.Snapshots += int64(len(hm.heads))
		for _, h := range hm.heads {
			first, last := schema.SampleIDs(h.id)
			err := schema.EachRow(ctx, c.read, `SELECT count(*) FROM samples WHERE id BETWEEN ? AND ?`, func(rows *sql.Rows) error {
				var n int64
				err := rows.Scan(&n)
				c.removed.Samples += n
				return err
			}, first, last)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *condenser) deleteSnapshots(ctx context.Context, ids []int64) error {
	return writeAll(ctx, c.writer, ids, &c.removed.Snapshots, func(tx *store.Tx, id int64) error {
		first, last := schema.SampleIDs(id)
		res, err := tx.Exec(`DELETE FROM samples WHERE id BETWEEN ? AND ?`, first, last)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		if err != nil {
			return err
		}
		c.removed.Samples += n
		_, err = tx.Exec(`DELETE FROM snapshots WHERE id = ?`, id)
		return err
	})
}
