package projector

import (
	"cmp"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/proctape/proctape/projector/ndjson"
	"github.com/proctape/proctape/schema"
)

// applySnapshot stores a snapshot, its processes, and what it adds to jobs.
func (f *fold) applySnapshot(pos *position, d *delivery) error {
	m := d.msg
	hostID, err := f.host(m.Host)
	if err != nil {
		return err
	}
	r, err := f.roster(hostID)
	if err != nil {
		return err
	}
	if r.newest.bootID != "" && !r.late(m) {
		for _, g := range breaks(r.newest, sightOf(m), d.firstOfInstance) {
			g.host = m.Host
			if _, err := f.gap(pos, g); err != nil {
				return err
			}
		}
	}
	if !r.dirty {
		r.dirty = true
		f.dirtyRosters = append(f.dirtyRosters, r)
	}
	id := pos.id(d.seq)
	if err := r.observe(m, id, f, &f.observed); err != nil {
		return fmt.Errorf("look up a process: %w", err)
	}
	if err := f.insertSnapshot(id, hostID, m); err != nil {
		return fmt.Errorf("store snapshot %d: %w", id, err)
	}
	f.addSamples(id, m.Snapshot.Processes)
	f.gatherTouched()
	if err := f.addToJobs(m); err != nil {
		return err
	}
	if f.snapshots != nil {
		f.snapshots.Append(func(b []byte) []byte { return ndjson.AppendSnapshot(b, m) })
	}
	f.stats.Snapshots++
	f.stats.Processes += uint64(len(m.Snapshot.Processes))
	return nil
}

func (f *fold) insertSnapshot(id, hostID int64, m *schema.Message) error {
	s := m.Snapshot
	zombies := s.Zombies()
	var pressure any
	if s.Pressure != nil {
		pressure = string(ndjson.AppendPressure(nil, s.Pressure))
	}
	_, err := f.db.exec(`INSERT OR ROLLBACK INTO snapshots(id, timestamp, daemon_pid, system_memory_total_mb,
		system_memory_available_mb, system_memory_used_mb, daemon_rss_mb, child_count, zombie_count, load_avg_1,
		load_avg_5, load_avg_15, gpu_count, gpu_utilization_pct, gpu_memory_used_mb, gpu_temperature, pressure_level,
		running_jobs, active_sheets, host_id, boot_id, boot_ns, wall_ns, instance, seq, tick, interval_ns, cpus, partial, hidden_count,
		conductor_uptime_seconds, zombie_pids, gpus, job_progress, pressure, capabilities)
		VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`,
		id, schema.Timestamp(m.Wall), s.DaemonPID, schema.MiB(int64(s.MemoryTotal)), schema.MiB(int64(s.MemoryAvail)),
		schema.MiB(int64(s.MemoryTotal)-int64(s.MemoryAvail)), schema.MiB(int64(s.DaemonRSS)), len(s.Processes), len(zombies),
		float64(s.Load[0])/100, float64(s.Load[1])/100, float64(s.Load[2])/100, len(s.GPUs),
		gpuColumn(s.GPUs, func(g *schema.GPU) float64 { return float64(g.Utilization.Or(0)) / 10 }),
		gpuColumn(s.GPUs, func(g *schema.GPU) float64 { return schema.MiB(g.MemoryUsed.Or(0)) }),
		gpuColumn(s.GPUs, func(g *schema.GPU) float64 { return float64(g.Temperature.Or(0)) / 10 }),
		s.PressureLevel, s.RunningJobs, s.ActiveSheets, hostID, m.BootID, m.Boot, m.Wall, m.Instance.String(), int64(m.Seq), int64(s.Tick), s.Interval,
		s.CPUs, s.Partial, s.Hidden, float64(s.Uptime)/1e9, string(ndjson.AppendInts(nil, zombies)),
		string(ndjson.AppendGPUs(nil, s.GPUs)), string(ndjson.AppendJobProgress(nil, s.JobProgress)), pressure,
		string(ndjson.AppendStrings(nil, s.Capabilities)))
	return err
}

