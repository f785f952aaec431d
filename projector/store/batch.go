package store

import "github.com/proctape/proctape/schema"

// Batch is what the fold has made of some messages and the store has not yet written: a list for each table, in the
// order of the messages. The messages themselves stay in use until the batch is written.
type Batch struct {
	Hosts       []Host
	Boots       []Boot
	Rosters     []*Roster // whose newest snapshot changed
	Snapshots   []Snapshot
	Samples     []Sample
	Processes   []*Process // that are new, grew or ended
	Events      []Event
	Execs       []Exec
	Told        map[int64]*ToldEvent // events that have rows, as they are with what a second producer told of them
	JobSamples  map[JobKey]*JobSamples
	StepSamples map[StepKey]*StepSamples
	JobPIDs     []JobPID
	JobSyscalls []JobSyscall
	JobCounts   map[JobKey]*JobCounts
	StepCounts  map[StepKey]*StepCounts
	JobEvents   []JobEvent
	Lives       map[LifeKey]*LifeChange
	Lanes       map[Lane]int64 // until when they are taken, Unix ms
	Rollups     []Rollup
	RunRecords  []RunRecord
	Anomalies   []Anomaly
	Found       []FoundAnomaly
	Memories    map[RuleMemoryKey][]byte // what the rules remember

	HostMinutes    map[HostMinute]*HostFigures // by snapshots
	LifeMinutes    map[HostMinute]*LifeCounts  // by events
	StepCPU        map[StepMinute]int64        // milliseconds, by snapshots
	StepMinutes    map[StepMinute]*LifeFigures // by events
	ProgramMinutes map[ProgramMinute]*LifeFigures

	Producers   []*Producer // that a message came from
	Gaps        []GapChange
	Quarantine  []QuarantineChange
	Quarantined map[QuarantineGroup]int64 // how many messages more
	Checkpoints []Checkpoint
	Doubled     map[string]string    // hosts of which two samplers recorded, and what is told of it
	EndedCPU    map[ProcessKey]int64 // the most CPU, in milliseconds, of processes in the batch that ended
	Stats       Stats

	// NoteTold is whether a gap of the batch tells how the database was made anew.
	NoteTold bool

	Occasions map[Occasion][]int // where the events and execs are, as far as they are gathered
	Gathered  Gathered
}

// Stats counts what has been folded.
type Stats struct {
	Messages    uint64 // folded, whatever came of them
	Snapshots   uint64
	Processes   uint64 // rows of process samples
	Events      uint64
	Duplicates  uint64 // messages that changed nothing
	Quarantined uint64
	Gaps        uint64
	Commits     uint64
}

// Add adds what another counted.
func (s *Stats) Add(o Stats) {
	s.Messages += o.Messages
	s.Snapshots += o.Snapshots
	s.Processes += o.Processes
	s.Events += o.Events
	s.Duplicates += o.Duplicates
	s.Quarantined += o.Quarantined
	s.Gaps += o.Gaps
	s.Commits += o.Commits
}

// NewBatch returns an empty batch.
func NewBatch() *Batch {
	return &Batch{JobSamples: map[JobKey]*JobSamples{}, StepSamples: map[StepKey]*StepSamples{}, JobCounts: map[JobKey]*JobCounts{},
		StepCounts: map[StepKey]*StepCounts{}, Quarantined: map[QuarantineGroup]int64{}, EndedCPU: map[ProcessKey]int64{},
		Doubled: map[string]string{}, Told: map[int64]*ToldEvent{}, Lives: map[LifeKey]*LifeChange{}, Lanes: map[Lane]int64{}, Occasions: map[Occasion][]int{},
		HostMinutes: map[HostMinute]*HostFigures{}, LifeMinutes: map[HostMinute]*LifeCounts{}, StepCPU: map[StepMinute]int64{},
		StepMinutes: map[StepMinute]*LifeFigures{}, ProgramMinutes: map[ProgramMinute]*LifeFigures{}, Memories: map[RuleMemoryKey][]byte{}}
}

// Reset empties the batch, and lets go of the messages.
func (b *Batch) Reset() {
	reset(&b.Hosts)
	reset(&b.Boots)
	reset(&b.Rosters)
	reset(&b.Snapshots)
	reset(&b.Samples)
	reset(&b.Processes)
	reset(&b.Events)
	reset(&b.Execs)
	reset(&b.JobPIDs)
	reset(&b.JobSyscalls)
	reset(&b.JobEvents)
	reset(&b.Rollups)
	reset(&b.RunRecords)
	reset(&b.Anomalies)
	reset(&b.Found)
	reset(&b.Producers)
	reset(&b.Gaps)
	reset(&b.Quarantine)
	reset(&b.Checkpoints)
	clear(b.JobSamples)
	clear(b.StepSamples)
	clear(b.JobCounts)
	clear(b.StepCounts)
	clear(b.Quarantined)
	clear(b.EndedCPU)
	clear(b.Doubled)
	clear(b.Told)
	clear(b.Lives)
	clear(b.Lanes)
	clear(b.Occasions)
	clear(b.HostMinutes)
	clear(b.LifeMinutes)
	clear(b.StepCPU)
	clear(b.StepMinutes)
	clear(b.ProgramMinutes)
	clear(b.Memories)
	b.Stats, b.Gathered, b.NoteTold = Stats{}, Gathered{}, false
}

// reset empties a list and keeps its memory, but none of what its elements point to.
func reset[T any](list *[]T) {
	clear(*list)
	*list = (*list)[:0]
}

// Gathered is how many events and execs of a batch are in its occasions.
type Gathered struct{ Events, Execs uint }

// EventsOn are the places in [Batch.Events] of the events of an occasion.
func (b *Batch) EventsOn(of Occasion) []int {
	for ; b.Gathered.Events < uint(len(b.Events)); b.Gathered.Events++ {
		e := &b.Events[b.Gathered.Events]
		k := Occasion{e.HostID, e.Message.Kind, e.PID}
		b.Occasions[k] = append(b.Occasions[k], int(b.Gathered.Events))
	}
	return b.Occasions[of]
}

// ExecsOn are the places in [Batch.Execs] of the execs of an occasion.
func (b *Batch) ExecsOn(of Occasion) []int {
	for ; b.Gathered.Execs < uint(len(b.Execs)); b.Gathered.Execs++ {
		e := &b.Execs[b.Gathered.Execs]
		k := Occasion{e.HostID, schema.KindExec, e.PID}
		b.Occasions[k] = append(b.Occasions[k], int(b.Gathered.Execs))
	}
	return b.Occasions[of]
}
