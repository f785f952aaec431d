package projector

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/proctape/proctape/schema"
)

// head is a snapshot without its processes.
type head struct {
	id, hostID int64
	host       string
	bootID     string
	boot, wall int64 // ns
	instance   schema.Instance
	seq        uint64
}

// hostMinute is the snapshots of a host in one minute, oldest first.
type hostMinute struct {
	hostID int64
	host   string
	minute int64 // Unix ns
	heads  []head
}

// rollupBatch is how many minutes of hosts are rolled up before they are waited for and go. They come to the fold
// together, and live messages wait behind them.
const rollupBatch = 8

// expireSnapshots rolls up and deletes what has left full resolution.
func (r *retention) expireSnapshots(ctx context.Context) error {
	return r.expireOlder(ctx, r.limits.full)
}

// expireOlder rolls up and deletes what is older than age, minute by minute.
func (r *retention) expireOlder(ctx context.Context, age time.Duration) error {
	var batch []hostMinute
	err := r.oldMinutes(ctx, age, func(hm hostMinute) error {
		batch = append(batch, hm)
		if len(batch) < rollupBatch {
			return nil
		}
		err := r.condense(ctx, batch)
		batch = batch[:0]
		return err
	})
	if err != nil {
		return err
	}
	return r.condense(ctx, batch)
}

// oldMinutes passes on every minute of a host of which all snapshots are older than age.
func (r *retention) oldMinutes(ctx context.Context, age time.Duration, visit func(hostMinute) error) error {
	const aheadOfTime = int64(time.Hour) // rows from when the wall clock was far ahead: their age is not their wall time
	for _, span := range [][2]int64{{0, r.ages.now - int64(age)}, {r.ages.now + aheadOfTime, math.MaxInt64}} {
		for from := span[0]; ; {
			first, ok, err := r.firstSnapshot(ctx, from)
			if err != nil {
				return err
			}
			if !ok || first >= span[1] {
				break
			}
			minute := schema.MinuteOf(first)
			hosts, err := r.minute(ctx, minute)
			if err != nil {
				return fmt.Errorf("read the snapshots of a minute: %w", err)
			}
			for _, hm := range hosts {
				if r.allOlder(hm.heads, age) {
					if err := visit(hm); err != nil {
						return err
					}
				}
			}
			from = minute + int64(time.Minute)
		}
	}
	return nil
}

// firstSnapshot is the wall time of the oldest snapshot at or after another. Its timestamp, which has an index, may be
// that of a later one, for timestamps round.
func (r *retention) firstSnapshot(ctx context.Context, from int64) (wall int64, ok bool, err error) {
	err = each(ctx, r.db, `SELECT wall_ns FROM snapshots WHERE timestamp >= ? AND wall_ns >= ? ORDER BY timestamp, wall_ns LIMIT 1`,
		func(rows *sql.Rows) error {
			ok = true
			return rows.Scan(&wall)
		}, schema.Timestamp(from), from)
	return wall, ok, err
}

// minute is the snapshots of a minute, by host.
func (r *retention) minute(ctx context.Context, minute int64) ([]hostMinute, error) {
	var hosts []hostMinute
	err := each(ctx, r.db, `SELECT s.id, s.host_id, h.name, s.boot_id, s.boot_ns, s.wall_ns, s.instance, s.seq
		FROM snapshots s JOIN hosts h ON h.id = s.host_id
		WHERE s.timestamp BETWEEN ? AND ? ORDER BY s.host_id, s.wall_ns, s.instance, s.seq`,
		func(rows *sql.Rows) error {
			var h head
			var instance string
			if err := rows.Scan(&h.id, &h.hostID, &h.host, &h.bootID, &h.boot, &h.wall, &instance, &h.seq); err != nil {
				return err
			}
			if schema.MinuteOf(h.wall) != minute { // timestamps round
				return nil
			}
			if err := h.instance.UnmarshalText([]byte(instance)); err != nil {
				return err
			}
			if n := len(hosts); n == 0 || hosts[n-1].hostID != h.hostID {
				hosts = append(hosts, hostMinute{hostID: h.hostID, host: h.host, minute: minute})
			}
			last := &hosts[len(hosts)-1]
			last.heads = append(last.heads, h)
			return nil
		}, schema.Timestamp(minute-1000), schema.Timestamp(minute+int64(time.Minute)+1000))
	return hosts, err
}

