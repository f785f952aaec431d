package retention

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

// hosts finds how far each host is, and which of them are live.
type hosts struct{ *pass }

// readAges moves retention's clock on and reads how far each host is.
func (h *hosts) readAges(ctx context.Context) error {
	c, err := loadClock(ctx, h.read)
	if err != nil {
		return err
	}
	now, err := h.clocks()
	if err != nil {
		return err
	}
	c = c.advance(now)
	if err := h.writer.write(ctx, c.save); err != nil {
		return err
	}
	if h.ages, err = h.loadAges(ctx, c.Now); err != nil {
		return err
	}
	return h.noteLive(ctx)
}

// loadAges reads how far each host is. One of which that cannot be read goes by the wall clock.
func (h *hosts) loadAges(ctx context.Context, now int64) (ages, error) {
	a := ages{now: now, newest: map[int64]store.SnapshotMark{}}
	err := h.eachReadable(ctx, "rosters", `SELECT host_id, boot_id, wall_ns, boot_ns FROM rosters`, func(rows *sql.Rows) error {
		var id int64
		var n store.SnapshotMark
		if err := rows.Scan(&id, &n.BootID, &n.Wall, &n.Boot); err != nil {
			return err
		}
		a.newest[id] = n
		return nil
	})
	if err != nil {
		return a, fmt.Errorf("read how far the hosts are: %w", err)
	}
	return a, nil
}

// noteLive finds the hosts whose boot clock went on since the pass before about as retention's did. They send what they
// see now, even when their wall clock is wrong by years. A boot that was not seen before is held to be such a one until
// the next pass can tell.
func (h *hosts) noteLive(ctx context.Context) error {
	before := map[int64]store.SnapshotMark{}
	err := h.eachReadable(ctx, "retention_hosts", `SELECT host_id, boot_id, boot_ns, clock_ns FROM retention_hosts`, func(rows *sql.Rows) error {
		var id int64
		var s store.SnapshotMark
		if err := rows.Scan(&id, &s.BootID, &s.Boot, &s.Wall); err != nil {
			return err
		}
		before[id] = s
		return nil
	})
	if err != nil {
		return fmt.Errorf("read how far the hosts were: %w", err)
	}
	var moved []int64
	for id, n := range h.ages.newest {
		b := before[id]
		if b.BootID == n.BootID && b.Boot == n.Boot {
			continue
		}
		moved = append(moved, id)
		live := goesOn(time.Duration(n.Boot-b.Boot), time.Duration(h.ages.now-b.Wall))
		if b.BootID != n.BootID {
			atOnce, err := h.cameAtOnce(ctx, id, n)
			if err != nil {
				return fmt.Errorf("read when a host's snapshots came: %w", err)
			}
			live = !atOnce // nothing speaks against it
		}
		if live {
			n.Wall = max(n.Wall, h.ages.now)
			h.ages.newest[id] = n
		}
	}
	return writeAll(ctx, h.writer, moved, new(int64), func(tx *store.Tx, id int64) error {
		n := h.ages.newest[id]
		_, err := tx.Exec(`INSERT OR REPLACE INTO retention_hosts(host_id, boot_id, boot_ns, clock_ns) VALUES (?,?,?,?)`,
			id, n.BootID, n.Boot, h.ages.now)
		return err
	})
}

// cameAtOnce reports whether the snapshots of a boot that is seen for the first time came faster than they were made: they
// waited somewhere, and their host may be long gone.
func (h *hosts) cameAtOnce(ctx context.Context, hostID int64, n store.SnapshotMark) (bool, error) {
	if h.js == nil || h.settings.Clocks != nil {
		return false, nil
	}
	var base int64
	var ids, boots []int64
	err := schema.EachRow(ctx, h.read, `SELECT s.id, s.boot_ns, c.id_base FROM snapshots s JOIN checkpoints c ON c.stream = ?
		WHERE s.host_id = ? AND s.boot_id = ? AND s.id IN ((SELECT min(id) FROM snapshots WHERE host_id = ?), (SELECT max(id) FROM snapshots WHERE host_id = ?))
		ORDER BY s.id`, func(rows *sql.Rows) error {
		var id, boot int64
		err := rows.Scan(&id, &boot, &base)
		ids, boots = append(ids, id), append(boots, boot)
		return err
	}, schema.StreamSnapshots, hostID, n.BootID, hostID, hostID)
	if err != nil || len(ids) < 2 || ids[0] <= base {
		return false, err
	}
	stream, err := h.js.Stream(ctx, schema.StreamSnapshots)
	if err != nil {
		return false, err
	}
	var stored [2]time.Time
	for i, id := range ids {
		msg, err := stream.GetMsg(ctx, uint64(id-base))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return false, nil
		} else if err != nil {
			return false, err
		}
		stored[i] = msg.Time
	}
	return time.Duration(boots[1]-boots[0]) > 2*stored[1].Sub(stored[0])+time.Minute, nil
}

// goesOn reports whether a clock that moved by d in the time t may be one that runs now, and not one of messages that
// waited and came all at once.
func goesOn(d, t time.Duration) bool { return d > t/2 && d < t+t/2+time.Minute }