// gpuColumn is the contract's JSON array with one number per GPU. What is not known is 0 there, and null in the
// column gpus.
func gpuColumn(gpus []schema.GPU, value func(*schema.GPU) float64) string {
	return string(ndjson.AppendFloats(nil, gpus, value))
}

// addSamples gathers a snapshot's rows, in the order of their primary key: what is appended to a b-tree in order
// fills its pages.
func (f *fold) addSamples(id int64, procs []schema.Process) {
	from := len(f.samples)
	for i := range procs {
		p := &procs[i]
		s := sample{snapshotID: id, processID: f.observed.rows[i].id, state: p.State, cpu: p.CPUPermille, rss: p.RSS, vms: p.VMS,
			fds: p.OpenFDs, gpuMemory: p.GPUMemory, threads: int64(p.Threads), cpuMillis: int64(p.CPUMillis)}
		if len(p.Syscalls) > 0 {
			s.calls = string(ndjson.AppendSyscallCounts(nil, p.Syscalls))
			s.times = string(ndjson.AppendSyscallTimes(nil, p.Syscalls))
		}
		f.samples = append(f.samples, s)
	}
	// Mostly they are: a later process has a higher pid and a higher id, until the pids wrap around.
	byID := func(a, b sample) int { return cmp.Compare(a.processID, b.processID) }
	if !slices.IsSortedFunc(f.samples[from:], byID) {
		slices.SortFunc(f.samples[from:], byID)
	}
}

// gatherTouched gathers the rows of processes that a snapshot opened, changed or closed.
func (f *fold) gatherTouched() {
	f.touched = append(f.touched, f.observed.touched...)
	for _, p := range f.observed.ended {
		key := identity{p.hostID, p.bootID, p.pid, p.startTicks}
		f.ended[key] = max(f.ended[key], p.cpuMillis)
	}
}

// flushProcesses writes the rows of processes that were opened, changed or closed.
func (f *fold) flushProcesses() error {
	var opened, grown, closed []*process
	for _, p := range f.touched {
		switch {
		case !p.stored:
			opened = append(opened, p)
		case p.last != schema.OpenEnded:
			closed = append(closed, p)
		default:
			grown = append(grown, p)
		}
		p.touched, p.stored = false, true
	}
	if err := errors.Join(f.db.insertProcesses(opened), f.db.growProcesses(grown), f.db.closeProcesses(closed)); err != nil {
		return fmt.Errorf("store processes: %w", err)
	}
	clear(f.touched)
	f.touched = f.touched[:0]
	clear(f.ended)
	return nil
}

// roster returns who lives on a host, from memory or as the database has it.
func (f *fold) roster(hostID int64) (*roster, error) {
	if r, ok := f.rosters[hostID]; ok {
		return r, nil
	}
	r := &roster{hostID: hostID}
	if err := errors.Join(f.loadNewest(r), f.loadBoots(r), f.loadOpen(r)); err != nil {
		return nil, fmt.Errorf("load the processes of a host: %w", err)
	}
	f.rosters[hostID] = r
	return r, nil
}

// nextID gives a new row of processes its id.
func (f *fold) nextID() int64 {
	pos := f.positions[schema.StreamSnapshots]
	pos.process++
	return int64(pos.process)
}

const cpuBeforeQuery = `SELECT coalesce(max(cpu_ms), 0) FROM processes WHERE pid=? AND start_ticks=? AND host_id=? AND boot_id=?`

// cpuBefore looks among the rows that are not written yet, and in the table.
func (f *fold) cpuBefore(hostID int64, bootID string, pid int, startTicks uint64) (most int64, err error) {
	most = f.ended[identity{hostID, bootID, pid, startTicks}]
	err = f.db.lookup(cpuBeforeQuery,
		func(r *sql.Rows) error {
			var stored int64
			err := r.Scan(&stored)
			most = max(most, stored)
			return err
		}, pid, int64(startTicks), hostID, bootID)
	return most, err
}

