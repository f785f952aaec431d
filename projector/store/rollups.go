package store

import (
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/proctape/proctape/projector/ndjson"
	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/metric"
)

// Rollup is a row of rollups, and the rows of its processes.
type Rollup struct {
	ID, HostID int64
	Message    *schema.Message
	Replaces   int64 // id of the rollup of the same minute that goes; 0 for none
}

// Rollup returns the rollup that there is of a host's minute, which begins at a Unix time: its id, and how many
// snapshots went into it. The id is 0 when there is none.
func (t Tables) Rollup(hostID int64, minute float64) (id, samples int64, err error) {
	err = t.Query(`SELECT id, samples FROM rollups WHERE host_id = ? AND timestamp = ?`,
		func(r *sql.Rows) error { return r.Scan(&id, &samples) }, hostID, minute)
	if err != nil {
		return 0, 0, fmt.Errorf("look up a rollup: %w", err)
	}
	return id, samples, nil
}

func writeRollups(tx *Tx, rollups []Rollup) error {
	for i := range rollups {
		if err := writeRollup(tx, &rollups[i]); err != nil {
			return fmt.Errorf("store rollup %d: %w", rollups[i].ID, err)
		}
	}
	return nil
}

func writeRollup(tx *Tx, r *Rollup) error {
	if r.Replaces != 0 {
		for _, query := range []string{`DELETE FROM process_rollups WHERE rollup_id = ?`, `DELETE FROM rollups WHERE id = ?`} {
			if _, err := tx.Exec(query, r.Replaces); err != nil {
				return fmt.Errorf("replace rollup %d: %w", r.Replaces, err)
			}
		}
	}
	if _, err := tx.Exec(insertRollup, r.values()...); err != nil {
		return err
	}
	minute := schema.Timestamp(r.Message.Rollup.Minute)
	for i := range r.Message.Rollup.Processes {
		p := &r.Message.Rollup.Processes[i]
		id := describedID(r.HostID, p)
		if err := describeProcess(tx, id, r.HostID, minute, p); err != nil {
			return fmt.Errorf("describe process %d: %w", p.PID, err)
		}
		if err := insertProcessRollup(tx, id, r.ID, p); err != nil {
			return fmt.Errorf("store process %d: %w", p.PID, err)
		}
	}
	return nil
}

// DeleteRollup deletes a rollup, and the descriptions of processes that no other rollup needs.
func (tx *Tx) DeleteRollup(id int64) error {
	// What is deleted is no longer in use, and is written again when a rollup of the same hour needs it.
	err := tx.Query(`DELETE FROM rollup_processes WHERE id IN (SELECT process_id FROM process_rollups WHERE rollup_id = ?1) AND NOT EXISTS
		(SELECT 1 FROM process_rollups m WHERE m.process_id = rollup_processes.id AND m.rollup_id != ?1) RETURNING id`,
		func(r *sql.Rows) error {
			var described int64
			err := r.Scan(&described)
			tx.store.described.remove(described)
			return err
		}, id)
	if err != nil {
		return fmt.Errorf("delete the descriptions of rollup %d: %w", id, err)
	}
	for _, query := range []string{`DELETE FROM process_rollups WHERE rollup_id = ?`, `DELETE FROM rollups WHERE id = ?`} {
		if _, err := tx.Exec(query, id); err != nil {
			return fmt.Errorf("delete rollup %d: %w", id, err)
		}
	}
	return nil
}

const insertRollup = `INSERT OR ROLLBACK INTO rollups(id, timestamp, host_id, boot_id, boot_ns, samples, covers, interval_ns,
	daemon_pid, daemon_rss_kib, cpus, memory_total_kib, memory_used_mean, memory_used_max, memory_used_p95,
	load1_mean, load1_max, load1_p95, load5, load15, cpu_mean, cpu_max, cpu_p95, process_count, zombie_count,
	pressure_level, running_jobs, active_sheets, partial, gpus)
	VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`

