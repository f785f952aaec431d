package projector

import (
	"errors"
	"fmt"
	"strings"

	"github.com/proctape/proctape/schema"
)

// jobDelta is what a batch adds to a job's row from snapshots.
type jobDelta struct {
	firstSeen, lastSeen float64
	samples             int64
	peakRSS, maxCPU     schema.Opt[int64]
	cpuMillis           int64
	newPIDs             int64
}

type sheetKey struct {
	job   string
	sheet int64
}

// sheetDelta is what a batch adds to the row of a job's step.
type sheetDelta struct {
	peakRSS, maxCPU schema.Opt[int64]
	cpuMillis       int64
}

// addToJobs gathers what a snapshot's processes add to their jobs.
func (f *fold) addToJobs(m *schema.Message) error {
	at := schema.Timestamp(m.Wall)
	for i := range m.Snapshot.Processes {
		p := &m.Snapshot.Processes[i]
		if p.JobID == "" {
			continue
		}
		j := f.jobs[p.JobID]
		if j == nil {
			j = &jobDelta{firstSeen: at, lastSeen: at}
			f.jobs[strings.Clone(p.JobID)] = j
		}
		j.firstSeen, j.lastSeen = min(j.firstSeen, at), max(j.lastSeen, at)
		j.samples++
		j.cpuMillis += f.observed.jobCPU[i]
		raise(&j.peakRSS, p.RSS)
		raise(&j.maxCPU, p.CPUPermille)
		if p.Sheet.Known {
			f.addToSheet(p, f.observed.jobCPU[i])
		}
		if err := errors.Join(f.addPID(p.JobID, j, f.observed.rows[i]), f.addSyscalls(p)); err != nil {
			return fmt.Errorf("store job %q: %w", p.JobID, err)
		}
	}
	return nil
}

func (f *fold) addToSheet(p *schema.Process, cpu int64) {
	key := sheetKey{p.JobID, p.Sheet.V}
	s := f.sheets[key]
	if s == nil {
		s = new(sheetDelta)
		f.sheets[sheetKey{strings.Clone(p.JobID), p.Sheet.V}] = s
	}
	s.cpuMillis += cpu
	raise(&s.peakRSS, p.RSS)
	raise(&s.maxCPU, p.CPUPermille)
}

// addPID counts a pid that the job has not had before. Only a row that is new can bring one, or a late snapshot, in
// which the process was in another job than the row says.
func (f *fold) addPID(job string, j *jobDelta, row *process) error {
	if job == row.job {
		if row.stored || row.counted {
			return nil
		}
		row.counted = true
	}
	res, err := f.db.exec(`INSERT OR IGNORE INTO job_pids(job_id, pid) VALUES (?, ?)`, job, row.pid)
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	j.newPIDs += n
	return err
}

// addSyscalls adds to the sums of a job's system calls. rank keeps the order in which they first appeared.
func (f *fold) addSyscalls(p *schema.Process) error {
	for _, c := range p.Syscalls {
		if _, err := f.db.exec(`INSERT INTO job_syscalls(job_id, name, time_pct_x100, rank)
			VALUES (?1, ?2, ?3, (SELECT count(*) FROM job_syscalls WHERE job_id=?1))
			ON CONFLICT(job_id, name) DO UPDATE SET time_pct_x100 = time_pct_x100 + excluded.time_pct_x100`,
			p.JobID, c.Name, int64(c.TimeX100)); err != nil {
			return err
		}
	}
	return nil
}

// flushJobs adds what was gathered to the rows of jobs and their steps.
func (f *fold) flushJobs() error {
	for job, j := range f.jobs {
		if _, err := f.db.exec(`INSERT INTO jobs(job_id, first_seen, last_seen, samples, peak_rss_kib, max_cpu_permille,
			cpu_ms, unique_pids) VALUES (?,?,?,?,?,?,?,?)
			ON CONFLICT(job_id) DO UPDATE SET first_seen=min(coalesce(first_seen, excluded.first_seen), excluded.first_seen),
			last_seen=max(coalesce(last_seen, excluded.last_seen), excluded.last_seen), samples=samples+excluded.samples,
			peak_rss_kib=nullif(max(coalesce(peak_rss_kib,-1), coalesce(excluded.peak_rss_kib,-1)), -1),
			max_cpu_permille=nullif(max(coalesce(max_cpu_permille,-1), coalesce(excluded.max_cpu_permille,-1)), -1),
			cpu_ms=cpu_ms+excluded.cpu_ms, unique_pids=unique_pids+excluded.unique_pids`,
			job, j.firstSeen, j.lastSeen, j.samples, nullable(j.peakRSS), nullable(j.maxCPU), j.cpuMillis, j.newPIDs); err != nil {
			return fmt.Errorf("store job %q: %w", job, err)
		}
	}
	clear(f.jobs)
	for key, s := range f.sheets {
		if _, err := f.db.exec(`INSERT INTO job_sheets(job_id, sheet_num, peak_rss_kib, max_cpu_permille, cpu_ms)
			VALUES (?,?,?,?,?) ON CONFLICT(job_id, sheet_num) DO UPDATE SET
			peak_rss_kib=nullif(max(coalesce(peak_rss_kib,-1), coalesce(excluded.peak_rss_kib,-1)), -1),
			max_cpu_permille=nullif(max(coalesce(max_cpu_permille,-1), coalesce(excluded.max_cpu_permille,-1)), -1),
			cpu_ms=cpu_ms+excluded.cpu_ms`,
			key.job, key.sheet, nullable(s.peakRSS), nullable(s.maxCPU), s.cpuMillis); err != nil {
			return fmt.Errorf("store job %q: %w", key.job, err)
		}
	}
	clear(f.sheets)
	return nil
}

