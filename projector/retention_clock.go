package projector

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/schema"
)

// reading is what this machine's clocks say.
type reading struct {
	wall   int64 // Unix ns
	boot   int64 // CLOCK_BOOTTIME ns
	bootID string
	synced bool // the kernel holds the wall clock to be synchronised (adjtimex(2))
}

func readClocks() (reading, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return reading{}, fmt.Errorf("read the boot id: %w", err)
	}
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return reading{}, fmt.Errorf("read the boot clock: %w", err)
	}
	var tx unix.Timex
	_, err = unix.Adjtimex(&tx) // with no mode it only reads
	synced := err == nil && tx.Status&unix.STA_UNSYNC == 0
	return reading{time.Now().UnixNano(), ts.Nano(), strings.TrimSpace(string(id)), synced}, nil
}

// clock is the time that retention goes by: a wall clock that does not follow a jump forward, for a jump would make
// all there is look old. It is kept in the database (docs/adr/0009-retention-clock.md).
type clock struct {
	Now    int64  `json:"now"` // Unix ns
	Boot   int64  `json:"boot_ns"`
	BootID string `json:"boot_id"`
}

// advance is the clock at a new reading. Within a boot of the machine it goes on with the boot clock; a wall clock that
// is behind it is believed, for that can only keep more, and one that is ahead only when the kernel vouches for it.
// Across a boot nobody has watched the time, and the wall clock stands alone.
func (c clock) advance(r reading) clock {
	now := r.wall
	if c.BootID == r.bootID && !r.synced {
		now = min(now, c.Now+r.boot-c.Boot)
	}
	return clock{now, r.boot, r.bootID}
}

// ages tells how old a row is.
type ages struct {
	now    int64           // Unix ns, by retention's clock
	newest map[int64]sight // the newest snapshot of each host, by id
}

// of is the age of what a host recorded. In the boot in which the host still is, its boot clock tells, whatever its
// wall clock did meanwhile.
func (a ages) of(hostID int64, bootID string, boot, wall int64) time.Duration {
	n, ok := a.newest[hostID]
	if !ok || n.bootID != bootID || boot == 0 { // 0: a producer that does not tell its boot clock
		return time.Duration(a.now - wall)
	}
	return time.Duration(n.boot - boot + max(0, a.now-n.wall))
}

// limits are the times by which rows go, from the policy.
type limits struct{ full, downsampled, events time.Duration }

func limitsOf(p schema.Policy) limits {
	p = p.WithDefaults()
	return limits{p.FullResolution, p.Downsampled, p.Events}
}

// readAges moves retention's clock on and reads how far each host is.
func (r *retention) readAges(ctx context.Context) error {
	c, err := loadClock(ctx, r.db)
	if err != nil {
		return err
	}
	now, err := r.now()
	if err != nil {
		return err
	}
	c = c.advance(now)
	if err := r.write(ctx, c.save); err != nil {
		return err
	}
	if r.ages, err = loadAges(ctx, r.db, c.Now); err != nil {
		return err
	}
	return r.noteLive(ctx)
}

// noteLive finds the hosts whose boot clock went on since the pass before about as retention's did. They send what they
// see now, even when their wall clock is wrong by years. A boot that was not seen before is held to be such a one until
// the next pass can tell.
func (r *retention) noteLive(ctx context.Context) error {
	before := map[int64]sight{}
	err := each(ctx, r.db, `SELECT host_id, boot_id, boot_ns, clock_ns FROM retention_hosts`, func(rows *sql.Rows) error {
		var id int64
		var s sight
		err := rows.Scan(&id, &s.bootID, &s.boot, &s.wall)
		before[id] = s
		return err
	})
	if err != nil {
		return fmt.Errorf("read how far the hosts were: %w", err)
	}
	var moved []int64
	for id, n := range r.ages.newest {
		b := before[id]
		if b.bootID == n.bootID && b.boot == n.boot {
			continue
		}
		moved = append(moved, id)
		live := goesOn(time.Duration(n.boot-b.boot), time.Duration(r.ages.now-b.wall))
		if b.bootID != n.bootID {
			atOnce, err := r.cameAtOnce(ctx, id, n)
			if err != nil {
				return fmt.Errorf("read when a host's snapshots came: %w", err)
			}
			live = !atOnce // nothing speaks against it
		}
		if live {
			n.wall = max(n.wall, r.ages.now)
			r.ages.newest[id] = n
		}
	}
	return writeAll(ctx, r, moved, new(int64), func(f *fold, id int64) error {
		n := r.ages.newest[id]
		_, err := f.db.exec(`INSERT OR REPLACE INTO retention_hosts(host_id, boot_id, boot_ns, clock_ns) VALUES (?,?,?,?)`,
			id, n.bootID, n.boot, r.ages.now)
		return err
	})
}

// cameAtOnce reports whether the snapshots of a boot that is seen for the first time came faster than they were made: they
// waited somewhere, and their host may be long gone.
func (r *retention) cameAtOnce(ctx context.Context, hostID int64, n sight) (bool, error) {
	if r.js == nil || r.simulated {
		return false, nil
	}
	var base int64
	var ids, boots []int64
	err := each(ctx, r.db, `SELECT s.id, s.boot_ns, c.id_base FROM snapshots s JOIN checkpoints c ON c.stream = ?
		WHERE s.host_id = ? AND s.boot_id = ? AND s.id IN ((SELECT min(id) FROM snapshots WHERE host_id = ?), (SELECT max(id) FROM snapshots WHERE host_id = ?))
		ORDER BY s.id`, func(rows *sql.Rows) error {
		var id, boot int64
		err := rows.Scan(&id, &boot, &base)
		ids, boots = append(ids, id), append(boots, boot)
		return err
	}, schema.StreamSnapshots, hostID, n.bootID, hostID, hostID)
	if err != nil || len(ids) < 2 || ids[0] <= base {
		return false, err
	}
	stream, err := r.js.Stream(ctx, schema.StreamSnapshots)
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

func loadClock(ctx context.Context, db *sql.DB) (clock, error) {
	var c clock
	var text string
	err := db.QueryRowContext(ctx, `SELECT value FROM meta WHERE key = 'retention_clock'`).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return c, nil
	} else if err != nil {
		return c, fmt.Errorf("read retention's clock: %w", err)
	}
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return c, fmt.Errorf("read retention's clock: %w", err)
	}
	return c, nil
}

func (c clock) save(f *fold) error {
	text, _ := json.Marshal(c) // numbers and a string always encode
	_, err := f.db.exec(`INSERT INTO meta(key, value) VALUES ('retention_clock', ?)
		ON CONFLICT(key) DO UPDATE SET value = excluded.value`, string(text))
	return err
}

func loadAges(ctx context.Context, db *sql.DB, now int64) (ages, error) {
	a := ages{now: now, newest: map[int64]sight{}}
	err := each(ctx, db, `SELECT host_id, boot_id, wall_ns, boot_ns FROM rosters`, func(rows *sql.Rows) error {
		var id int64
		var n sight
		if err := rows.Scan(&id, &n.bootID, &n.wall, &n.boot); err != nil {
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
