package fold

import (
	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

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
	// EventTellers are the lives of producers that told of a host's starts and ends.
	EventTellers(hostID int64) ([]store.EventTeller, error)
	// ToldEvents passes on the events of an occasion that other producers than instance told of.
	ToldEvents(of store.Occasion, bootID, instance string, visit func(store.ToldEvent)) error
	// ToldExecs passes on the execs of a process id that other producers than instance told of.
	ToldExecs(of store.Occasion, bootID, instance string, visit func(schema.Exec)) error
	// OpenLives passes on the lives of a host that go on.
	OpenLives(hostID int64, visit func(store.Life)) error
	// Lanes passes on until when each lane of a step is taken, in Unix ms.
	Lanes(of store.StepLanes, visit func(lane int, until int64)) error
	// RuleMemory is what the rules of a stream remember of a host; nil for nothing.
	RuleMemory(store.RuleMemoryKey) ([]byte, error)
	// Quarantined is how many messages of a group have come.
	Quarantined(store.QuarantineGroup) (int64, error)
}
