package lifecycle

import (
	"github.com/proctape/proctape/producer/lifecycle/netlink"
	"github.com/proctape/proctape/schema"
)

// A tracker turns the kernel's events of threads into events of processes. It does no I/O except by the two functions that
// it is given.
//
// A process begins with its fork. Its end is not the end of its first thread: that may leave others behind, or be
// replaced by another thread that executes a program. It is the end of the thread of which taskstats says that it was
// the last; where no record says so, that of the last of the threads that were counted since the fork; and where the
// count is not known, because the process is older than the tracker or events were lost, the end of the first thread if
// the process is not alive after it.
//
// The kernel sends a thread's record before its exit event. So a poll reads events first, then records, and then has a
// record for each exit. Records wait here for their exits, and exits that miss theirs wait for [EventDelay].
//
// Kernel threads are left out.
type tracker struct {
	endings
	toDescribe []*process // the processes that are new, or execute another program
	scans      int        // that were observed
}

func newTracker(describe func(int) (Description, bool), alive func(int) bool, records bool) *tracker {
	state := &trackerState{sources: sources{SourceConnector, SourceTaskstats}}
	t := &tracker{endings: endings{
		trackerState: state, describe: describe, alive: alive, records: records, mayHaveUnknown: true, live: map[int]*process{},
		eventQueue:  eventQueue{trackerState: state, limit: maxPending, lossLog: lossLog{state, map[schema.GapKind]*pendingLoss{}}},
		recordStore: recordStore{state, map[int][]heldRecord{}},
	}}
	t.ended = t.hasEnded
	return t
}

// A batch is what a poll read.
type batch struct {
	clocks
	events      []netlink.Event
	commands    map[int]string // of execs, by the place among the events, where the source has them
	overrun     bool           // events were dropped
	lostEvents  int64          // how many, beside those that the events count; 0: not known
	records     []netlink.Record
	recordsLost bool
}

// command is the command line of the exec that is event i; empty when it is not known.
func (b *batch) command(i int) string { return b.commands[i] }
