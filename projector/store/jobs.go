package store

import (
	"cmp"
	"fmt"

	"github.com/proctape/proctape/schema"
)

// JobKey names a job in the tables: whose it is, and its name. What a host says of a job of the fleet is apart from what
// other hosts say of it, and from what its conductor says, whose host is [schema.Fleet].
type JobKey struct {
	schema.JobKey
	HostID int64
}

// columns of the key, in the order of its values.
const jobKeyColumns = `job_id, fleet, host_id`

// values are the values of jobKeyColumns.
func (k *JobKey) values() []any { return []any{k.ID, k.Fleet, k.HostID} }

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
	JobKey
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
	JobKey
	PID int
}

// JobSyscall is what a traced process adds to the sums of its job.
type JobSyscall struct {
	JobKey
	schema.Syscall
	Wall int64 // of the snapshot, Unix ns
	Rank int   // its place among the system calls of the snapshot
}

// JobEvent is a row of job_events: what a conductor said of a job.
type JobEvent struct {
	ID               int64
	Job              JobKey
	Message          *schema.Message // that the event is of
	Item             uint64          // its place in the message, from 0
	*schema.JobEvent                 // one of its events
}

// writeJobPIDs inserts the process ids, and counts those that are new.
func writeJobPIDs(tx *Tx, pids []JobPID, jobs map[JobKey]*JobSamples) error {
	for i := range pids {
		p := &pids[i]
		res, err := tx.Exec(`INSERT OR IGNORE INTO job_pids(`+jobKeyColumns+`, pid) VALUES (?,?,?,?)`, append(p.values(), p.PID)...)
		if err != nil {
			return fmt.Errorf("store job %q: %w", p.ID, err)
		}
		n, err := res.RowsAffected()
		if err != nil {
			return fmt.Errorf("store job %q: %w", p.ID, err)
		}
		jobs[p.JobKey].newPIDs += n
	}
	return nil
}

// writeJobSyscalls adds to the sums of system calls, and keeps where each first appeared, whatever the order in which the
// snapshots come.
func writeJobSyscalls(tx *Tx, calls []JobSyscall) error {
	err := execAll(tx, calls, `INSERT INTO job_syscalls(`+jobKeyColumns+`, name, time_pct_x100, first_ns, rank)
		VALUES (?,?,?,?,?,?,?) ON CONFLICT(`+jobKeyColumns+`, name) DO UPDATE SET `+addUp("time_pct_x100")+`,
		rank = CASE WHEN excluded.first_ns < first_ns THEN excluded.rank ELSE rank END, first_ns = min(first_ns, excluded.first_ns)`,
		func(c *JobSyscall) []any { return append(c.values(), c.Name, int64(c.TimeX100), c.Wall, c.Rank) })
	if err != nil {
		return fmt.Errorf("store system calls of a job: %w", err)
	}
	return nil
}

// raisePeak is the SQL that raises a column which may be NULL to the value that comes.
func raisePeak(column string) string {
	return column + `=nullif(max(coalesce(` + column + `,-1), coalesce(excluded.` + column + `,-1)), -1)`
}

// addUp is the SQL that adds the value that comes to a column of no negative values. A sum stays at [schema.MaxSum], where it says
// "at least": two columns of such sums still add up.
func addUp(column string) string {
	return fmt.Sprintf(`%[1]s=min(%[1]s+excluded.%[1]s, %[2]d)`, column, int64(schema.MaxSum))
}

var (
	addJobSamples = `INSERT INTO jobs(` + jobKeyColumns + `, first_seen, last_seen, samples, peak_rss_kib, max_cpu_permille, cpu_ms, unique_pids)
		VALUES (?,?,?,?,?,?,?,?,?,?) ON CONFLICT(` + jobKeyColumns + `) DO UPDATE SET first_seen=min(coalesce(first_seen, excluded.first_seen), excluded.first_seen),
		last_seen=max(coalesce(last_seen, excluded.last_seen), excluded.last_seen), samples=samples+excluded.samples, ` +
		raisePeak("peak_rss_kib") + `, ` + raisePeak("max_cpu_permille") + `,
		` + addUp("cpu_ms") + `, unique_pids=unique_pids+excluded.unique_pids`
	addStepSamples = `INSERT INTO job_sheets(` + jobKeyColumns + `, sheet_num, peak_rss_kib, max_cpu_permille, cpu_ms) VALUES (?,?,?,?,?,?,?)
		ON CONFLICT(` + jobKeyColumns + `, sheet_num) DO UPDATE SET ` + raisePeak("peak_rss_kib") + `, ` + raisePeak("max_cpu_permille") + `, ` + addUp("cpu_ms")
	addJobCounts = `INSERT INTO jobs(` + jobKeyColumns + `, spawns, exits, signals, ooms, exit_cpu_ms, exit_peak_rss_kib, first_event, last_event)
		VALUES (?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT(` + jobKeyColumns + `) DO UPDATE SET spawns=spawns+excluded.spawns, exits=exits+excluded.exits,
		signals=signals+excluded.signals, ooms=ooms+excluded.ooms, ` + addUp("exit_cpu_ms") + `, ` +
		raisePeak("exit_peak_rss_kib") + `,
		first_event=min(coalesce(first_event, excluded.first_event), excluded.first_event),
		last_event=max(coalesce(last_event, excluded.last_event), excluded.last_event)`
	addStepCounts = `INSERT INTO job_sheets(` + jobKeyColumns + `, sheet_num, exit_cpu_ms, exit_peak_rss_kib) VALUES (?,?,?,?,?,?)
		ON CONFLICT(` + jobKeyColumns + `, sheet_num) DO UPDATE SET ` + addUp("exit_cpu_ms") + `, ` + raisePeak("exit_peak_rss_kib")
)

