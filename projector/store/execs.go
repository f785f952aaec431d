package store

import (
	"fmt"

	"github.com/proctape/proctape/schema"
)

// Exec is a row of process_execs.
type Exec struct {
	ID, HostID   int64
	Message      *schema.Message // that the exec is of
	*schema.Exec                 // one of its execs
	Seq          uint64          // the exec's number, counted per producer
}

const insertExec = `INSERT OR ROLLBACK INTO process_execs(id, timestamp, host_id, boot_id, boot_ns, pid, start_ticks, uid, command,
	job_id, sheet_num, source, instance, seq, fleet) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`

// values are the values that insertExec takes.
func (e *Exec) values() []any {
	return []any{
		e.ID, schema.Timestamp(e.Wall), e.HostID, e.Message.BootID, e.Boot, e.PID, int64(e.StartTicks), optional(e.UID),
		optionalText(e.Command), optionalText(e.JobID), optional(e.Sheet), e.Source, e.Message.Instance.String(), int64(e.Seq), e.Job().Fleet,
	}
}

// writeExecs inserts the rows one by one: a process that is known seldom executes another program.
func writeExecs(tx *Tx, execs []Exec) error {
	if err := execAll(tx, execs, insertExec, (*Exec).values); err != nil {
		return fmt.Errorf("store execs: %w", err)
	}
	return nil
}
