package query

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/proctape/proctape/schema"
)

// JobSamples is what the samples of a job's processes tell of all of them together.
type JobSamples struct {
	Snapshots int64       `json:"snapshots"` // that were read and have a process of it
	Each      int64       `json:"one_in"`    // snapshots were read; 1 for all
	Peak      *float64    `json:"peak_together_mb"`
	PeakTime  *float64    `json:"peak_time"`
	Mean      *float64    `json:"mean_together_mb"`
	Hugetlb   *float64    `json:"peak_hugetlb_mb,omitempty"`         // in huge pages of hugetlbfs, of all together, which no resident memory holds; nil for none
	Largest   *float64    `json:"largest_with_hugetlb_mb,omitempty"` // resident memory and huge pages of the process that had most of both; nil where Hugetlb is
	Most      int64       `json:"most_processes"`                    // at one time
	GPUHours  *float64    `json:"gpu_hours"`                         // that its processes held memory of an accelerator, each for itself; nil where the host has none
	CPUs      int64       `json:"cpus"`                              // of the host; 0 when not known
	Zombies   []JobZombie `json:"zombies"`                           // that were there in more than one snapshot
	Hotspots  []Hotspot   `json:"syscall_hotspots"`
}

// JobZombie is a process that had ended, and for which its parent did not wait.
type JobZombie struct {
	PID     int64   `json:"pid"`
	Parent  int64   `json:"ppid"`
	Command string  `json:"command"`
	From    float64 `json:"from_time"` // of the first and the last snapshot that have it so, Unix seconds
	To      float64 `json:"to_time"`
}

// Hotspot is a system call, and the sum of the shares of time that samples say it took, in percent.
type Hotspot struct {
	Name  string  `json:"name"`
	Time  float64 `json:"time_pct"`
	Calls *int64  `json:"calls"` // that samples tell of; null where not all samples were read
}

// mostJobSamples is about how many samples are read at most, so that the answer costs the same however long a job ran.
const mostJobSamples = 2000

// SamplesOf reads the samples of a job within a time. Of many it reads those of one snapshot in so many.
func SamplesOf(ctx context.Context, db *DB, j JobTime) (*JobSamples, error) {
	r := jobSampleReader{db: db, out: &JobSamples{Each: 1, Zombies: []JobZombie{}, Hotspots: []Hotspot{}}}
	for _, read := range []func(context.Context, JobTime) error{r.readExtent, r.pick, r.readSums, r.readZombies, r.readHotspots} {
		if err := read(ctx, j); err != nil {
			return nil, fmt.Errorf("read the samples of job %q: %w", j.Job, err)
		}
	}
	return r.out, nil
}

type jobSampleReader struct {
	db          *DB
	out         *JobSamples
	first, last int64  // snapshots of the time
	samples     int64  // of them with a process of the job, at most
	picked      string // the samples that are read: a JSON object from the id of each to its process, by process and then by time
	gpus        bool
	zombies     []int64 // samples of processes that had ended
}

// pickedSamples are the samples that are read, in the aliases j and m. ?1 is which they are.
const pickedSamples = ` FROM json_each(?1) j CROSS JOIN samples m ON m.id = CAST(j.key AS INTEGER) AND m.process_id = j.value`