func (r *retention) allOlder(heads []head, age time.Duration) bool {
	for i := range heads {
		if h := &heads[i]; r.ages.of(h.hostID, h.bootID, h.boot, h.wall) <= age {
			return false
		}
	}
	return true
}

// condense puts rollups in the place of snapshots: it publishes them, waits until this database has folded them, and
// deletes what they cover.
func (r *retention) condense(ctx context.Context, batch []hostMinute) error {
	if len(batch) == 0 {
		return nil
	}
	if r.dry {
		return r.count(ctx, batch)
	}
	var made []*schema.Message
	for _, hm := range batch {
		m, err := r.rollUp(ctx, hm)
		if err != nil {
			return fmt.Errorf("roll up %s of %s: %w", time.Unix(0, hm.minute).UTC().Format(time.RFC3339), hm.host, err)
		}
		if m != nil {
			made = append(made, m)
		}
	}
	last, err := r.publish(ctx, made)
	if err != nil {
		return err
	}
	if err := r.waitFolded(ctx, map[string]uint64{schema.StreamRollups: last}); err != nil {
		return err
	}
	var gone []int64
	for _, hm := range batch {
		covers, _, err := r.stored(ctx, hm)
		if err != nil {
			return err
		}
		for _, h := range hm.heads {
			if covered(covers, h) {
				gone = append(gone, h.id)
			}
		}
	}
	return r.deleteSnapshots(ctx, gone)
}

// count counts what condense would make and take away, and which of what it would make would go at once.
func (r *retention) count(ctx context.Context, batch []hostMinute) error {
	for _, hm := range batch {
		covers, id, err := r.stored(ctx, hm)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(hm.heads, func(h head) bool { return !covered(covers, h) }) {
			r.removed.Rollups++
		}
		if h := hm.heads[len(hm.heads)-1]; id == 0 && r.ages.of(h.hostID, h.bootID, h.boot, hm.minute) > r.limits.downsampled {
			r.removed.Minutes++
		}
		r.removed.Snapshots += int64(len(hm.heads))
		for _, h := range hm.heads {
			err := each(ctx, r.db, `SELECT count(*) FROM samples WHERE snapshot_id = ?`, func(rows *sql.Rows) error {
				var n int64
				err := rows.Scan(&n)
				r.removed.Samples += n
				return err
			}, h.id)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// stored is which snapshots the rollup of a host's minute covers, and its row id; 0 when there is none.
func (r *retention) stored(ctx context.Context, hm hostMinute) (covers []schema.Cover, id int64, err error) {
	var text string
	err = each(ctx, r.db, `SELECT id, covers FROM rollups WHERE host_id = ? AND timestamp = ?`,
		func(rows *sql.Rows) error { return rows.Scan(&id, &text) }, hm.hostID, schema.Timestamp(hm.minute))
	if err != nil || id == 0 {
		return nil, 0, err
	}
	if covers, err = coversIn(text); err != nil {
		return nil, 0, fmt.Errorf("rollup %d: %w", id, err)
	}
	return covers, id, nil
}

// coversIn reads the spans that coversText wrote.
func coversIn(text string) ([]schema.Cover, error) {
	var spans []cover
	if err := json.Unmarshal([]byte(text), &spans); err != nil {
		return nil, fmt.Errorf("read which snapshots it covers: %w", err)
	}
	covers := make([]schema.Cover, len(spans))
	for i, s := range spans {
		covers[i] = s.Cover
	}
	return covers, nil
}

// cover is a span as coversText writes it.
type cover struct{ schema.Cover }

// UnmarshalJSON implements json.Unmarshaler.
func (c *cover) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[]any{&c.Instance, &c.First, &c.Last})
}

func covered(covers []schema.Cover, h head) bool {
	for _, c := range covers {
		if c.Has(h.instance, h.seq) {
			return true
		}
	}
	return false
}

func (r *retention) deleteSnapshots(ctx context.Context, ids []int64) error {
	return writeAll(ctx, r, ids, &r.removed.Snapshots, func(f *fold, id int64) error {
		res, err := f.db.exec(`DELETE FROM samples WHERE snapshot_id = ?`, id)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		if err != nil {
			return err
		}
		r.removed.Samples += n
		_, err = f.db.exec(`DELETE FROM snapshots WHERE id = ?`, id)
		return err
	})
}
