package retention

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

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

// run rolls up and deletes what has left full resolution.
func (c *condenser) run(ctx context.Context) error { return c.condenseOlder(ctx, c.limits.full) }

// condenseOlder rolls up and deletes what is older than age, minute by minute.
func (c *condenser) condenseOlder(ctx context.Context, age time.Duration) error {
	var batch []hostMinute
	err := c.oldMinutes(ctx, age, func(hm hostMinute) error {
		batch = append(batch, hm)
		if len(batch) < rollupBatch {
			return nil
		}
		err := c.condense(ctx, batch)
		batch = batch[:0]
		return err
	})
	if err != nil {
		return err
	}
	return c.condense(ctx, batch)
}

// condense puts rollups in the place of snapshots: it publishes them, waits until this database has folded them, and
// deletes what they cover.
func (c *condenser) condense(ctx context.Context, batch []hostMinute) error {
	if len(batch) == 0 {
		return nil
	}
	if c.writer.dry {
		return c.count(ctx, batch)
	}
	var made []*schema.Message
	for _, hm := range batch {
		m, err := c.roller.rollUp(ctx, hm)
		if err != nil {
			return fmt.Errorf("roll up %s of %s: %w", time.Unix(0, hm.minute).UTC().Format(time.RFC3339), hm.host, err)
		}
		if m == nil {
			continue
		}
		if err := m.Validate(); err != nil { // from before there were bounds: one host's rows stop no other's retention
			c.log.Warn("a minute cannot be rolled up, and its snapshots stay", "host", hm.host,
				"minute", time.Unix(0, hm.minute).UTC(), "err", err)
			continue
		}
		made = append(made, m)
	}
	last, err := c.roller.publish(ctx, made)
	if err != nil {
		return err
	}
	if err := c.writer.waitCommitted(ctx, map[string]uint64{schema.StreamRollups: last}); err != nil {
		return err
	}
	var gone []int64
	for _, hm := range batch {
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

// count counts what condense would make and take away, and which of what it would make would go at once.
func (c *condenser) count(ctx context.Context, batch []hostMinute) error {
	for _, hm := range batch {
		covers, id, err := c.roller.stored(ctx, hm)
		if err != nil {
			return err
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
			err := each(ctx, c.read, `SELECT count(*) FROM samples WHERE id BETWEEN ? AND ?`, func(rows *sql.Rows) error {
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