// writeJobSamples adds what snapshots told to the rows of jobs and their steps.
func writeJobSamples(tx *Tx, jobs map[JobKey]*JobSamples, steps map[StepKey]*StepSamples) error {
	for key, j := range jobs {
		if _, err := tx.Exec(addJobSamples, append(key.values(), j.FirstSeen, j.LastSeen, j.Samples, optional(j.PeakRSS), optional(j.MaxCPU),
			j.CPUMillis, j.newPIDs)...); err != nil {
			return fmt.Errorf("store job %q: %w", key.ID, err)
		}
	}
	for key, s := range steps {
		if _, err := tx.Exec(addStepSamples, append(key.values(), key.Sheet, optional(s.PeakRSS), optional(s.MaxCPU), s.CPUMillis)...); err != nil {
			return fmt.Errorf("store job %q: %w", key.ID, err)
		}
	}
	return nil
}

// writeJobCounts adds what events told to the rows of jobs and their steps.
func writeJobCounts(tx *Tx, jobs map[JobKey]*JobCounts, steps map[StepKey]*StepCounts) error {
	for key, c := range jobs {
		if _, err := tx.Exec(addJobCounts, append(key.values(), c.Spawns, c.Exits, c.Signals, c.OOMs, c.CPUMillis, optional(c.PeakRSS), c.First,
			c.Last)...); err != nil {
			return fmt.Errorf("store job %q: %w", key.ID, err)
		}
	}
	for key, c := range steps {
		if _, err := tx.Exec(addStepCounts, append(key.values(), key.Sheet, c.CPUMillis, optional(c.PeakRSS))...); err != nil {
			return fmt.Errorf("store job %q: %w", key.ID, err)
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
		last_completed_sheet, status, pid, exit_code, command, details, host_id, boot_id, boot_ns, fleet)
		VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`,
		e.ID, schema.Timestamp(e.Wall), e.JobID, string(e.Type), optional(e.Sheet), optional(e.TotalSheets), optional(e.LastCompleted),
		optionalText(e.Status), optional(e.PID), optional(e.ExitCode), optionalText(e.Command), e.Details, e.Job.HostID, e.Message.BootID,
		e.Message.Boot, e.Job.Fleet)
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
	_, err := tx.Exec(`INSERT INTO jobs(first_event, last_event, status, total_sheets, last_completed_sheet, current_sheet, started,
		ended, exit_code, command, job_id, fleet, host_id) VALUES (?2,?2,?3,?4,?5,?6,?7,?8,?9,?10,?1,?11,?12)
		ON CONFLICT(job_id, fleet, host_id) DO UPDATE SET first_event=min(coalesce(first_event, ?2), ?2),
		last_event=max(coalesce(last_event, ?2), ?2), status=coalesce(?3, status),
		total_sheets=coalesce(?4, total_sheets), last_completed_sheet=coalesce(?5, last_completed_sheet),
		current_sheet=coalesce(?6, current_sheet), started=coalesce(started, ?7), ended=coalesce(?8, ended),
		exit_code=coalesce(?9, exit_code), command=coalesce(?10, command)`,
		e.JobID, at, optionalText(e.Status), optional(e.TotalSheets), optional(e.LastCompleted), current, started, ended,
		exit, optionalText(e.Command), e.Job.Fleet, e.Job.HostID)
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
	_, err := tx.Exec(`INSERT INTO job_sheets(job_id, sheet_num, started, ended, exit_code, status, fleet, host_id)
		VALUES (?1,?2,?3,?4,?5,?6,?7,?8) ON CONFLICT(job_id, fleet, host_id, sheet_num) DO UPDATE SET started=coalesce(started, ?3),
		ended=coalesce(?4, ended), exit_code=coalesce(?5, exit_code), status=coalesce(?6, status)`,
		e.JobID, e.Sheet.V, started, ended, optional(e.ExitCode), optionalText(e.Status), e.Job.Fleet, e.Job.HostID)
	return err
}
