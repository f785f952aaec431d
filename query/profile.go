package query

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
)

// Profile is what is recorded under a job's name: of all hosts together, or of one.
type Profile struct {
	JobID      string             `json:"job_id"`
	PeakRSS    float64            `json:"peak_rss_mb"`         // of the largest process, over all samples
	CPUSeconds float64            `json:"total_cpu_seconds"`   // of all its processes
	Spawns     int64              `json:"process_spawn_count"` // spawn events
	PIDs       int64              `json:"unique_pid_count"`    // pids seen in samples
	Hotspots   map[string]float64 `json:"syscall_hotspots"`    // sum of the time percentages over all samples
	Sheets     map[int64]Sheet    `json:"sheet_metrics"`
	MaxCPU     float64            `json:"max_cpu_pct"`
	FirstSeen  *float64           `json:"first_seen"`
	LastSeen   *float64           `json:"last_seen"`
	Status     *string            `json:"status"`    // nil when the figures are of several jobs; see Scopes
	ExitCode   *int64             `json:"exit_code"` // likewise
	Exits      int64              `json:"process_exit_count"`
	AtLeast    []string           `json:"at_least,omitempty"` // keys of figures that are lower bounds, as of a [Job]
	// Scopes are the jobs of the name that the figures cover, the fleet's first.
	Scopes []JobScope `json:"scopes"`
	// Resolution is in what detail the recording still has the job: full, or part when samples of it have left full
	// resolution, or totals when all have. These figures are of all samples whatever it is.
	Resolution string `json:"resolution"`
	// Coverage is how much is known of the time of the job, on each host that told of it.
	Coverage []Coverage `json:"coverage"`
	// Unknown are the keys of figures that hold 0 because they are not known.
	Unknown      []string `json:"unknown,omitempty"`
	hotspotOrder []string // by first appearance
	hasProcesses bool     // a process of it was seen, in a sample or an event
}

// Sheet is what one step (sheet) of a job used.
type Sheet struct {
	PeakRSS    float64 `json:"peak_rss_mb"`
	MaxCPU     float64 `json:"max_cpu_pct"`
	CPUSeconds float64 `json:"total_cpu_seconds"`
	// AtLeast are the keys of figures that are lower bounds, as of a [Job].
	AtLeast []string `json:"at_least,omitempty"`
}

// JobProfile returns what is recorded under a job's name. A job of which nothing was recorded is [ErrNoJob]; one that only
// other hosts than the filter's have is a *[JobHostError].
func JobProfile(ctx context.Context, db *DB, f JobFilter) (*Profile, error) {
	jobs, err := jobsNamed(ctx, db, f)
	if err != nil {
		return nil, err
	}
	p := &Profile{JobID: f.Name, Scopes: scopesOf(jobs), Hotspots: map[string]float64{}, Sheets: map[int64]Sheet{}}
	cpuMillis := 0.0
	for i := range jobs {
		cpuMillis += jobs[i].cpuMillis
		p.add(&jobs[i])
	}
	p.CPUSeconds = cpuMillis / 1000
	if len(jobs) == 1 {
		p.PIDs, p.Status, p.ExitCode = jobs[0].PIDs, jobs[0].Status, jobs[0].ExitCode
	} else if err := addPIDs(ctx, db, f, p); err != nil {
		return nil, fmt.Errorf("read job %q: %w", f.Name, err)
	}
	if err := errors.Join(addHotspots(ctx, db, f, p), addSheets(ctx, db, f, p), addResolution(ctx, db, f, p)); err != nil {
		return nil, fmt.Errorf("read job %q: %w", f.Name, err)
	}
	if p.Coverage, err = JobCoverage(ctx, db, f); err != nil {
		return nil, err
	}
	p.noteUnknown(jobs)
	return p, nil
}

// add adds what one job of the name used.
func (p *Profile) add(j *Job) {
	p.Spawns += j.Spawns
	p.Exits += j.Exits
	p.atLeast(j.AtLeast...)
	p.FirstSeen, p.LastSeen = further(p.FirstSeen, j.FirstSeen, -1), further(p.LastSeen, j.LastSeen, 1)
	for _, top := range []struct {
		of *float64
		v  *float64
	}{{&p.PeakRSS, j.PeakRSS}, {&p.MaxCPU, j.MaxCPU}} {
		if top.v != nil {
			*top.of = max(*top.of, *top.v)
		}
	}
	p.hasProcesses = p.hasProcesses || j.PIDs+j.Spawns+j.Exits+j.Signals+j.OOMs > 0
}

// atLeast notes that figures are lower bounds, by their keys.
func (p *Profile) atLeast(keys ...string) {
	for _, key := range keys {
		if !slices.Contains(p.AtLeast, key) {
			p.AtLeast = append(p.AtLeast, key)
		}
	}
}

// HasProcesses reports whether a process of the job was seen, in a sample or an event. A job that was only declared has none.
func (p *Profile) HasProcesses() bool { return p.hasProcesses }

