package projector

import (
	"cmp"
	"strings"

	"github.com/proctape/proctape/schema"
)

// identity is what a process is known by.
type identity struct {
	hostID     int64
	bootID     string
	pid        int
	startTicks uint64
}

// process is one row of processes: a process as it was described for a span of snapshots.
type process struct {
	id         int64
	hostID     int64
	bootID     string
	pid        int
	startTicks uint64
	ppid       int
	command    string
	job        string
	sheet      schema.Opt[int64]
	uid        schema.Opt[int64]
	cgroup     string

	first, last int64   // snapshot ids; last is schema.OpenEnded while the process is there
	ended       float64 // Unix time of the last snapshot; 0 while the process is there
	endedBoot   int64   // the same by the boot clock, ns
	cpuMillis   int64
	maxCPU      schema.Opt[int64]
	peakRSS     schema.Opt[int64]
	readKiB     schema.Opt[int64]
	writeKiB    schema.Opt[int64]

	stored  bool // the row exists
	touched bool // the row is to be written
	counted bool // the job knows its pid
}

// roster is who lives on a host, as the newest snapshot has it.
type roster struct {
	hostID   int64
	dirty    bool            // its newest snapshot is to be written
	newest   sight           // the newest snapshot; its boot id is empty when there is none
	snapshot int64           // id of the last one that came, late or not: where rows end
	boots    map[string]bool // those that were ever seen
	byPID    map[int]*process
	made     *process // the newest row of those that were made since the database was opened; nil for none
}

// observed is what a snapshot changes. Its slices are reused from call to call.
type observed struct {
	rows    []*process // one for each process of the snapshot, in its order
	touched []*process // rows to write: opened, changed or closed; only those that were not to be written before
	ended   []*process // rows that were closed, or never open
	jobCPU  []int64    // CPU milliseconds that each process has used since it was last seen, beside rows
}

func (o *observed) reset() {
	o.rows, o.touched, o.ended, o.jobCPU = o.rows[:0], o.touched[:0], o.ended[:0], o.jobCPU[:0]
}

// registry is what a roster asks of whoever keeps the rows.
type registry interface {
	// nextID gives a new row its id.
	nextID() int64
	// cpuBefore is the most CPU, in milliseconds, that any row has of a process and that has ended; 0 when there is
	// none.
	cpuBefore(hostID int64, bootID string, pid int, startTicks uint64) (int64, error)
	// newBoot books a boot of a host that was not seen before.
	newBoot(hostID int64, bootID string) error
}

// observe takes a snapshot in.
//
// A snapshot that is older than the newest, because it waited in a producer's queue, tells who was there then. It
// cannot tell who is gone now.
func (r *roster) observe(m *schema.Message, id int64, reg registry, out *observed) error {
	out.reset()
	a := arrival{m: m, id: id, late: r.late(m), first: !r.boots[m.BootID]}
	if a.first {
		if err := reg.newBoot(r.hostID, m.BootID); err != nil {
			return err
		}
		if r.boots == nil {
			r.boots = map[string]bool{}
		}
		r.boots[strings.Clone(m.BootID)] = true
	}
	if !a.late && m.BootID != r.newest.bootID { // the machine started anew: nobody of before lives
		r.closeAll(out)
	}
	if r.byPID == nil {
		r.byPID = make(map[int]*process, len(m.Snapshot.Processes))
	}
	for i := range m.Snapshot.Processes {
		p := &m.Snapshot.Processes[i]
		row, used, err := r.find(p, a, reg, out)
		if err != nil {
			return err
		}
		row.update(p, out)
		out.rows = append(out.rows, row)
		out.jobCPU = append(out.jobCPU, used)
	}
	if a.late {
		r.snapshot = id // the rows it holds may end no earlier
		return nil
	}
	r.closeMissing(m.Snapshot.Processes, out)
	r.newest, r.snapshot = sightOf(m), id
	r.newest.bootID = strings.Clone(m.BootID)
	return nil
}

// late reports whether a newer snapshot of the host has been seen. Within a boot the boot clock tells. A boot that was
// never seen is a new one, whatever its wall clock says, for that may be wrong by years; of one that was seen before
// another, only what the wall clock puts after the newest is not late.
func (r *roster) late(m *schema.Message) bool {
	switch {
	case m.BootID == r.newest.bootID:
		return m.Boot < r.newest.boot
	case !r.boots[m.BootID]:
		return false
	}
	return m.Wall < r.newest.wall
}

