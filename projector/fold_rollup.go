package projector

import (
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"

	"github.com/proctape/proctape/projector/ndjson"
	"github.com/proctape/proctape/schema"
)

// applyRollup stores a rollup, in place of one of the same minute with fewer snapshots in it. Rollups have no number
// in a producer's count: a message is named by what it covers.
func (f *fold) applyRollup(pos *position, d *delivery) error {
	m, u := d.msg, d.msg.Rollup
	hostID, err := f.host(m.Host)
	if err != nil {
		return err
	}
	minute := schema.Timestamp(u.Minute)
	old, samples, err := f.rollup(hostID, minute)
	if err != nil {
		return err
	}
	if samples >= u.Samples {
		f.stats.Duplicates++
		return nil
	}
	if old != 0 {
		for _, query := range []string{`DELETE FROM process_rollups WHERE rollup_id = ?`, `DELETE FROM rollups WHERE id = ?`} {
			if _, err := f.db.exec(query, old); err != nil {
				return fmt.Errorf("replace rollup %d: %w", old, err)
			}
		}
	}
	id := pos.id(d.seq)
	if err := f.insertRollup(id, hostID, m); err != nil {
		return fmt.Errorf("store rollup %d: %w", id, err)
	}
	for i := range u.Processes {
		if err := f.insertProcessRollup(id, hostID, minute, &u.Processes[i]); err != nil {
			return fmt.Errorf("store process %d of rollup %d: %w", u.Processes[i].PID, id, err)
		}
	}
	return nil
}

// rollup is the one there is of a host's minute: its id, and how many snapshots went into it. The id is 0 when there
// is none.
func (f *fold) rollup(hostID int64, minute float64) (id, samples int64, err error) {
	err = f.db.query(`SELECT id, samples FROM rollups WHERE host_id = ? AND timestamp = ?`,
		func(r *sql.Rows) error { return r.Scan(&id, &samples) }, hostID, minute)
	return id, samples, err
}

func (f *fold) insertRollup(id, hostID int64, m *schema.Message) error {
	u := m.Rollup
	used, load, cpu := &u.MemoryUsed, &u.Load1, &u.CPU
	_, err := f.db.exec(`INSERT OR ROLLBACK INTO rollups(id, timestamp, host_id, boot_id, boot_ns, samples, covers, interval_ns,
		daemon_pid, daemon_rss_kib, cpus, memory_total_kib, memory_used_mean, memory_used_max, memory_used_p95,
		load1_mean, load1_max, load1_p95, load5, load15, cpu_mean, cpu_max, cpu_p95, process_count, zombie_count,
		pressure_level, running_jobs, active_sheets, partial, gpus)
		VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`,
		id, schema.Timestamp(u.Minute), hostID, m.BootID, m.Boot, u.Samples, coversText(u.Covers), u.Interval, u.DaemonPID,
		int64(u.DaemonRSS), u.CPUs, int64(u.MemoryTotal), mean(used), most(used), p95(used), mean(load), most(load), p95(load),
		u.Load5, u.Load15, mean(cpu), most(cpu), p95(cpu), u.ProcessCount, u.Zombies, u.PressureLevel, u.RunningJobs,
		u.ActiveSheets, u.Partial, string(ndjson.AppendGPUs(nil, u.GPUs)))
	return err
}

func (f *fold) insertProcessRollup(rollup, hostID int64, minute float64, p *schema.ProcessRollup) error {
	id := describedID(hostID, p)
	if err := f.describeProcess(id, hostID, minute, p); err != nil {
		return err
	}
	state := p.State
	if state == "S" {
		state = ""
	}
	_, err := f.db.exec(`INSERT OR REPLACE INTO process_rollups(process_id, rollup_id, samples, cpu_mean, cpu_max, cpu_p95,
		rss_mean, rss_max, rss_p95, last_boot_ns, state, vms_kib, threads, open_fds, cpu_ms)
		VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`,
		id, rollup, p.Samples, mean(&p.CPU), most(&p.CPU), p95(&p.CPU), mean(&p.RSS), most(&p.RSS), p95(&p.RSS),
		p.LastBoot, nullText(state), nullable(p.VMS), p.Threads, nullable(p.OpenFDs), int64(p.CPUMillis))
	return err
}

// lastHour is the hour in which a minute is: as exactly as a description says when it was last in use, so that it is
// written once an hour.
func lastHour(minute float64) float64 { return minute - math.Mod(minute, 3600) }

// maxDescribed bounds the descriptions that are remembered.
const maxDescribed = 1 << 20

// describeProcess stores the description of a process, or that it still is in use.
func (f *fold) describeProcess(id, hostID int64, minute float64, p *schema.ProcessRollup) error {
	hour := lastHour(minute)
	if last, ok := f.described[id]; ok && hour <= last {
		return nil
	}
	if _, err := f.db.exec(`INSERT INTO rollup_processes(id, host_id, boot_id, pid, start_ticks, ppid, command, job_id,
		sheet_num, uid, last_hour) VALUES (?,?,?,?,?,?,?,?,?,?,?)
		ON CONFLICT(id) DO UPDATE SET last_hour = max(last_hour, excluded.last_hour)`,
		id, hostID, p.BootID, p.PID, int64(p.StartTicks), p.PPID, p.Command, nullText(p.JobID), nullable(p.Sheet),
		nullable(p.UID), hour); err != nil {
		return err
	}
	if len(f.described) >= maxDescribed {
		clear(f.described)
	}
	f.described[id] = hour // or less: a late minute does not move it back
	return nil
}

// describedID is 62 bits of the hash of what describes a process.
func describedID(hostID int64, p *schema.ProcessRollup) int64 {
	var fixed [256]byte
	b := fixed[:0]
	for _, n := range []int64{hostID, int64(p.PID), int64(p.StartTicks), int64(p.PPID), p.UID.Or(-1), p.Sheet.Or(-1)} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	b = append(append(append(append(append(b, p.BootID...), 0), p.JobID...), 0), p.Command...)
	sum := sha256.Sum256(b)
	return int64(binary.BigEndian.Uint64(sum[:8]) >> 2)
}

func coversText(covers []schema.Cover) string {
	rows := make([][3]any, len(covers))
	for i, c := range covers {
		rows[i] = [3]any{c.Instance.String(), c.First, c.Last}
	}
	b, _ := json.Marshal(rows) // strings and numbers always encode
	return string(b)
}

func mean(s *schema.Spread) any { return ofSpread(s, s.Mean()) }
func most(s *schema.Spread) any { return ofSpread(s, s.Max) }
func p95(s *schema.Spread) any  { return ofSpread(s, s.P95) }

// ofSpread is a figure of a spread as SQL has it: NULL when no value of it is known.
func ofSpread(s *schema.Spread, v int64) any {
	if s.Samples == 0 {
		return nil
	}
	return v
}
