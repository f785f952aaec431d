package union

import "slices"

// offset says what is added to the ids of a column.
type offset int

const (
	own      offset = iota // nothing: it is no id, or one that is the same wherever it is
	snapshot               // of its log, times 2^36: a sequence
	message                // of its log, times 2^58: a sequence and the place of an item in the message; or a snapshot's and a pid
	process                // of its database, times 2^36: a count
)

// origin is where a database stands: among the logs, and among the databases.
type origin struct{ log, place int64 }

// never is greater than any id: where it stands for one, it is left as it is.
const never = 1 << 62

// offsetOf is the offset of a table's column.
func offsetOf(table, column string) offset {
	switch {
	case column == "process_id" && table == "samples", column == "id" && table == "processes":
		return process
	case slices.Contains([]string{"first_snapshot", "last_snapshot", "snapshot_id"}, column), column == "id" && table == "snapshots":
		return snapshot
	case slices.Contains([]string{"first_event", "event_id", "rollup_id"}, column):
		return message
	case column == "id" && slices.Contains([]string{"samples", "process_events", "process_execs", "job_events", "run_records", "rollups", "anomalies"}, table):
		return message
	}
	return own
}

// room is how many ids a database or log has.
func (o offset) room() int64 {
	if o == message {
		return 1 << 58
	}
	return 1 << 36
}

// of is how much is added for a database.
func (o offset) of(m origin) int64 {
	switch o {
	case snapshot, message:
		return m.log * o.room()
	case process:
		return m.place * o.room()
	}
	return 0
}

// out is an id as others see it.
func (o offset) out(m origin, id int64) int64 {
	if id >= never {
		return id
	}
	return id + o.of(m)
}

// in is an id as the database has it.
func (o offset) in(m origin, id int64) int64 {
	if add := o.of(m); id < never && id >= 0 {
		return id - add
	}
	return id
}
