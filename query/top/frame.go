package top

import (
	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema"
)

// Frame is what a source knows of a time.
type Frame struct {
	At    float64 `json:"at"`   // the time that was asked for, Unix seconds
	Made  float64 `json:"made"` // when the answer was made
	Hosts []Host  `json:"hosts"`
	Rows  []Row   `json:"processes"`
	Ended int     `json:"ended"` // how many ended within the interval before, also those of which there is no row
	// Deaths are the last ends by a signal, for memory, or with a code other than 0, until the time, the newest last.
	Deaths []query.Event `json:"deaths"`
	// Anomalies are the episodes that go on at the time, and Found the last that began within the hour before it, both by when they began.
	Anomalies []query.Anomaly `json:"anomalies"`
	Found     []query.Anomaly `json:"found_anomalies"`
}

// Host is a host at a time.
type Host struct {
	query.HostAt
	BootID       string             `json:"boot_id"`
	Interval     float64            `json:"interval_seconds"`
	Next         float64            `json:"next_time"`    // of its next snapshot; 0 when none has come
	Hole         *query.Hole        `json:"hole"`         // in which the time lies; nil when something was measured then
	Reason       string             `json:"reason"`       // of the hole, as the gaps tell it; empty when they do not
	Coverage     *query.Coverage    `json:"coverage"`     // of the hour before; nil when that is not known
	Capabilities []string           `json:"capabilities"` // what its sampler could see
	CPU          float64            `json:"cpu_percent"`  // of all its processes
	Trend        []query.TrendPoint `json:"trend"`        // of its last snapshots, the newest last
}

// Row is a process of a frame.
type Row struct {
	Host string `json:"host"`
	// Process is shared by the frames of a snapshot: nobody writes to it. It is not nil.
	*query.Process
	End     *query.Event `json:"end"`     // it has ended: its exit
	Missing bool         `json:"missing"` // it lived before and after a hole: nothing is known of its figures
	// ReadRate and WriteRate are MiB a second since the snapshot before; nil when that is not known.
	ReadRate  *float64 `json:"read_mb_per_second"`
	WriteRate *float64 `json:"write_mb_per_second"`
	// NetRate is what it sent and received over IP, the same.
	NetRate *float64 `json:"net_mb_per_second"`
	// Severity is the worst of the episodes about it that go on; empty for none.
	Severity schema.Severity `json:"anomaly_severity"`

	place place
}

// place is where a row stands in a tree or among groups.
type place struct {
	depth  int    // below a root of the tree
	branch string // drawn before the command
	kids   int    // rows below it that are folded away
	group  *group // the row is a group and no process
}

// ID names a process, whatever happens to the list. Two hosts may have the same pid, and a pid is used again.
type ID struct {
	Host  string
	PID   int64
	Start int64 // hundredths of a second after boot
	Group string
}

// ID is the identity of a row.
func (r *Row) ID() ID {
	id := ID{Host: r.Host, PID: r.PID, Start: r.StartTicks}
	if r.place.group != nil {
		id = ID{Group: r.place.group.name}
	}
	return id
}

// group is what belongs together.
type group struct {
	name      string
	processes int
	ended     int
	failed    int
}

// seenOf is what of a frame a time line shows, and when that was: while it stays the same, so does the line.
type seenOf struct {
	snapshot, death, found float64
	made                   int64 // in steps of lineStale
}