// values are the values that insertRollup takes.
func (r *Rollup) values() []any {
	m, u := r.Message, r.Message.Rollup
	used, load, cpu := &u.MemoryUsed, &u.Load1, &u.CPU
	return []any{
		r.ID, schema.Timestamp(u.Minute), r.HostID, m.BootID, m.Boot, u.Samples, CoversText(u.Covers), u.Interval, u.DaemonPID,
		int64(u.DaemonRSS), u.CPUs, int64(u.MemoryTotal), mean(used), highest(used), p95(used), mean(load), highest(load), p95(load),
		u.Load5, u.Load15, mean(cpu), highest(cpu), p95(cpu), u.ProcessCount, u.Zombies, u.PressureLevel, u.RunningJobs,
		u.ActiveSheets, u.Partial, string(ndjson.AppendGPUs(nil, u.GPUs)),
	}
}

var insertProcessRollupQuery = func() string {
	columns := append([]string{"process_id", "rollup_id", "samples", "last_boot_ns"}, metric.RollupNames()...)
	return `INSERT OR REPLACE INTO process_rollups(` + strings.Join(columns, ", ") + `) VALUES (?` + strings.Repeat(",?", len(columns)-1) + `)`
}()

func insertProcessRollup(tx *Tx, id, rollup int64, p *schema.ProcessRollup) error {
	values := []any{id, rollup, p.Samples, p.LastBoot}
	for _, of := range metric.Spreads {
		s := p.Spread(of)
		values = append(values, mean(s), highest(s), p95(s))
	}
	for _, of := range metric.Lasts {
		values = append(values, measured(of, p.Last(of)))
	}
	_, err := tx.Exec(insertProcessRollupQuery, values...)
	return err
}

// describeProcess stores the description of a process, or that it is still in use. It is written once an hour.
func describeProcess(tx *Tx, id, hostID int64, minute float64, p *schema.ProcessRollup) error {
	hour := minute - math.Mod(minute, 3600)
	if tx.store.described.covers(id, hour) {
		return nil
	}
	if _, err := tx.Exec(`INSERT INTO rollup_processes(id, host_id, boot_id, pid, start_ticks, ppid, command, job_id,
		fleet, sheet_num, uid, last_hour) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)
		ON CONFLICT(id) DO UPDATE SET last_hour = max(last_hour, excluded.last_hour)`,
		id, hostID, p.BootID, p.PID, int64(p.StartTicks), p.PPID, p.Command, optionalText(p.JobID), p.Fleet, optional(p.Sheet),
		optional(p.UID), hour); err != nil {
		return err
	}
	tx.store.described.add(id, hour)
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
	if p.Fleet { // behind what describes a process of a host's own job, whose id stays what it was
		b = append(b, 0, 1)
	}
	sum := sha256.Sum256(b)
	return int64(binary.BigEndian.Uint64(sum[:8]) >> 2)
}

// CoversText writes which snapshots a rollup covers as the column covers has it: a JSON array of [instance, first
// number, last number].
func CoversText(covers []schema.Cover) string {
	rows := make([][3]any, len(covers))
	for i, c := range covers {
		rows[i] = [3]any{c.Instance.String(), c.First, c.Last}
	}
	b, _ := json.Marshal(rows) // strings and numbers always encode
	return string(b)
}

// ParseCovers reads what [CoversText] wrote.
func ParseCovers(text string) ([]schema.Cover, error) {
	var spans []coveredSpan
	if err := json.Unmarshal([]byte(text), &spans); err != nil {
		return nil, fmt.Errorf("read which snapshots a rollup covers: %w", err)
	}
	covers := make([]schema.Cover, len(spans))
	for i, s := range spans {
		covers[i] = s.Cover
	}
	return covers, nil
}

// coveredSpan is a span as CoversText writes it.
type coveredSpan struct{ schema.Cover }

// UnmarshalJSON implements json.Unmarshaler.
func (c *coveredSpan) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[]any{&c.Instance, &c.First, &c.Last})
}

func mean(s *schema.Spread) any    { return ofSpread(s, s.Mean()) }
func highest(s *schema.Spread) any { return ofSpread(s, s.Max) }
func p95(s *schema.Spread) any     { return ofSpread(s, s.P95) }

// ofSpread is a figure of a spread as SQL has it: NULL when no value of it is known.
func ofSpread(s *schema.Spread, v int64) any {
	if s.Samples == 0 {
		return nil
	}
	return v
}
