package fold

import "github.com/proctape/proctape/projector/store"

// Tables is what the fold reads of the database: what was committed before the batch.
type Tables interface {
	// Roster is what is known of a host's snapshots and processes.
	Roster(hostID int64) (store.RosterContents, error)
	// Producer is what is known of one kind of one life of a producer, with its holes.
	Producer(store.ProducerKey) (store.Producer, error)
	// CPUBefore is the most CPU, in milliseconds, that any row has of a process; 0 when there is none.
	CPUBefore(store.ProcessKey) (int64, error)
	// Rollup is the rollup of a host's minute: its id, and how many snapshots are in it. The id is 0 for none.
	Rollup(hostID int64, minute float64) (id, samples int64, err error)
	// Quarantined is how many messages of a group have come.
	Quarantined(store.QuarantineGroup) (int64, error)
}
