package store

import (
	"cmp"
	"database/sql"
	"fmt"

	"github.com/proctape/proctape/schema"
)

// writeRuns stores what conductors said of runs and their steps. What is said under an id gives the same rows in whatever order
// it comes. What is said without one is of the run that the log tells of last, so it follows the order of the log.
func writeRuns(tx *Tx, events []JobEvent) error {
	for i := range events {
		e := &events[i]
		run, stepsOnly, err := runOf(tx, e)
		if err == nil && !run.IsZero() {
			err = cmp.Or(updateRun(tx, e, run, stepsOnly), updateRunStep(tx, e, run))
		}
		if err != nil {
			return fmt.Errorf("store run of job %q: %w", e.JobID, err)
		}
	}
	return nil
}

// runOf is the run that an event is of: zero for none. stepsOnly says that the run is made of steps that nobody declared a run for.
func runOf(tx *Tx, e *JobEvent) (run schema.RunID, stepsOnly bool, err error) {
	if !e.Run.IsZero() {
		return e.Run, false, nil
	}
	own := schema.RunIDOf(e.Message.Instance, e.Message.Seq+e.Item)
	if e.Type == schema.JobDeclared {
		if e.Join { // the step that follows says which
			return run, false, nil
		}
		return own, false, nil
	}
	run, stepsOnly, err = latestRun(tx, e)
	if err != nil || run.IsZero() {
		return own, true, err
	}
	if e.Join && e.Type == schema.JobSheetStarted && stepsOnly {
		again, err := hasStep(tx, e, run)
		if err != nil || again {
			return own, true, err
		}
	}
	return run, stepsOnly, nil
}

// latestRun is the run of an event's job that began last and goes on; where all have ended, the last of all. A step that joins
// joins none that has ended.
func latestRun(tx *Tx, e *JobEvent) (run schema.RunID, stepsOnly bool, err error) {
	joins := e.Join && e.Type == schema.JobSheetStarted
	err = tx.Query(`SELECT run_id, steps_only FROM runs WHERE job_id = ? AND fleet = ? AND host_id = ? AND (NOT ? OR ended IS NULL OR steps_only)
		ORDER BY ended IS NULL OR steps_only DESC, started DESC, run_id DESC LIMIT 1`, func(r *sql.Rows) error {
		var id string
		if err := r.Scan(&id, &stepsOnly); err != nil {
			return err
		}
		run, err = schema.ParseRunID(id)
		return err
	}, append(e.Job.values(), joins)...)
	return run, stepsOnly, err
}

// hasStep reports whether a run has a step already.
func hasStep(tx *Tx, e *JobEvent, run schema.RunID) (has bool, err error) {
	err = tx.Query(`SELECT 1 FROM run_steps WHERE job_id = ? AND fleet = ? AND host_id = ? AND run_id = ? AND sheet_num = ?`,
		func(*sql.Rows) error { has = true; return nil }, append(e.Job.values(), run.String(), optional(e.Sheet))...)
	return has, err
}

// totalColumns are the columns of totals, in the order of totalValues.
const totalColumns = `cpu_us, cpu_source, peak_rss_kib, peak_source, group_peak_kib, read_kib, write_kib, io_source, pids_peak, processes, system_cpu_us`

func totalValues(t *schema.Totals) []any {
	if t == nil {
		t = new(schema.Totals)
	}
	return []any{optional(t.CPUMicros), optionalText(string(t.CPUSource)), optional(t.PeakRSS), optionalText(string(t.PeakSource)), optional(t.GroupPeak),
		optional(t.ReadKiB), optional(t.WriteKiB), optionalText(string(t.IOSource)), optional(t.PIDsPeak), optional(t.Processes), optional(t.System)}
}

// setTotals is the SQL that takes over totals when they come with an end: those of another event are all NULL.
const setTotals = `cpu_us=coalesce(excluded.cpu_us, cpu_us), cpu_source=coalesce(excluded.cpu_source, cpu_source),
	peak_rss_kib=coalesce(excluded.peak_rss_kib, peak_rss_kib), peak_source=coalesce(excluded.peak_source, peak_source),
	group_peak_kib=coalesce(excluded.group_peak_kib, group_peak_kib), read_kib=coalesce(excluded.read_kib, read_kib),
	write_kib=coalesce(excluded.write_kib, write_kib), io_source=coalesce(excluded.io_source, io_source),
	pids_peak=coalesce(excluded.pids_peak, pids_peak), processes=coalesce(excluded.processes, processes),
	system_cpu_us=CASE WHEN excluded.cpu_us IS NULL THEN system_cpu_us ELSE excluded.system_cpu_us END`

// setStatus is the SQL that keeps the newest status, whatever comes first.
const setStatus = `status=CASE WHEN excluded.status_time >= coalesce(status_time, -1) THEN excluded.status ELSE status END,
	status_time=nullif(max(coalesce(status_time, -1), coalesce(excluded.status_time, -1)), -1)`

// newerEnd is the SQL condition that the end which comes replaces the one that is stored: one that was seen replaces one that was
// concluded, and of two alike the later one stays.
const newerEnd = `(excluded.ended IS NOT NULL AND (ended IS NULL OR excluded.inferred < inferred OR excluded.inferred = inferred AND excluded.ended >= ended))`

