package fold

import (
	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

// rollups folds rollups.
type rollups struct{ tables Tables }

// add adds a rollup, in place of one of the same minute with fewer snapshots in it. Rollups have no number in a
// producer's count: a message is named by what it covers.
func (r rollups) add(to place, m *schema.Message) error {
	old, samples, err := r.newest(to.batch, to.hostID, m.Rollup.Minute)
	if err != nil {
		return err
	}
	if samples >= m.Rollup.Samples {
		to.batch.Stats.Duplicates++
		return nil
	}
	to.batch.Rollups = append(to.batch.Rollups, store.Rollup{ID: to.rowID, HostID: to.hostID, Message: m, Replaces: old})
	return nil
}

// newest is the rollup there is of a host's minute, in the batch or in the table.
func (r rollups) newest(batch *store.Batch, hostID, minute int64) (id, samples int64, err error) {
	for i := len(batch.Rollups) - 1; i >= 0; i-- {
		if b := &batch.Rollups[i]; b.HostID == hostID && b.Message.Rollup.Minute == minute {
			return b.ID, b.Message.Rollup.Samples, nil
		}
	}
	return r.tables.Rollup(hostID, schema.Timestamp(minute))
}
