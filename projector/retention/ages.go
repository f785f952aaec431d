package retention

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/proctape/proctape/projector/store"
)

// ages tells how old a row is.
type ages struct {
	now    int64                        // Unix ns, by retention's clock
	newest map[int64]store.SnapshotMark // the newest snapshot of each host, by id
}

// of is the age of what a host recorded. In the boot in which the host still is, its boot clock tells, whatever its
// wall clock did meanwhile.
func (a ages) of(hostID int64, bootID string, boot, wall int64) time.Duration {
	n, ok := a.newest[hostID]
	if !ok || n.BootID != bootID || boot == 0 { // 0: a producer that does not tell its boot clock
		return time.Duration(a.now - wall)
	}
	return time.Duration(n.Boot - boot + max(0, a.now-n.Wall))
}

func loadAges(ctx context.Context, db *sql.DB, now int64) (ages, error) {
	a := ages{now: now, newest: map[int64]store.SnapshotMark{}}
	err := each(ctx, db, `SELECT host_id, boot_id, wall_ns, boot_ns FROM rosters`, func(rows *sql.Rows) error {
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
