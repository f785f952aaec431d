package store

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
)

// SnapshotMark is what of a snapshot tells whether a host's record goes on from it to the next one.
type SnapshotMark struct {
	BootID     string
	Instance   string
	Seq, Tick  uint64
	Wall, Boot int64 // ns
	Interval   int64 // ns
	// What its sampler sees: its capabilities, each in quotes, and whether it lacks processes.
	Capabilities string
	Partial      bool
}

// Roster is what the database knows of a host's snapshots and of the processes that are there now.
type Roster struct {
	HostID       int64
	Newest       SnapshotMark // by the host's clocks; its BootID is empty when there is none
	Lead         Lead         // of the sampler whose snapshot is the newest
	Doubled      Doubled      // the last time that two samplers recorded
	LastSnapshot int64        // id of the last snapshot that came, late or not: there the rows of processes end
	Queued       bool         // the roster is in the batch
}

// Lead is since when a sampler's snapshots are the host's. What another sampler took after that is set aside.
type Lead struct {
	Wall, Boot int64  // ns
	Silent     string // instance of the sampler that led before, was silent and leads again when it speaks; empty for none
}

// Doubled is a span in which another sampler recorded the host too, and its gap. The zero value is none.
type Doubled struct {
	Key      GapKey `json:"key"`
	Noticed  int64  `json:"noticed_ns"` // Unix ns, by the server
	From, To int64  // wall times of the first and the last snapshot that was set aside, Unix ns
	Lost     int64  `json:"lost"`    // snapshots of another machine among them
	Details  string `json:"details"` // of the gap
}

// RosterContents is a roster as it is read from the database.
type RosterContents struct {
	Roster
	Boots []string // all that were ever seen
	Open  []*Process
}

// Roster reads the roster of a host, which is empty when the host is new.
func (t Tables) Roster(hostID int64) (RosterContents, error) {
	r := RosterContents{Roster: Roster{HostID: hostID}}
	var open error
	r.Open, open = openProcesses(t, hostID)
	if err := errors.Join(readNewest(t, &r), readBoots(t, &r), open); err != nil {
		return r, fmt.Errorf("load the processes of a host: %w", err)
	}
	return r, nil
}

func readNewest(t Tables, r *RosterContents) error {
	return t.lookup(`SELECT last_snapshot, boot_id, instance, seq, tick, wall_ns, boot_ns, interval_ns, lead_wall_ns, lead_boot_ns, silent, doubled, capabilities, partial
		FROM rosters WHERE host_id=?`,
		func(rows *sql.Rows) error {
			m := &r.Newest
			var doubled []byte
			if err := rows.Scan(&r.LastSnapshot, &m.BootID, &m.Instance, &m.Seq, &m.Tick, &m.Wall, &m.Boot, &m.Interval,
				&r.Lead.Wall, &r.Lead.Boot, &r.Lead.Silent, &doubled, &m.Capabilities, &m.Partial); err != nil {
				return err
			}
			return json.Unmarshal(doubled, &r.Doubled)
		}, r.HostID)
}

func readBoots(t Tables, r *RosterContents) error {
	return t.lookup(`SELECT boot_id FROM boots WHERE host_id=?`, func(rows *sql.Rows) error {
		var id string
		err := rows.Scan(&id)
		r.Boots = append(r.Boots, id)
		return err
	}, r.HostID)
}

func writeRosters(tx *Tx, rosters []*Roster) error {
	for _, r := range rosters {
		m := &r.Newest
		doubled := "{}"
		if r.Doubled != (Doubled{}) {
			b, _ := json.Marshal(r.Doubled) // numbers and strings always encode
			doubled = string(b)
		}
		if _, err := tx.Exec(`INSERT INTO rosters(host_id, last_snapshot, boot_id, instance, seq, tick, wall_ns, boot_ns, interval_ns,
			lead_wall_ns, lead_boot_ns, silent, doubled, capabilities, partial) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT(host_id) DO UPDATE SET last_snapshot=excluded.last_snapshot,
			boot_id=excluded.boot_id, instance=excluded.instance, seq=excluded.seq, tick=excluded.tick, wall_ns=excluded.wall_ns,
			boot_ns=excluded.boot_ns, interval_ns=excluded.interval_ns, lead_wall_ns=excluded.lead_wall_ns,
			lead_boot_ns=excluded.lead_boot_ns, silent=excluded.silent, doubled=excluded.doubled,
			capabilities=excluded.capabilities, partial=excluded.partial`,
			r.HostID, r.LastSnapshot, m.BootID, m.Instance, int64(m.Seq), int64(m.Tick), m.Wall, m.Boot, m.Interval,
			r.Lead.Wall, r.Lead.Boot, r.Lead.Silent, doubled, m.Capabilities, m.Partial); err != nil {
			return fmt.Errorf("store the newest snapshot of a host: %w", err)
		}
		r.Queued = false
	}
	return nil
}

// CPUBefore returns the most CPU, in milliseconds, that any row has of a process; 0 when there is none.
func (t Tables) CPUBefore(key ProcessKey) (most int64, err error) {
	err = t.lookup(cpuBeforeQuery, func(r *sql.Rows) error { return r.Scan(&most) },
		key.PID, int64(key.StartTicks), key.HostID, key.BootID)
	if err != nil {
		return 0, fmt.Errorf("look up a process: %w", err)
	}
	return most, nil
}

const cpuBeforeQuery = `SELECT coalesce(max(cpu_ms), 0) FROM processes WHERE pid=? AND start_ticks=? AND host_id=? AND boot_id=?`

// openProcesses reads the processes that are on a host now.
func openProcesses(t Tables, hostID int64) (open []*Process, err error) {
	// The constant, not a parameter, or the partial index could not be used.
	const query = `SELECT id, boot_id, pid, start_ticks, ppid, command, coalesce(job_id, ''), fleet, sheet_num, uid,
		coalesce(cgroup, ''), first_snapshot, last_snapshot, cpu_ms, max_cpu_permille, peak_rss_kib, read_kib, write_kib, peak_snapshot
		FROM processes WHERE host_id=? AND last_snapshot = 4611686018427387904`
	err = t.lookup(query, func(rows *sql.Rows) error {
		p := &Process{ProcessKey: ProcessKey{HostID: hostID}, Stored: true}
		var sheet, uid, maxCPU, peak, read, write, peakAt sql.NullInt64
		if err := rows.Scan(&p.ID, &p.BootID, &p.PID, &p.StartTicks, &p.PPID, &p.Command, &p.Job.ID, &p.Job.Fleet, &sheet, &uid, &p.Cgroup,
			&p.First, &p.Last, &p.CPUMillis, &maxCPU, &peak, &read, &write, &peakAt); err != nil {
			return err
		}
		p.Sheet, p.UID, p.MaxCPU = fromNull(sheet), fromNull(uid), fromNull(maxCPU)
		p.PeakRSS, p.ReadKiB, p.WriteKiB, p.PeakAt = fromNull(peak), fromNull(read), fromNull(write), fromNull(peakAt)
		open = append(open, p)
		return nil
	}, hostID)
	return open, err
}