// loadNewest reads what the newest snapshot of a host is, and which came last.
func (f *fold) loadNewest(r *roster) error {
	return f.db.lookup(`SELECT last_snapshot, boot_id, instance, seq, tick, wall_ns, boot_ns, interval_ns FROM rosters WHERE host_id=?`,
		func(rows *sql.Rows) error {
			s := &r.newest
			return rows.Scan(&r.snapshot, &s.bootID, &s.instance, &s.seq, &s.tick, &s.wall, &s.boot, &s.interval)
		}, r.hostID)
}

// loadBoots reads which boots of a host were seen.
func (f *fold) loadBoots(r *roster) error {
	r.boots = map[string]bool{}
	return f.db.lookup(`SELECT boot_id FROM boots WHERE host_id=?`, func(rows *sql.Rows) error {
		var id string
		err := rows.Scan(&id)
		r.boots[id] = true
		return err
	}, r.hostID)
}

// newBoot books a boot of a host that was not seen before.
func (f *fold) newBoot(hostID int64, bootID string) error {
	_, err := f.db.exec(`INSERT INTO boots(host_id, boot_id) VALUES (?,?)`, hostID, bootID)
	return err
}

// flushRosters writes which snapshot of each host is the newest.
func (f *fold) flushRosters() error {
	for _, r := range f.dirtyRosters {
		r.dirty = false
		s := &r.newest
		if _, err := f.db.exec(`INSERT INTO rosters(host_id, last_snapshot, boot_id, instance, seq, tick, wall_ns, boot_ns, interval_ns)
			VALUES (?,?,?,?,?,?,?,?,?) ON CONFLICT(host_id) DO UPDATE SET last_snapshot=excluded.last_snapshot,
			boot_id=excluded.boot_id, instance=excluded.instance, seq=excluded.seq, tick=excluded.tick, wall_ns=excluded.wall_ns,
			boot_ns=excluded.boot_ns, interval_ns=excluded.interval_ns`,
			r.hostID, r.snapshot, s.bootID, s.instance, int64(s.seq), int64(s.tick), s.wall, s.boot, s.interval); err != nil {
			return fmt.Errorf("store the newest snapshot of a host: %w", err)
		}
	}
	f.dirtyRosters = f.dirtyRosters[:0]
	return nil
}

func (f *fold) loadOpen(r *roster) error {
	// The constant, not a parameter, or the partial index could not be used.
	const open = `SELECT id, boot_id, pid, start_ticks, ppid, command, coalesce(job_id, ''), sheet_num, uid,
		coalesce(cgroup, ''), first_snapshot, last_snapshot, cpu_ms, max_cpu_permille, peak_rss_kib, read_kib, write_kib
		FROM processes WHERE host_id=? AND last_snapshot = 4611686018427387904`
	r.byPID = map[int]*process{}
	return f.db.lookup(open, func(rows *sql.Rows) error {
		p := &process{hostID: r.hostID, stored: true}
		var sheet, uid, maxCPU, peak, read, write sql.NullInt64
		if err := rows.Scan(&p.id, &p.bootID, &p.pid, &p.startTicks, &p.ppid, &p.command, &p.job, &sheet, &uid, &p.cgroup,
			&p.first, &p.last, &p.cpuMillis, &maxCPU, &peak, &read, &write); err != nil {
			return err
		}
		p.sheet, p.uid, p.maxCPU = known(sheet), known(uid), known(maxCPU)
		p.peakRSS, p.readKiB, p.writeKiB = known(peak), known(read), known(write)
		r.byPID[p.pid] = p
		return nil
	}, r.hostID)
}

func known(v sql.NullInt64) schema.Opt[int64] { return schema.Opt[int64]{V: v.Int64, Known: v.Valid} }