// applyJobs stores what a conductor said of its jobs.
func (f *fold) applyJobs(pos *position, d *delivery) error {
	for i := range d.msg.Jobs {
		j := &d.msg.Jobs[i]
		id := pos.id(d.seq)<<eventBits | int64(i)
		if err := errors.Join(f.insertJobEvent(id, d.msg, j), f.applyJobEvent(j), f.applySheetEvent(j)); err != nil {
			return fmt.Errorf("store job %q: %w", j.JobID, err)
		}
	}
	return nil
}

func (f *fold) insertJobEvent(id int64, m *schema.Message, j *schema.JobEvent) error {
	hostID, err := f.host(m.Host)
	if err != nil {
		return err
	}
	_, err = f.db.exec(`INSERT OR ROLLBACK INTO job_events(id, timestamp, job_id, type, sheet_num, total_sheets,
		last_completed_sheet, status, pid, exit_code, command, details, host_id, boot_id, boot_ns)
		VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`,
		id, schema.Timestamp(j.Wall), j.JobID, string(j.Type), nullable(j.Sheet), nullable(j.TotalSheets), nullable(j.LastCompleted),
		nullText(j.Status), nullable(j.PID), nullable(j.ExitCode), nullText(j.Command), j.Details, hostID, m.BootID, m.Boot)
	return err
}

func (f *fold) applyJobEvent(j *schema.JobEvent) error {
	at := schema.Timestamp(j.Wall)
	var started, ended, current any
	switch j.Type {
	case schema.JobDeclared:
		started = at
	case schema.JobEnded:
		ended = at
	case schema.JobSheetStarted:
		current = nullable(j.Sheet)
	}
	exit := schema.Opt[int64]{}
	if j.Type == schema.JobEnded {
		exit = j.ExitCode
	}
	_, err := f.db.exec(`INSERT INTO jobs(job_id, first_event, last_event, status, total_sheets, last_completed_sheet,
		current_sheet, started, ended, exit_code, command) VALUES (?1,?2,?2,?3,?4,?5,?6,?7,?8,?9,?10)
		ON CONFLICT(job_id) DO UPDATE SET first_event=min(coalesce(first_event, ?2), ?2),
		last_event=max(coalesce(last_event, ?2), ?2), status=coalesce(?3, status),
		total_sheets=coalesce(?4, total_sheets), last_completed_sheet=coalesce(?5, last_completed_sheet),
		current_sheet=coalesce(?6, current_sheet), started=coalesce(started, ?7), ended=coalesce(?8, ended),
		exit_code=coalesce(?9, exit_code), command=coalesce(?10, command)`,
		j.JobID, at, nullText(j.Status), nullable(j.TotalSheets), nullable(j.LastCompleted), current, started, ended,
		nullable(exit), nullText(j.Command))
	return err
}

func (f *fold) applySheetEvent(j *schema.JobEvent) error {
	if !j.Sheet.Known || j.Type != schema.JobSheetStarted && j.Type != schema.JobSheetEnded {
		return nil
	}
	at := schema.Timestamp(j.Wall)
	var started, ended any
	if j.Type == schema.JobSheetStarted {
		started = at
	} else {
		ended = at
	}
	_, err := f.db.exec(`INSERT INTO job_sheets(job_id, sheet_num, started, ended, exit_code, status)
		VALUES (?1,?2,?3,?4,?5,?6) ON CONFLICT(job_id, sheet_num) DO UPDATE SET started=coalesce(started, ?3),
		ended=coalesce(?4, ended), exit_code=coalesce(?5, exit_code), status=coalesce(?6, status)`,
		j.JobID, j.Sheet.V, started, ended, nullable(j.ExitCode), nullText(j.Status))
	return err
}