const upsertRun = `INSERT INTO runs(job_id, fleet, host_id, run_id, declared, steps_only, started, ended, ended_since, inferred, exit_code, signal_num,
	details, status, status_time, command, total_sheets, last_completed_sheet, boot_id, pid, start_ticks, supervisor, last_event, ` + totalColumns + `)
	VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
	ON CONFLICT(job_id, fleet, host_id, run_id) DO UPDATE SET declared=max(declared, excluded.declared),
	started=CASE WHEN declared = excluded.declared THEN min(started, excluded.started) WHEN declared THEN started ELSE excluded.started END,
	steps_only=min(steps_only, excluded.steps_only),
	exit_code=CASE WHEN ` + newerEnd + ` THEN excluded.exit_code ELSE exit_code END,
	signal_num=CASE WHEN ` + newerEnd + ` THEN excluded.signal_num ELSE signal_num END,
	details=CASE WHEN ` + newerEnd + ` THEN excluded.details ELSE details END,
	ended_since=CASE WHEN ` + newerEnd + ` THEN excluded.ended_since ELSE ended_since END,
	inferred=CASE WHEN ` + newerEnd + ` THEN excluded.inferred ELSE inferred END,
	ended=CASE WHEN ` + newerEnd + ` THEN excluded.ended ELSE ended END, ` + setStatus + `,
	command=coalesce(command, excluded.command), total_sheets=nullif(max(coalesce(total_sheets, -1), coalesce(excluded.total_sheets, -1)), -1),
	last_completed_sheet=nullif(max(coalesce(last_completed_sheet, -1), coalesce(excluded.last_completed_sheet, -1)), -1),
	boot_id=coalesce(boot_id, excluded.boot_id), pid=coalesce(pid, excluded.pid), start_ticks=coalesce(start_ticks, excluded.start_ticks),
	supervisor=coalesce(supervisor, excluded.supervisor), last_event=max(last_event, excluded.last_event), ` + setTotals

// updateRun stores what an event changes of its run. A run of steps alone ends with each of them, until another joins.
func updateRun(tx *Tx, e *JobEvent, run schema.RunID, stepsOnly bool) error {
	at := schema.Timestamp(e.Wall)
	var ended, since, statusTime, exit, signal, details, boot, pid, start, supervisor any
	totals := e.Totals
	switch {
	case e.Type == schema.JobEnded || stepsOnly && e.Type == schema.JobSheetEnded:
		ended, since, exit, signal, details = at, optionalTime(e.Since.V), optional(e.ExitCode), optional(e.Signal), optionalText(e.Details)
	case e.Type == schema.JobDeclared && e.PID.Known:
		boot, pid, start, supervisor = optionalText(e.Message.BootID), e.PID.V, int64(e.StartTicks), e.Supervisor
	}
	if e.Type == schema.JobEnded {
		stepsOnly = false
	} else {
		totals = nil
	}
	if e.Status != "" {
		statusTime = at
	}
	args := append(e.Job.values(), run.String(), e.Type == schema.JobDeclared, stepsOnly, at, ended, since, e.Inferred && ended != nil, exit, signal, details,
		optionalText(e.Status), statusTime, optionalText(e.Command), optional(e.TotalSheets), optional(e.LastCompleted), boot, pid, start, supervisor, at)
	_, err := tx.Exec(upsertRun, append(args, totalValues(totals)...)...)
	return err
}

const upsertRunStep = `INSERT INTO run_steps(job_id, fleet, host_id, run_id, sheet_num, started, ended, exit_code, signal_num, status, status_time, ` + totalColumns + `)
	VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
	ON CONFLICT(job_id, fleet, host_id, run_id, sheet_num) DO UPDATE SET
	started=nullif(min(coalesce(started, 9e99), coalesce(excluded.started, 9e99)), 9e99),
	exit_code=CASE WHEN excluded.ended >= coalesce(ended, -1) THEN excluded.exit_code ELSE exit_code END,
	signal_num=CASE WHEN excluded.ended >= coalesce(ended, -1) THEN excluded.signal_num ELSE signal_num END,
	ended=nullif(max(coalesce(ended, -1), coalesce(excluded.ended, -1)), -1), ` + setStatus + `, ` + setTotals

// updateRunStep stores what an event changes of a step of its run.
func updateRunStep(tx *Tx, e *JobEvent, run schema.RunID) error {
	if !e.Sheet.Known || e.Type != schema.JobSheetStarted && e.Type != schema.JobSheetEnded {
		return nil
	}
	at := schema.Timestamp(e.Wall)
	var started, ended, statusTime any
	if e.Type == schema.JobSheetStarted {
		started = at
	} else {
		ended = at
	}
	if e.Status != "" {
		statusTime = at
	}
	args := append(e.Job.values(), run.String(), e.Sheet.V, started, ended, optional(e.ExitCode), optional(e.Signal), optionalText(e.Status), statusTime)
	_, err := tx.Exec(upsertRunStep, append(args, totalValues(e.Totals)...)...)
	return err
}
