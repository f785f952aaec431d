package procfs

import "time"

// updater brings what is known of processes up to date, reading no more than needed.
type updater struct {
	valueReader
	failures
	entries entryTable // what is known of each process
	scan    uint64     // number of the current scan
	clock   clock      // set by the current scan
	// threadBuffer is what threads are read through; nil until a process is met whose first thread has ended.
	threadBuffer []byte
	sleepAge     time.Duration // sleepAge, but in tests
}