// arrival is a snapshot as it comes to a roster.
type arrival struct {
	m     *schema.Message
	id    int64
	late  bool // a newer one has been seen
	first bool // of its boot: no row is of that boot
}

// find is the row that describes p: the one there is, or a new one. used is the CPU that the process used since
// it was last seen.
func (r *roster) find(p *schema.Process, a arrival, reg registry, out *observed) (row *process, used int64, err error) {
	old := r.byPID[p.PID]
	same := old != nil && old.startTicks == p.StartTicks && old.bootID == a.m.BootID
	var before int64
	if same {
		before = old.cpuMillis
	}
	if same && old.describes(p) {
		return old, max(0, int64(p.CPUMillis)-before), nil
	}
	if !a.first && (a.late || !same) { // it may have had another row, before or after
		ended, err := reg.cpuBefore(r.hostID, a.m.BootID, p.PID, p.StartTicks)
		if err != nil {
			return nil, 0, err
		}
		before = max(before, ended)
	}
	row = r.newRow(p, a.m.BootID, a.id, reg.nextID())
	switch {
	case a.late: // it was called something else, has ended since, or another has its pid: a row for this one look
		row.last, row.ended, row.endedBoot = a.id, schema.Timestamp(a.m.Wall), a.m.Boot
		out.ended = append(out.ended, row)
	default:
		if old != nil {
			r.close(old, out)
		}
		r.byPID[p.PID] = row
	}
	row.touch(out)
	return row, max(0, int64(p.CPUMillis)-before), nil
}

// describes reports whether the row still says what there is to say of p.
func (row *process) describes(p *schema.Process) bool {
	return row.ppid == p.PPID && row.command == p.Command && row.job == p.JobID && row.sheet == p.Sheet &&
		row.uid == p.UID && row.cgroup == p.Cgroup
}

// newRow makes a row. It copies the strings: those of a message are parts of one that is much larger. What the row made
// before has too, as neighbours mostly do, they share.
func (r *roster) newRow(p *schema.Process, boot string, id, rowID int64) *process {
	like := cmp.Or(r.made, &process{})
	r.made = &process{
		id: rowID, hostID: r.hostID, bootID: share(like.bootID, boot), pid: p.PID, startTicks: p.StartTicks, ppid: p.PPID,
		command: share(like.command, p.Command), job: share(like.job, p.JobID), sheet: p.Sheet, uid: p.UID,
		cgroup: share(like.cgroup, p.Cgroup), first: id, last: schema.OpenEnded,
	}
	return r.made
}

// share is a copy of s: the one there is, if it is one.
func share(copied, s string) string {
	if s == copied {
		return copied
	}
	return strings.Clone(s)
}

// update takes in what grows.
func (row *process) update(p *schema.Process, out *observed) {
	changed := false
	if cpu := int64(p.CPUMillis); cpu > row.cpuMillis {
		row.cpuMillis, changed = cpu, true
	}
	changed = raise(&row.maxCPU, p.CPUPermille) || changed
	changed = raise(&row.peakRSS, p.RSS) || changed
	changed = raise(&row.readKiB, p.ReadKiB) || changed
	changed = raise(&row.writeKiB, p.WriteKiB) || changed
	if changed {
		row.touch(out)
	}
}

// raise sets a maximum, and reports whether it rose.
func raise(top *schema.Opt[int64], v schema.Opt[int64]) bool {
	if !v.Known || top.Known && v.V <= top.V {
		return false
	}
	*top = v
	return true
}

func (row *process) touch(out *observed) {
	if !row.touched {
		row.touched = true
		out.touched = append(out.touched, row)
	}
}

// close ends a row's span at the last snapshot that had it.
func (r *roster) close(row *process, out *observed) {
	row.last, row.ended, row.endedBoot = max(row.first, r.snapshot), schema.Timestamp(r.newest.wall), r.newest.boot
	out.ended = append(out.ended, row)
	row.touch(out)
}

func (r *roster) closeAll(out *observed) {
	for _, row := range r.byPID {
		r.close(row, out)
	}
	r.byPID = nil
}

// closeMissing closes the rows of processes that the snapshot does not hold. Its processes rise by pid.
func (r *roster) closeMissing(procs []schema.Process, out *observed) {
	if len(r.byPID) == len(procs) { // every process of the snapshot is in the map, so nobody else is
		return
	}
	here := make(map[int]struct{}, len(procs))
	for i := range procs {
		here[procs[i].PID] = struct{}{}
	}
	for pid, row := range r.byPID {
		if _, ok := here[pid]; !ok {
			r.close(row, out)
			delete(r.byPID, pid)
		}
	}
}
