package retention

import (
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
