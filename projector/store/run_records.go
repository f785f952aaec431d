package store

import (
	"encoding/json"
	"fmt"

	"github.com/proctape/proctape/schema"
)

// RunRecord is a row of run_records.
type RunRecord struct {
	ID     int64 // of the message
	Job    JobKey
	Record uint64 // how many records of the run there have been
	*schema.RunRecord
}

// A record that is not newer than the one that is there changes nothing, so they may come in any order.
const upsertRunRecord = `INSERT INTO run_records(job_id, fleet, host_id, run_id, id, timestamp, number, record, started, ended, ended_since, inferred,
	exit_code, signal_num, details, status, command, total_sheets, last_completed_sheet, steps, lower_bound, ` + totalColumns + `)
	VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
	ON CONFLICT(job_id, fleet, host_id, run_id) DO UPDATE SET id=excluded.id, timestamp=excluded.timestamp, number=excluded.number, record=excluded.record,
	started=excluded.started, ended=excluded.ended, ended_since=excluded.ended_since, inferred=excluded.inferred, exit_code=excluded.exit_code,
	signal_num=excluded.signal_num, details=excluded.details, status=excluded.status, command=excluded.command, total_sheets=excluded.total_sheets,
	last_completed_sheet=excluded.last_completed_sheet, steps=excluded.steps, lower_bound=excluded.lower_bound, cpu_us=excluded.cpu_us, cpu_source=excluded.cpu_source,
	peak_rss_kib=excluded.peak_rss_kib, peak_source=excluded.peak_source, group_peak_kib=excluded.group_peak_kib, read_kib=excluded.read_kib,
	write_kib=excluded.write_kib, io_source=excluded.io_source, pids_peak=excluded.pids_peak, processes=excluded.processes, system_cpu_us=excluded.system_cpu_us
	WHERE excluded.record > record`

func writeRunRecords(tx *Tx, records []RunRecord) error {
	for i := range records {
		r := &records[i]
		steps := []byte("[]")
		if len(r.Steps) > 0 {
			var err error
			if steps, err = json.Marshal(r.Steps); err != nil {
				return fmt.Errorf("store the steps of run %s: %w", r.Run, err)
			}
		}
		args := append(r.Job.values(), r.Run.String(), r.ID, schema.Timestamp(r.LastEvent), r.Number, int64(r.Record), schema.Timestamp(r.Started),
			optionalTime(r.Ended.V), optionalTime(r.Since.V), r.Inferred, optional(r.ExitCode), optional(r.Signal), optionalText(r.Details),
			optionalText(r.Status), optionalText(r.Command), optional(r.TotalSheets), optional(r.LastCompleted), string(steps), r.LowerBound)
		if _, err := tx.Exec(upsertRunRecord, append(args, totalValues(r.Totals)...)...); err != nil {
			return fmt.Errorf("store the record of run %s: %w", r.Run, err)
		}
	}
	return nil
}
