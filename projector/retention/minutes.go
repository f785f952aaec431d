package retention

import (
	"context"
	"database/sql"
	"fmt"
	"math"
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
	broken error // why one of the heads cannot be read; nil when all can
}

// oldMinutes passes on every minute of a host of which all snapshots are older than age.
func (p *pass) oldMinutes(ctx context.Context, age time.Duration, visit func(hostMinute) error) error {
	const aheadOfTime = int64(time.Hour) // rows from when the wall clock was far ahead: their age is not their wall time
	for _, span := range [][2]int64{{0, p.ages.now - int64(age)}, {p.ages.now + aheadOfTime, math.MaxInt64}} {
		for from := span[0]; ; {
			first, ok, err := p.firstSnapshot(ctx, from)
			if err != nil {
				return err
			}
			if !ok || first >= span[1] {
				break
			}
			minute := schema.MinuteOf(first)
			hosts, err := p.minute(ctx, minute)
			if err != nil {
				return fmt.Errorf("read the snapshots of a minute: %w", err)
			}
			for _, hm := range hosts {
				if p.allOlder(hm.heads, age) {
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
func (p *pass) firstSnapshot(ctx context.Context, from int64) (wall int64, ok bool, err error) {
	err = schema.EachRow(ctx, p.read, `SELECT wall_ns FROM snapshots WHERE timestamp >= ? AND wall_ns >= ? AND typeof(wall_ns) = 'integer'
		ORDER BY timestamp, wall_ns LIMIT 1`,
		func(rows *sql.Rows) error {
			ok = true
			return rows.Scan(&wall)
		}, schema.Timestamp(from), from)
	return wall, ok, err
}

// minute is the snapshots of a minute, by host. One that cannot be read breaks its host's minute, and no other.
func (p *pass) minute(ctx context.Context, minute int64) ([]hostMinute, error) {
	var hosts []hostMinute
	err := schema.EachRow(ctx, p.read, `SELECT s.id, s.host_id, h.name, s.boot_id, s.boot_ns, s.wall_ns, s.instance, s.seq
		FROM snapshots s JOIN hosts h ON h.id = s.host_id
		WHERE s.timestamp BETWEEN ? AND ? ORDER BY s.host_id, s.wall_ns, s.instance, s.seq`,
		func(rows *sql.Rows) error {
			h, err := scanHead(rows)
			if err == nil && schema.MinuteOf(h.wall) != minute { // timestamps round
				return nil
			}
			if n := len(hosts); n == 0 || hosts[n-1].hostID != h.hostID {
				hosts = append(hosts, hostMinute{hostID: h.hostID, host: h.host, minute: minute})
			}
			last := &hosts[len(hosts)-1]
			last.heads = append(last.heads, h)
			if err != nil {
				last.heads[len(last.heads)-1].wall = minute
				last.broken = fmt.Errorf("snapshot %d: %w", h.id, err)
			}
			return nil
		}, schema.Timestamp(minute-1000), schema.Timestamp(minute+int64(time.Minute)+1000))
	return hosts, err
}

// scanHead reads a snapshot without its processes. Its id and its host are read even of one whose other columns cannot be.
func scanHead(rows *sql.Rows) (h head, err error) {
	var instance string
	if err := rows.Scan(&h.id, &h.hostID, &h.host, &h.bootID, &h.boot, &h.wall, &instance, &h.seq); err != nil {
		return h, err
	}
	return h, h.instance.UnmarshalText([]byte(instance))
}

func (p *pass) allOlder(heads []head, age time.Duration) bool {
	for i := range heads {
		if h := &heads[i]; p.ages.of(h.hostID, h.bootID, h.boot, h.wall) <= age {
			return false
		}
	}
	return true
}
