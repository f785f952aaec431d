package projector

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/proctape/proctape/projector/ndjson"
	"github.com/proctape/proctape/schema"
)

// rewriteSnapshots appends the lines of the newest n snapshots, made of their rows. A line made so is the line that was
// made of the message, to the byte.
func (f *fold) rewriteSnapshots(n int64) error {
	var ids []int64
	err := f.db.query(`SELECT id FROM snapshots ORDER BY id DESC LIMIT ?`, func(r *sql.Rows) error {
		var id int64
		if err := r.Scan(&id); err != nil {
			return err
		}
		ids = append(ids, id)
		return nil
	}, n)
	if err != nil {
		return err
	}
	for i, id := range slices.Backward(ids) {
		if i%100 == 0 { // what is written is booked when all is; until then it is cut off again
			if _, err := f.snapshots.Flush(); err != nil {
				return err
			}
		}
		m, err := f.loadSnapshot(id)
		if err != nil {
			return fmt.Errorf("snapshot %d: %w", id, err)
		}
		f.snapshots.Append(func(b []byte) []byte { return ndjson.AppendSnapshot(b, m) })
	}
	return nil
}

// loadSnapshot is a stored snapshot as a message again, as far as a line needs it.
func (f *fold) loadSnapshot(id int64) (*schema.Message, error) {
	s := new(schema.Snapshot)
	m := &schema.Message{Envelope: schema.Envelope{Kind: schema.KindSnapshot}, Snapshot: s}
	var total, available, rss, uptime float64
	var load [3]float64
	var gpus, progress []byte
	err := f.db.query(`SELECT wall_ns, boot_ns, daemon_pid, system_memory_total_mb, system_memory_available_mb, daemon_rss_mb,
		load_avg_1, load_avg_5, load_avg_15, pressure_level, running_jobs, active_sheets, conductor_uptime_seconds, gpus,
		job_progress FROM snapshots WHERE id=?`, func(r *sql.Rows) error {
		return r.Scan(&m.Wall, &m.Boot, &s.DaemonPID, &total, &available, &rss, &load[0], &load[1], &load[2], &s.PressureLevel,
			&s.RunningJobs, &s.ActiveSheets, &uptime, &gpus, &progress)
	}, id)
	if err != nil {
		return nil, err
	}
	// MiB are KiB divided by a power of two, and so exact; hundredths and nanoseconds round back to what they were.
	s.MemoryTotal, s.MemoryAvail, s.DaemonRSS = uint64(total*1024), uint64(available*1024), uint64(rss*1024)
	for i := range load {
		s.Load[i] = int64(math.Round(load[i] * 100))
	}
	s.Uptime = int64(math.Round(uptime * 1e9))
	if s.GPUs, err = parseGPUs(gpus); err != nil {
		return nil, err
	}
	if s.JobProgress, err = parseJobProgress(progress); err != nil {
		return nil, err
	}
	s.Processes, err = f.loadProcesses(id)
	return m, err
}

func (f *fold) loadProcesses(id int64) (procs []schema.Process, err error) {
	err = f.db.query(`SELECT p.pid, p.ppid, p.start_ticks, p.command, coalesce(p.job_id, ''), p.sheet_num, coalesce(m.state, 'S'),
		m.cpu_permille, m.rss_kib, m.vms_kib, m.threads, m.open_fds, coalesce(m.syscall_counts, ''), coalesce(m.syscall_time_pct, '')
		FROM samples m JOIN processes p ON p.id = m.process_id WHERE m.snapshot_id=? ORDER BY p.pid`, func(r *sql.Rows) error {
		var p schema.Process
		var sheet, cpu, rss, vms, fds sql.NullInt64
		var counts, times []byte
		if err := r.Scan(&p.PID, &p.PPID, &p.StartTicks, &p.Command, &p.JobID, &sheet, &p.State, &cpu, &rss, &vms, &p.Threads, &fds,
			&counts, &times); err != nil {
			return err
		}
		p.Sheet, p.CPUPermille, p.RSS, p.VMS, p.OpenFDs = known(sheet), known(cpu), known(rss), known(vms), known(fds)
		p.Syscalls, err = parseSyscalls(counts, times)
		procs = append(procs, p)
		return err
	}, id)
	return procs, err
}

func parseGPUs(b []byte) ([]schema.GPU, error) {
	var rows []struct {
		Index       int                 `json:"index"`
		Utilization schema.Opt[float64] `json:"utilization_pct"`
		Used        schema.Opt[float64] `json:"memory_used_mb"`
		Total       schema.Opt[float64] `json:"memory_total_mb"`
		Temperature schema.Opt[float64] `json:"temperature_c"`
	}
	if err := json.Unmarshal(b, &rows); err != nil {
		return nil, err
	}
	times := func(v schema.Opt[float64], by float64) schema.Opt[int64] {
		return schema.Opt[int64]{V: int64(math.Round(v.V * by)), Known: v.Known}
	}
	var gpus []schema.GPU
	for _, r := range rows {
		gpus = append(gpus, schema.GPU{Index: r.Index, Utilization: times(r.Utilization, 10), MemoryUsed: times(r.Used, 1024),
			MemoryTotal: times(r.Total, 1024), Temperature: times(r.Temperature, 10)})
	}
	return gpus, nil
}

// parseJobProgress reads a column whose keys are those of the message.
func parseJobProgress(b []byte) ([]schema.JobProgress, error) {
	var jobs []schema.JobProgress
	err := json.Unmarshal(b, &jobs)
	return jobs, err
}

// parseSyscalls reads the two objects of a row in the order in which they were written.
func parseSyscalls(counts, times []byte) ([]schema.Syscall, error) {
	if len(counts) == 0 {
		return nil, nil
	}
	var calls []schema.Syscall
	if err := eachMember(counts, func(name string, v json.Number) error {
		n, err := v.Int64()
		calls = append(calls, schema.Syscall{Name: name, Calls: uint64(n)})
		return err
	}); err != nil {
		return nil, err
	}
	i := 0
	return calls, eachMember(times, func(_ string, v json.Number) error {
		pct, err := v.Float64()
		if i < len(calls) {
			calls[i].TimeX100 = uint64(math.Round(pct * 100))
		}
		i++
		return err
	})
}

// eachMember passes the members of an object of numbers on, in their order, which a map would lose.
func eachMember(b []byte, one func(name string, v json.Number) error) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if _, err := d.Token(); err != nil { // {
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var v json.Number
		if err := d.Decode(&v); err != nil {
			return err
		}
		if err := one(name.(string), v); err != nil {
			return err
		}
	}
	return nil
}