// pick picks the samples of the job within the time that are read: of the snapshots in which a process of it was, one in so many. It looks each snapshot up
// once, and not again for each process.
func (r *jobSampleReader) pick(ctx context.Context, j JobTime) error {
	if r.samples == 0 {
		return nil
	}
	where, args := j.where()
	snapshots := map[int64][]int64{} // of each host
	err := each(ctx, r.db.db, `SELECT host_id, id FROM snapshots WHERE id BETWEEN ?6 AND ?7 AND tick % ?8 = 0 AND `+r.hosts(j)+`
		AND ?1 = ?1 AND ?4 <= ?5 ORDER BY id`, append(args[:5:5], r.first, r.last, r.out.Each), func(rows *sql.Rows) error {
		var host, id int64
		err := rows.Scan(&host, &id)
		snapshots[host] = append(snapshots[host], id)
		return err
	})
	if err != nil {
		return err
	}
	picked := []byte{'{'}
	err = each(ctx, r.db.db, `SELECT t.id, t.host_id, t.pid, t.first_snapshot, t.last_snapshot FROM processes t WHERE`+where+
		` AND t.last_snapshot >= ?6 AND t.first_snapshot <= ?7 AND ?4 <= ?5`, append(args[:5:5], r.first, r.last), func(rows *sql.Rows) error {
		var process, host, pid, first, last int64
		err := rows.Scan(&process, &host, &pid, &first, &last)
		of := snapshots[host]
		from, _ := slices.BinarySearch(of, first)
		for ; from < len(of) && of[from] <= last; from++ {
			if len(picked) > 1 {
				picked = append(picked, ',')
			}
			picked = fmt.Appendf(picked, `"%d":%d`, schema.SampleID(of[from], int(pid)), process)
		}
		return err
	})
	r.picked = string(append(picked, '}'))
	return err
}

// hosts is the condition that a snapshot is of the hosts of a job: of its own one it is looked up among that host's.
func (r *jobSampleReader) hosts(j JobTime) string {
	if r.db.goesOn && !j.Fleet {
		return `?2 = ?2 AND host_id = (SELECT id FROM hosts WHERE name = ?3)`
	}
	return `(?2 OR host_id = (SELECT id FROM hosts WHERE name = ?3))`
}

// readExtent reads which snapshots the time has, and how many samples of the job they may hold.
func (r *jobSampleReader) readExtent(ctx context.Context, j JobTime) error {
	where, args := j.where()
	var first, last, cpus, gpus sql.Null[int64]
	var snapshots int64
	err := r.db.db.QueryRowContext(ctx, `SELECT min(id), max(id), count(*), max(cpus), max(gpu_count) FROM snapshots WHERE timestamp BETWEEN ?4 AND ?5
		AND `+r.hosts(j)+` AND ?1 = ?1`, args...).Scan(&first, &last, &snapshots, &cpus, &gpus)
	if err != nil || snapshots == 0 {
		return err
	}
	r.first, r.last, r.out.CPUs, r.gpus = first.V, last.V, cpus.V, gpus.V > 0
	spread := float64(last.V-first.V+1) / float64(snapshots) // ids are those of messages of all hosts
	var ids float64
	err = r.db.db.QueryRowContext(ctx, `SELECT total(min(t.last_snapshot, ?6) - max(t.first_snapshot, ?5) + 1) FROM processes t WHERE`+where+` AND t.last_snapshot >= ?5 AND t.first_snapshot <= ?6 AND ?4 = ?4`,
		j.Job, j.Fleet, j.Host, 0, first.V, last.V).Scan(&ids)
	r.samples = int64(ids / spread)
	r.out.Each = max(1, (r.samples+mostJobSamples-1)/mostJobSamples)
	return err
}

// readSums reads what all processes have together, snapshot by snapshot.
func (r *jobSampleReader) readSums(ctx context.Context, _ JobTime) error {
	if r.samples == 0 {
		return nil
	}
	var sum, held float64
	err := each(ctx, r.db.db, `SELECT s.timestamp, s.interval_ns / 1e9, p.rss, p.n, p.ended, p.gpus, p.huge, p.largest FROM (SELECT m.id >> 22 AS snapshot, total(m.rss_kib) / 1024.0 AS rss, count(*) AS n,
		json_group_array(m.id) FILTER (WHERE m.state = 'Z') AS ended, total(m.gpu_memory_kib > 0) AS gpus, total(m.hugetlb_kib) / 1024.0 AS huge,
		max(coalesce(m.rss_kib, 0) + coalesce(m.hugetlb_kib, 0)) / 1024.0 AS largest`+pickedSamples+` GROUP BY 1) p CROSS JOIN snapshots s ON s.id = p.snapshot ORDER BY s.id`, []any{r.picked}, func(rows *sql.Rows) error {
		var at, interval, rss, gpus, huge, largest float64
		var n int64
		var ended string
		if err := rows.Scan(&at, &interval, &rss, &n, &ended, &gpus, &huge, &largest); err != nil {
			return err
		}
		var zombies []int64
		if err := json.Unmarshal([]byte(ended), &zombies); err != nil {
			return err
		}
		o := r.out
		o.Snapshots, o.Most, sum, held = o.Snapshots+1, max(o.Most, n), sum+rss, held+gpus*interval*float64(o.Each)
		r.zombies = append(r.zombies, zombies...)
		o.raiseHugetlb(huge, largest)
		if o.Peak == nil || rss > *o.Peak {
			o.Peak, o.PeakTime = &rss, &at
		}
		return nil
	})
	if r.out.Snapshots > 0 {
		mean := sum / float64(r.out.Snapshots)
		r.out.Mean = &mean
	}
	if hours := held / 3600; r.gpus {
		r.out.GPUHours = &hours
	}
	return err
}

