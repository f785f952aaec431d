package store

import (
	"cmp"
	"fmt"

	"github.com/proctape/proctape/schema"
)

// JobSamples is what the snapshots of a batch add to the row of a job.
type JobSamples struct {
	FirstSeen, LastSeen float64 // Unix time
	Samples             int64
	PeakRSS, MaxCPU     schema.Opt[int64] // KiB, thousandths of a core
	CPUMillis           int64

	newPIDs int64 // counted as the pids are written
}

// StepKey names a step (sheet) of a job.
type StepKey struct {
	JobID string
	Sheet int64
}

// StepSamples is what the snapshots of a batch add to the row of a step.
type StepSamples struct {
	PeakRSS, MaxCPU schema.Opt[int64]
	CPUMillis       int64
}

// JobCounts is what the events of a batch add to the row of a job.
type JobCounts struct {
	Spawns, Exits, Signals, OOMs int64
	CPUMillis                    int64 // that exits tell of and no snapshot has
	PeakRSS                      schema.Opt[int64]
	First, Last                  float64 // Unix time
}

// StepCounts is what the events of a batch add to the row of a step.
type StepCounts struct {
	CPUMillis int64
	PeakRSS   schema.Opt[int64]
}

// JobPID is a process id that a job may not have had before.
type JobPID struct {
	JobID string
	PID   int
}

// JobSyscall is what a traced process adds to the sums of its job.
type JobSyscall struct {
	JobID string
	schema.Syscall
}

// JobEvent is a row of job_events: what a conductor said of a job.
type JobEvent struct {
	ID, HostID       int64
	Message          *schema.Message // that the event is of
	*schema.JobEvent                 // one of its events
}

// writeJobPIDs inserts the process ids, and counts those that are new.
func writeJobPIDs(tx *Tx, pids []JobPID, jobs map[string]*JobSamples) error {
	for _, p := range pids {
		res, err := tx.Exec(`INSERT OR IGNORE INTO job_pids(job_id, pid) VALUES (?, ?)`, p.JobID, p.PID)
		if err != nil {
			return fmt.Errorf("store job %q: %w", p.JobID, err)
		}
		n, err := res.RowsAffected()
		if err != nil {
			return fmt.Errorf("store job %q: %w", p.JobID, err)
		}
		jobs[p.JobID].newPIDs += n
	}
	return nil
}

// writeJobSyscalls adds to the sums of system calls. rank keeps the order in which they first appeared.
func writeJobSyscalls(tx *Tx, calls []JobSyscall) error {
	err := execAll(tx, calls, `INSERT INTO job_syscalls(job_id, name, time_pct_x100, rank)
		VALUES (?1, ?2, ?3, (SELECT count(*) FROM job_syscalls WHERE job_id=?1))
		ON CONFLICT(job_id, name) DO UPDATE SET time_pct_x100 = time_pct_x100 + excluded.time_pct_x100`,
		func(c *JobSyscall) []any { return []any{c.JobID, c.Name, int64(c.TimeX100)} })
	if err != nil {
		return fmt.Errorf("store system calls of a job: %w", err)
	}
	return nil
}

// raisePeak is the SQL that raises a column which may be NULL to the value that comes.
func raisePeak(column string) string {
	return column + `=nullif(max(coalesce(` + column + `,-1), coalesce(excluded.` + column + `,-1)), -1)`
}

var (
	addJobSamples = `INSERT INTO jobs(job_id, first_seen, last_seen, samples, peak_rss_kib, max_cpu_permille, cpu_ms, unique_pids)
		VALUES (?,?,?,?,?,?,?,?) ON CONFLICT(job_id) DO UPDATE SET first_seen=min(coalesce(first_seen, excluded.first_seen), excluded.first_seen),
		last_seen=max(coalesce(last_seen, excluded.last_seen), excluded.last_seen), samples=samples+excluded.samples, ` +
		raisePeak("peak_rss_kib") + `, ` + raisePeak("max_cpu_permille") + `,
		cpu_ms=cpu_ms+excluded.cpu_ms, unique_pids=unique_pids+excluded.unique_pids`
	addStepSamples = `INSERT INTO job_sheets(job_id, sheet_num, peak_rss_kib, max_cpu_permille, cpu_ms) VALUES (?,?,?,?,?)
		ON CONFLICT(job_id, sheet_num) DO UPDATE SET ` + raisePeak("peak_rss_kib") + `, ` + raisePeak("max_cpu_permille") + `,
		cpu_ms=cpu_ms+excluded.cpu_ms`
	addJobCounts = `INSERT INTO jobs(job_id, spawns, exits, signals, ooms, exit_cpu_ms, exit_peak_rss_kib, first_event, last_event)
		VALUES (?,?,?,?,?,?,?,?,?) ON CONFLICT(job_id) DO UPDATE SET spawns=spawns+excluded.spawns, exits=exits+excluded.exits,
		signals=signals+excluded.signals, ooms=ooms+excluded.ooms, exit_cpu_ms=exit_cpu_ms+excluded.exit_cpu_ms, ` +
		raisePeak("exit_peak_rss_kib") + `,
		first_event=min(coalesce(first_event, excluded.first_event), excluded.first_event),
		last_event=max(coalesce(last_event, excluded.last_event), excluded.last_event)`
	addStepCounts = `INSERT INTO job_sheets(job_id, sheet_num, exit_cpu_ms, exit_peak_rss_kib) VALUES (?,?,?,?)
		ON CONFLICT(job_id, sheet_num) DO UPDATE SET exit_cpu_ms=exit_cpu_ms+excluded.exit_cpu_ms, ` + raisePeak("exit_peak_rss_kib")
)

