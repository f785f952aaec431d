package store

import (
	"database/sql"
	"fmt"
	"math"

	"github.com/proctape/proctape/projector/ndjson"
	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/metric"
)

// NewestSnapshots returns the ids of the newest n snapshots, newest first.
func (t Tables) NewestSnapshots(n int64) (ids []int64, err error) {
	err = t.Query(`SELECT id FROM snapshots ORDER BY id DESC LIMIT ?`, func(r *sql.Rows) error {
		var id int64
		err := r.Scan(&id)
		ids = append(ids, id)
		return err
	}, n)
	return ids, err
}

// ReadSnapshot returns a stored snapshot as a message again, as far as its line needs it: the line that is made of it is
// the line that was made of the message, to the byte.
func (t Tables) ReadSnapshot(id int64) (*schema.Message, error) {
	m, err := readSnapshot(t, id)
	if err != nil {
		return nil, fmt.Errorf("read snapshot %d: %w", id, err)
	}
	if m.Snapshot.Processes, err = readProcesses(t, id); err != nil {
		return nil, fmt.Errorf("read the processes of snapshot %d: %w", id, err)
	}
	return m, nil
}

func readSnapshot(t Tables, id int64) (*schema.Message, error) {
	n := new(schema.Snapshot)
	m := &schema.Message{Envelope: schema.Envelope{Kind: schema.KindSnapshot}, Snapshot: n}
	var total, available, rss, uptime float64
	var load [3]float64
	var gpus, progress, hostValues []byte
	err := t.Query(`SELECT (SELECT name FROM hosts h WHERE h.id = host_id), wall_ns, boot_ns, daemon_pid, coalesce(system_memory_total_mb,0), coalesce(system_memory_available_mb,0),
		daemon_rss_mb, coalesce(load_avg_1,0), coalesce(load_avg_5,0), coalesce(load_avg_15,0), pressure_level, running_jobs,
		active_sheets, conductor_uptime_seconds, gpus, job_progress, host_values FROM snapshots WHERE id=?`, func(r *sql.Rows) error {
		return r.Scan(&m.Host, &m.Wall, &m.Boot, &n.DaemonPID, &total, &available, &rss, &load[0], &load[1], &load[2], &n.PressureLevel,
			&n.RunningJobs, &n.ActiveSheets, &uptime, &gpus, &progress, &hostValues)
	}, id)
	if err != nil {
		return nil, err
	}
	// MiB are KiB divided by a power of two, and so exact; hundredths and nanoseconds round back to what they were.
	n.MemoryTotal, n.MemoryAvail, n.DaemonRSS = uint64(total*1024), uint64(available*1024), uint64(rss*1024)
	for i := range load {
		n.Load[i] = int64(math.Round(load[i] * 100))
	}
	n.Uptime = int64(math.Round(uptime * 1e9))
	if n.GPUs, err = ndjson.ParseGPUs(gpus); err != nil {
		return nil, err
	}
	if n.HostValues, err = ndjson.ParseHostValues(hostValues); err != nil {
		return nil, err
	}
	n.JobProgress, err = ndjson.ParseJobProgress(progress)
	return m, err
}

// processQuery reads what describes the processes of a snapshot, and all that was measured of them.
var processQuery = `SELECT p.pid, p.ppid, p.start_ticks, p.command, coalesce(p.job_id, ''), p.fleet, p.sheet_num,
	coalesce(m.syscall_counts, ''), coalesce(m.syscall_time_pct, ''), ` + metric.Columns("m", metric.Samples) + `
	FROM samples m JOIN processes p ON p.id = m.process_id WHERE m.id BETWEEN ? AND ? ORDER BY m.id`

func readProcesses(t Tables, id int64) (procs schema.Processes, err error) {
	values := make([]any, len(metric.Samples))
	first, last := schema.SampleIDs(id)
	err = t.Query(processQuery, func(r *sql.Rows) error {
		var p schema.Process
		var sheet sql.NullInt64
		var counts, times []byte
		into := []any{&p.PID, &p.PPID, &p.StartTicks, &p.Command, &p.JobID, &p.Fleet, &sheet, &counts, &times}
		for i := range values {
			into = append(into, &values[i])
		}
		if err := r.Scan(into...); err != nil {
			return err
		}
		for i, id := range metric.Samples {
			p.SetNumber(id, schema.NumberFromSQL(id, values[i]))
		}
		p.Sheet = fromNull(sheet)
		p.Syscalls, err = ndjson.ParseSyscalls(counts, times)
		procs.Append(&p)
		return err
	}, first, last)
	return procs, err
}