// HotspotNames are the system calls of Hotspots, the one with the most time first. Equal ones stand in the order in which they
// first appeared.
func (p *Profile) HotspotNames() []string {
	names := slices.Clone(p.hotspotOrder)
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(p.Hotspots[b], p.Hotspots[a]) })
	return names
}

// addPIDs counts the pids of several jobs of a name, each once as the contract does, whatever hosts have it.
func addPIDs(ctx context.Context, db *DB, f JobFilter, p *Profile) error {
	where, args := f.rows()
	return db.db.QueryRowContext(ctx, `SELECT count(DISTINCT pid) FROM job_pids`+where, args...).Scan(&p.PIDs)
}

// addHotspots reads the system calls of a job, in the order in which they first appeared.
func addHotspots(ctx context.Context, db *DB, f JobFilter, p *Profile) error {
	where, args := f.rows()
	// rank is that of the row with the least first_ns: https://sqlite.org/lang_select.html#bareagg
	return each(ctx, db.db, `SELECT name, total(time_pct_x100) / 100.0, `+stopped("time_pct_x100")+`, min(first_ns) AS first, rank FROM job_syscalls`+where+
		` GROUP BY name ORDER BY first, rank, name`, args, func(r *sql.Rows) error {
		var name string
		var pct float64
		var stopped bool
		var first, rank int64
		if err := r.Scan(&name, &pct, &stopped, &first, &rank); err != nil {
			return err
		}
		if stopped {
			p.atLeast("syscall_hotspots")
		}
		p.Hotspots[name] = pct
		p.hotspotOrder = append(p.hotspotOrder, name)
		return nil
	})
}

// addSheets reads the steps that have samples. A step that was only announced has used nothing.
func addSheets(ctx context.Context, db *DB, f JobFilter, p *Profile) error {
	where, args := f.rows()
	return each(ctx, db.db, `SELECT sheet_num, max(max(coalesce(peak_rss_kib, 0), coalesce(exit_peak_rss_kib, 0))) / 1024.0,
		max(coalesce(max_cpu_permille, 0)) / 10.0, (total(cpu_ms) + total(exit_cpu_ms)) / 1000.0, `+stopped("cpu_ms", "exit_cpu_ms")+` FROM job_sheets`+where+`
		GROUP BY sheet_num HAVING max(coalesce(peak_rss_kib, max_cpu_permille, exit_peak_rss_kib)) IS NOT NULL`, args,
		func(r *sql.Rows) error {
			var n int64
			var s Sheet
			var stopped bool
			if err := r.Scan(&n, &s.PeakRSS, &s.MaxCPU, &s.CPUSeconds, &stopped); err != nil {
				return err
			}
			if stopped {
				s.AtLeast = []string{"total_cpu_seconds"}
			}
			p.Sheets[n] = s
			return nil
		})
}

// addResolution sets Resolution: it compares when the job was seen on each host with how far back single samples of that host go.
func addResolution(ctx context.Context, db *DB, f JobFilter, p *Profile) error {
	p.Resolution = "full"
	where, args := f.rows()
	return each(ctx, db.db, `SELECT max(first_seen < first), min(last_seen < first) FROM (SELECT first_seen, last_seen,
		coalesce((SELECT s.timestamp FROM snapshots s WHERE s.host_id = jobs.host_id ORDER BY s.id LIMIT 1), 9e99) AS first FROM jobs`+where+`)`, args,
		func(r *sql.Rows) error {
			var begun, over sql.Null[bool]
			err := r.Scan(&begun, &over)
			switch {
			case over.V:
				p.Resolution = "totals"
			case begun.V:
				p.Resolution = "part"
			}
			return err
		})
}

// noteUnknown names what is not known of a job: figures of which no sample and no exit tells, and counts that nobody could take. They hold 0.
func (p *Profile) noteUnknown(jobs []Job) {
	var memory, cpu bool
	for i := range jobs {
		memory = memory || jobs[i].PeakRSS != nil
		cpu = cpu || jobs[i].MaxCPU != nil
	}
	unseen := !seenInFull(p.Coverage, DataEvents)
	for key, unknown := range map[string]bool{
		"peak_rss_mb":         !memory,
		"max_cpu_pct":         !cpu,
		"unique_pid_count":    p.PIDs == 0,
		"total_cpu_seconds":   p.CPUSeconds == 0 && !(cpu && seenInFull(p.Coverage, DataCPU)),
		"process_spawn_count": p.Spawns == 0 && unseen,
		"process_exit_count":  p.Exits == 0 && unseen,
	} {
		if unknown {
			p.Unknown = append(p.Unknown, key)
		}
	}
	slices.Sort(p.Unknown)
}

// seenInFull reports whether all of a kind of data was seen on all hosts.
func seenInFull(covers []Coverage, of Data) bool {
	for i := range covers {
		if covers[i].percentOf([]Data{of}) < 100 {
			return false
		}
	}
	return len(covers) > 0
}

// Knows reports whether the value of a key is known.
func (p *Profile) Knows(key string) bool { return !slices.Contains(p.Unknown, key) }
