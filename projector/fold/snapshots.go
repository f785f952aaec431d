package fold

import (
	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/metric"
)

// snapshots folds snapshots. It remembers the roster of every host that one came from.
type snapshots struct {
	tables    Tables
	rosters   map[int64]*roster
	samplers  samplers
	minutes   minutes
	anomalies anomalies
	observed  observed
}

// samplers says which of the samplers of a host counts.
type samplers interface {
	// admit says what to do with a snapshot, and notes it when it is set aside. first says that nothing of this life of its producer
	// came before.
	admit(r *roster, to place, m *schema.Message, first bool) role
	// follow notes since when the sampler of the newest snapshot leads; before was the newest one before it.
	follow(r *roster, before store.SnapshotMark, what role)
}

// add adds a snapshot, its processes, and what it tells of jobs. first says that nothing of this life of its producer
// came before.
func (s *snapshots) add(to place, m *schema.Message, first bool) error {
	r, err := s.roster(to.hostID)
	if err != nil {
		return err
	}
	if !r.Queued {
		r.Queued = true
		to.batch.Rosters = append(to.batch.Rosters, &r.Roster)
	}
	what := s.samplers.admit(r, to, m, first)
	if what == setAside {
		return nil
	}
	s.observed.reset()
	s.observed.seen = appendSightings(s.observed.seen, &m.Snapshot.Processes)
	for _, g := range r.gapsBefore(m, first || what == takesOver) {
		to.gap(g)
	}
	id, before := to.rowID, r.Newest
	if err := r.observe(m, id, rows{s.tables, to}, &s.observed); err != nil {
		return err
	}
	s.samplers.follow(r, before, what)
	to.batch.Snapshots = append(to.batch.Snapshots, store.Snapshot{ID: id, HostID: to.hostID, GoesOn: s.observed.goesOn, Message: m})
	addSamples(to.batch, id, &m.Snapshot.Processes, s.observed.rows)
	s.addProcesses(to.batch)
	addJobSamples(to, m.Wall, &s.observed)
	s.minutes.snapshot(to, m, &s.observed)
	if err := s.anomalies.observe(to, m); err != nil {
		return err
	}
	to.batch.Stats.Snapshots++
	to.batch.Stats.Processes += uint64(len(s.observed.rows))
	return nil
}

// appendSightings appends all processes of a snapshot.
func appendSightings(list []sighting, procs *schema.Processes) []sighting {
	for row := range procs.Len() {
		number := func(id metric.ID) schema.Opt[int64] { return procs.Number(id, row) }
		list = append(list, sighting{
			pid: procs.PID(row), ppid: int(number(metric.PPID).V), startTicks: procs.StartTicks(row),
			command: procs.Text(metric.Command, row), job: schema.JobOf(procs, row), cgroup: procs.Text(metric.Cgroup, row),
			uid: number(metric.UID), sheet: number(metric.Sheet), cpuMillis: number(metric.CPUMillis).V,
			cpu: number(metric.CPUPermille), rss: number(metric.RSS), read: number(metric.ReadKiB), write: number(metric.WriteKiB),
			calls: procs.Syscalls(row),
		})
	}
	return list
}

// roster returns the roster of a host, from memory or as the database has it.
func (s *snapshots) roster(hostID int64) (*roster, error) {
	if r, ok := s.rosters[hostID]; ok {
		return r, nil
	}
	c, err := s.tables.Roster(hostID)
	if err != nil {
		return nil, err
	}
	r := newRoster(c)
	s.rosters[hostID] = r
	return r, nil
}

// addSamples adds a snapshot's rows, which rise by pid, and so by their primary key: what is appended to a b-tree in order
// fills its pages.
func addSamples(batch *store.Batch, id int64, procs *schema.Processes, rows []*store.Process) {
	for i, row := range rows {
		batch.Samples = append(batch.Samples, store.Sample{SnapshotID: id, ProcessID: row.ID, Processes: procs, Row: i})
	}
}

// addProcesses adds the rows of processes that a snapshot opened, changed or ended.
func (s *snapshots) addProcesses(batch *store.Batch) {
	batch.Processes = append(batch.Processes, s.observed.touched...)
	for _, p := range s.observed.ended {
		batch.EndedCPU[p.ProcessKey] = max(batch.EndedCPU[p.ProcessKey], p.CPUMillis)
	}
}

// closeHost ends the processes of a host.
func (s *snapshots) closeHost(hostID int64, batch *store.Batch) error {
	r, err := s.roster(hostID)
	if err != nil {
		return err
	}
	s.observed.reset()
	r.endAll(&s.observed)
	batch.Processes = append(batch.Processes, s.observed.touched...)
	return nil
}

// rows is the registry of a batch.
type rows struct {
	tables Tables
	to     place
}

// nextID implements registry.
func (r rows) nextID() int64 {
	r.to.at.Process++
	return int64(r.to.at.Process)
}

// cpuBefore looks in the batch and in the table.
func (r rows) cpuBefore(key store.ProcessKey) (int64, error) {
	stored, err := r.tables.CPUBefore(key)
	return max(r.to.batch.EndedCPU[key], stored), err
}

// newBoot implements registry.
func (r rows) newBoot(hostID int64, bootID string) {
	r.to.batch.Boots = append(r.to.batch.Boots, store.Boot{HostID: hostID, BootID: bootID})
}