// writeJobSamples adds what snapshots told to the rows of jobs and their steps.
func writeJobSamples(tx *Tx, jobs map[string]*JobSamples, steps map[StepKey]*StepSamples) error {
	for job, j := range jobs {
		if _, err := tx.Exec(addJobSamples, job, j.FirstSeen, j.LastSeen, j.Samples, optional(j.PeakRSS), optional(j.MaxCPU), j.CPUMillis,
			j.newPIDs); err != nil {
			return fmt.Errorf("store job %q: %w", job, err)
		}
	}
	for key, s := range steps {
		if _, err := tx.Exec(addStepSamples, key.JobID, key.Sheet, optional(s.PeakRSS), optional(s.MaxCPU), s.CPUMillis); err != nil {
			return fmt.Errorf("store job %q: %w", key.JobID, err)
		}
	}
	return nil
}

// writeJobCounts adds what events told to the rows of jobs and their steps.
func writeJobCounts(tx *Tx, jobs map[string]*JobCounts, steps map[StepKey]*StepCounts) error {
	for job, c := range jobs {
		if _, err := tx.Exec(addJobCounts, job, c.Spawns, c.Exits, c.Signals, c.OOMs, c.CPUMillis, optional(c.PeakRSS), c.First, c.Last); err != nil {
			return fmt.Errorf("store job %q: %w", job, err)
		}
	}
	for key, c := range steps {
		if _, err := tx.Exec(addStepCounts, key.JobID, key.Sheet, c.CPUMillis, optional(c.PeakRSS)); err != nil {
			return fmt.Errorf("store job %q: %w", key.JobID, err)
		}
	}
	return nil
}

// writeJobEvents stores what conductors said, and what it changes of jobs and steps.
func writeJobEvents(tx *Tx, events []JobEvent) error {
	for i := range events {
		e := &events[i]
		if err := cmp.Or(insertJobEvent(tx, e), updateJob(tx, e), updateStep(tx, e)); err != nil {
			return fmt.Errorf("store job %q: %w", e.JobID, err)
		}
	}
	return nil
}

func insertJobEvent(tx *Tx, e *JobEvent) error {
	_, err := tx.Exec(`INSERT OR ROLLBACK INTO job_events(id, timestamp, job_id, type, sheet_num, total_sheets,
		last_completed_sheet, status, pid, exit_code, command, details, host_id, boot_id, boot_ns)
		VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`,
		e.ID, schema.Timestamp(e.Wall), e.JobID, string(e.Type), optional(e.Sheet), optional(e.TotalSheets), optional(e.LastCompleted),
		optionalText(e.Status), optional(e.PID), optional(e.ExitCode), optionalText(e.Command), e.Details, e.HostID, e.Message.BootID,
		e.Message.Boot)
	return err
}

func updateJob(tx *Tx, e *JobEvent) error {
	at := schema.Timestamp(e.Wall)
	var started, ended, current, exit any
	switch e.Type {
	case schema.JobDeclared:
		started = at
	case schema.JobEnded:
		ended, exit = at, optional(e.ExitCode)
	case schema.JobSheetStarted:
		current = optional(e.Sheet)
	}
	_, err := tx.Exec(`INSERT INTO jobs(job_id, first_event, last_event, status, total_sheets, last_completed_sheet,
		current_sheet, started, ended, exit_code, command) VALUES (?1,?2,?2,?3,?4,?5,?6,?7,?8,?9,?10)
		ON CONFLICT(job_id) DO UPDATE SET first_event=min(coalesce(first_event, ?2), ?2),
		last_event=max(coalesce(last_event, ?2), ?2), status=coalesce(?3, status),
		total_sheets=coalesce(?4, total_sheets), last_completed_sheet=coalesce(?5, last_completed_sheet),
		current_sheet=coalesce(?6, current_sheet), started=coalesce(started, ?7), ended=coalesce(?8, ended),
		exit_code=coalesce(?9, exit_code), command=coalesce(?10, command)`,
		e.JobID, at, optionalText(e.Status), optional(e.TotalSheets), optional(e.LastCompleted), current, started, ended,
		exit, optionalText(e.Command))
	return err
}

func updateStep(tx *Tx, e *JobEvent) error {
	if !e.Sheet.Known || e.Type != schema.JobSheetStarted && e.Type != schema.JobSheetEnded {
		return nil
	}
	at := schema.Timestamp(e.Wall)
	var started, ended any
	if e.Type == schema.JobSheetStarted {
		started = at
	} else {
		ended = at
	}
	_, err := tx.Exec(`INSERT INTO job_sheets(job_id, sheet_num, started, ended, exit_code, status)
		VALUES (?1,?2,?3,?4,?5,?6) ON CONFLICT(job_id, sheet_num) DO UPDATE SET started=coalesce(started, ?3),
		ended=coalesce(?4, ended), exit_code=coalesce(?5, exit_code), status=coalesce(?6, status)`,
		e.JobID, e.Sheet.V, started, ended, optional(e.ExitCode), optionalText(e.Status))
	return err
}
