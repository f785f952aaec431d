package query

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
)

// JobTime picks what a job did within a time: the job of a host, or one of the fleet on all of its hosts.
type JobTime struct {
	Job   string
	Fleet bool
	Host  string  // whose job it is; empty for one of the fleet
	From  float64 // Unix seconds, inclusive
	To    float64 // Unix seconds, inclusive
	// Members are the only processes that count; nil for all of the job.
	Members []Member
}

// where are the conditions for rows of processes with a job's key in the alias t, and their arguments, ?1 to ?5.
func (j JobTime) where() (string, []any) {
	where, args := j.ofJob()
	return where + among(j.Members), args
}

// ofJob is where for rows that are of no process.
func (j JobTime) ofJob() (string, []any) {
	return ` t.job_id = ?1 AND t.fleet = ?2 AND (?2 OR t.host_id = (SELECT id FROM hosts WHERE name = ?3))`, []any{j.Job, j.Fleet, j.Host, j.From, j.To}
}

// StepUse is what the starts and ends of a job's processes tell of one of its steps. Sums are of those that ended; nil is not known.
type StepUse struct {
	Sheet      *int64   `json:"sheet_num"` // nil for processes of no step
	Spawns     int64    `json:"process_spawn_count"`
	Exits      int64    `json:"process_exit_count"`
	Failed     int64    `json:"failed_count"` // that ended by a signal or with another exit code than 0
	OOMs       int64    `json:"oom_count"`
	CPUSeconds *float64 `json:"cpu_seconds"`
	SystemCPU  *float64 `json:"system_cpu_seconds"` // of CPUSeconds; nil unless it is known of all whose CPU is
	PeakRSS    *float64 `json:"peak_rss_mb"`        // of the largest process
	Read       *float64 `json:"read_mb"`
	Write      *float64 `json:"write_mb"`
	IOKnown    int64    `json:"io_known_count"` // of how many exits I/O is known
	MeanLife   *float64 `json:"mean_life_seconds"`
	First      float64  `json:"first_time"` // when the first process that is known of started, Unix seconds
	Last       float64  `json:"last_time"`  // of the last event
}

// systemSum is the SQL of what the kernel used of sum(cpu_ms) of exits; NULL unless it is known of all whose CPU is.
const systemSum = `CASE WHEN count(system_cpu_ms) = count(cpu_ms) THEN sum(system_cpu_ms) END`

// StepUses returns what starts and ends tell of a job within a time, step by step; processes of no step come first.
func StepUses(ctx context.Context, db *DB, j JobTime) ([]StepUse, error) {
	where, args := j.where()
	uses, err := collect(ctx, db, `SELECT sheet_num, CAST(total(event_type = 'spawn') AS INTEGER), CAST(total(event_type = 'exit') AS INTEGER),
		CAST(total(event_type = 'exit' AND (coalesce(exit_code, 0) <> 0 OR signal_num IS NOT NULL)) AS INTEGER), CAST(total(event_type = 'oom') AS INTEGER),
		sum(cpu_ms) / 1000.0, `+systemSum+` / 1000.0, max(peak_rss_kib) / 1024.0, sum(read_kib) / 1024.0, sum(write_kib) / 1024.0,
		CAST(total(event_type = 'exit' AND read_kib IS NOT NULL) AS INTEGER), avg(lifetime_ms) / 1000.0,
		min(timestamp - coalesce(lifetime_ms, 0) / 1000.0), max(timestamp)
		FROM process_events t WHERE`+where+` AND t.event_type IN ('spawn', 'exit', 'oom') AND t.timestamp BETWEEN ?4 AND ?5 GROUP BY sheet_num ORDER BY sheet_num`,
		args, func(r *sql.Rows, u *StepUse) error {
			return r.Scan(&u.Sheet, &u.Spawns, &u.Exits, &u.Failed, &u.OOMs, &u.CPUSeconds, &u.SystemCPU, &u.PeakRSS, &u.Read, &u.Write, &u.IOKnown, &u.MeanLife, &u.First, &u.Last)
		})
	if err != nil {
		return nil, fmt.Errorf("read what the steps of job %q used: %w", j.Job, err)
	}
	return uses, nil
}

// JobProcess is a process of a job, and what it used as far as it is known.
type JobProcess struct {
	Host       string   `json:"host"`
	PID        int64    `json:"pid"`
	StartTicks int64    `json:"start_ticks"`
	Command    string   `json:"command"`
	Sheet      *int64   `json:"sheet_num"`
	PeakRSS    *float64 `json:"peak_rss_mb"`
	CPUSeconds *float64 `json:"cpu_seconds"`
	Lifetime   *float64 `json:"lifetime_seconds"` // nil while it lives, or when its end is not recorded
	Ended      bool     `json:"ended"`            // its end is recorded
}

// LargestProcesses returns the processes of a job within a time that held the most memory, at most so many, the largest first: by the kernel's account
// at their ends, or else by their samples.
func LargestProcesses(ctx context.Context, db *DB, j JobTime, most int) ([]JobProcess, error) {
	where, args := j.where()
	scan := func(r *sql.Rows, p *JobProcess) error {
		return r.Scan(&p.Host, &p.PID, &p.StartTicks, &p.Command, &p.Sheet, &p.PeakRSS, &p.CPUSeconds, &p.Lifetime, &p.Ended)
	}
	ended, err := collect(ctx, db, `SELECT h.name, pid, start_ticks, coalesce(command, ''), sheet_num, peak_rss_kib / 1024.0, cpu_ms / 1000.0, lifetime_ms / 1000.0, 1
		FROM process_events t JOIN hosts h ON h.id = t.host_id WHERE`+where+` AND t.event_type = 'exit' AND t.timestamp BETWEEN ?4 AND ?5
		AND peak_rss_kib IS NOT NULL ORDER BY peak_rss_kib DESC, pid LIMIT ?6`, append(args[:5:5], most), scan)
	if err != nil {
		return nil, fmt.Errorf("read the largest processes of job %q: %w", j.Job, err)
	}
	seen, err := collect(ctx, db, `SELECT h.name, pid, start_ticks, coalesce(command, ''), sheet_num, max(peak_rss_kib) / 1024.0, max(cpu_ms) / 1000.0, NULL, 0
		FROM processes t JOIN hosts h ON h.id = t.host_id WHERE`+where+` AND coalesce(t.ended, 9e99) >= ?4
		AND coalesce((SELECT s.timestamp FROM snapshots s WHERE s.id = t.first_snapshot), 0) <= ?5 AND peak_rss_kib IS NOT NULL
		GROUP BY t.host_id, t.boot_id, t.pid, t.start_ticks ORDER BY max(peak_rss_kib) DESC, pid LIMIT ?6`, append(args[:5:5], 2*most), scan)
	if err != nil {
		return nil, fmt.Errorf("read the largest processes of job %q: %w", j.Job, err)
	}
	for _, p := range seen {
		known := slices.ContainsFunc(ended, func(e JobProcess) bool { return e.Host == p.Host && e.PID == p.PID && e.StartTicks == p.StartTicks })
		if !known {
			ended = append(ended, p)
		}
	}
	slices.SortStableFunc(ended, func(a, b JobProcess) int { return compareTimes(*b.PeakRSS, *a.PeakRSS) })
	return ended[:min(most, len(ended))], nil
}