// raiseHugetlb takes in what a snapshot has in huge pages, and its largest process with them.
func (o *JobSamples) raiseHugetlb(huge, largest float64) {
	if huge > 0 && (o.Hugetlb == nil || huge > *o.Hugetlb) {
		o.Hugetlb = &huge
	}
	if huge > 0 && (o.Largest == nil || largest > *o.Largest) {
		o.Largest = &largest
	}
}

// readZombies reads which processes were zombies for longer than until the next snapshot.
func (r *jobSampleReader) readZombies(ctx context.Context, _ JobTime) error {
	if len(r.zombies) == 0 {
		return nil
	}
	ids, err := json.Marshal(r.zombies)
	if err != nil {
		return err
	}
	return each(ctx, r.db.db, `SELECT t.pid, coalesce(t.ppid, 0), coalesce(t.command, ''), min(s.timestamp), max(s.timestamp) FROM json_each(?) j CROSS JOIN samples m ON m.id = j.value
		CROSS JOIN processes t ON t.id = m.process_id CROSS JOIN snapshots s ON s.id = m.id >> 22
		GROUP BY t.host_id, t.boot_id, t.pid, t.start_ticks HAVING count(*) > 1 ORDER BY 4, 1`, []any{string(ids)}, func(rows *sql.Rows) error {
		var z JobZombie
		err := rows.Scan(&z.PID, &z.Parent, &z.Command, &z.From, &z.To)
		r.out.Zombies = append(r.out.Zombies, z)
		return err
	})
}

// readHotspots reads what system calls took of the time of the job, where any of it was traced.
func (r *jobSampleReader) readHotspots(ctx context.Context, j JobTime) error {
	var traced bool
	where, args := j.ofJob()
	err := r.db.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM job_syscalls t WHERE`+where+` AND ?4 <= ?5)`, args...).Scan(&traced)
	if err != nil || !traced || r.samples == 0 {
		return err
	}
	return each(ctx, r.db.db, `SELECT c.key, sum(c.value), sum(n.value)`+pickedSamples+` CROSS JOIN json_each(m.syscall_time_pct) c LEFT JOIN json_each(m.syscall_counts) n ON n.key = c.key
		WHERE m.syscall_time_pct IS NOT NULL GROUP BY c.key ORDER BY 2 DESC, 1 LIMIT 10`, []any{r.picked}, func(rows *sql.Rows) error {
		var h Hotspot
		err := rows.Scan(&h.Name, &h.Time, &h.Calls)
		if r.out.Each > 1 {
			h.Calls = nil
		}
		r.out.Hotspots = append(r.out.Hotspots, h)
		return err
	})
}

// JobTimeOf is the time of a run, until its end or until now, Unix seconds. Ends that samplers see a little later belong to it, unless another run of the
// job had begun by then.
func JobTimeOf(r *Run, next *Run, now float64) JobTime {
	const late = 2.0
	j := JobTime{Job: r.JobID, Fleet: r.Fleet, Host: r.Host, From: r.Started, To: now}
	if r.Ended != nil {
		j.To = *r.Ended + late
		if next != nil && next.Started < j.To {
			j.To = max(*r.Ended, next.Started-0.1)
		}
	}
	return j
}
