package fold

import (
	"cmp"
	"slices"
	"strings"

	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

// roster is which processes are on a host, as its newest snapshot has it.
type roster struct {
	store.Roster
	boots map[string]bool // that were ever seen
	byPID map[int]*store.Process
	made  *store.Process // the newest row of those that were made since the database was opened; nil for none
}

// newRoster is the roster as the database has it.
func newRoster(c store.RosterContents) *roster {
	r := &roster{Roster: c.Roster, boots: make(map[string]bool, len(c.Boots)), byPID: make(map[int]*store.Process, len(c.Open))}
	for _, id := range c.Boots {
		r.boots[id] = true
	}
	for _, p := range c.Open {
		r.byPID[p.PID] = p
	}
	return r
}

// sighting is what a snapshot's columns say of one process, as far as the rows of processes and jobs need it.
type sighting struct {
	pid, ppid       int
	startTicks      uint64
	command, cgroup string
	job             schema.JobKey
	uid, sheet      schema.Opt[int64]
	cpuMillis       int64 // used since it started
	cpu, rss        schema.Opt[int64]
	read, write     schema.Opt[int64] // KiB
	calls           []schema.Syscall
}

// observed is what a snapshot changes. Its slices are reused from call to call.
type observed struct {
	seen    []sighting       // the processes of the snapshot
	rows    []*store.Process // one for each process of the snapshot, in its order
	touched []*store.Process // rows to write: opened, changed or ended; only those that were not to be written before
	ended   []*store.Process // rows that ended, or were never open
	usedCPU []int64          // CPU milliseconds that each process has used since it was last seen, beside rows
	goesOn  bool             // the snapshot goes on from the one before it
}

func (o *observed) reset() {
	clear(o.seen) // lets go of the message
	o.seen, o.rows, o.touched, o.ended, o.usedCPU = o.seen[:0], o.rows[:0], o.touched[:0], o.ended[:0], o.usedCPU[:0]
	o.goesOn = false
}

// touch adds a row to those to write.
func (o *observed) touch(row *store.Process) {
	if !row.Queued {
		row.Queued = true
		o.touched = append(o.touched, row)
	}
}

// registry is what a roster asks of whoever keeps the rows.
type registry interface {
	// nextID gives a new row its id.
	nextID() int64
	// cpuBefore is the most CPU, in milliseconds, that any row has of a process and that has ended; 0 when there is
	// none.
	cpuBefore(store.ProcessKey) (int64, error)
	// newBoot books a boot of a host that was not seen before.
	newBoot(hostID int64, bootID string)
}

// gapsBefore returns the gaps between the newest snapshot and one that comes, unless that one is late. first says that
// the coming one is the first of its producer.
func (r *roster) gapsBefore(m *schema.Message, first bool) []store.Gap {
	if r.Newest.BootID == "" || r.late(m) {
		return nil
	}
	gaps := gapsBetween(r.Newest, markOf(m), first)
	for i := range gaps {
		gaps[i].Host = m.Host
	}
	return gaps
}

// observe takes a snapshot in, of which out has what was seen, and nothing else.
//
// A snapshot that is older than the newest, because it waited in a producer's queue, tells which processes were there
// then. It cannot tell which are gone now.
func (r *roster) observe(m *schema.Message, id int64, reg registry, out *observed) error {
	a := arrival{m: m, id: id, late: r.late(m), first: !r.boots[m.BootID]}
	if a.first {
		reg.newBoot(r.HostID, m.BootID)
		if r.boots == nil {
			r.boots = map[string]bool{}
		}
		r.boots[strings.Clone(m.BootID)] = true
	}
	if !a.late && m.BootID != r.Newest.BootID { // the machine was started anew: no process of before lives
		r.endAll(out)
	}
	if r.byPID == nil {
		r.byPID = make(map[int]*store.Process, len(out.seen))
	}
	for i := range out.seen {
		p := &out.seen[i]
		row, used, err := r.find(p, a, reg, out)
		if err != nil {
			return err
		}
		update(row, p, id, out)
		out.rows = append(out.rows, row)
		out.usedCPU = append(out.usedCPU, used)
	}
	if a.late {
		r.LastSnapshot = id // the rows it holds may end no earlier
		return nil
	}
	r.endMissing(out)
	newest := markOf(m)
	out.goesOn = goesOn(&r.Newest, &newest)
	r.Newest, r.LastSnapshot = newest, id
	r.Newest.BootID = strings.Clone(m.BootID)
	return nil
}

// goesOn reports whether a host's record goes on from a snapshot to the next one with nothing else to tell: readers of a long time pass such
// snapshots over.
func goesOn(before, now *store.SnapshotMark) bool {
	at, seconds := schema.Timestamp(now.Wall), float64(now.Interval)/1e9
	since := schema.Timestamp(before.Wall)
	return now.Instance == before.Instance && now.Seq == before.Seq+1 && now.Interval == before.Interval && since < at && schema.InTime(since, at, seconds) &&
		now.Capabilities == before.Capabilities && now.Partial == before.Partial
}

// late reports whether a newer snapshot of the host has been seen. Within a boot the boot clock tells. A boot that was
// never seen is a new one, whatever its wall clock says, for that may be wrong by years; of one that was seen before
// another, only what the wall clock puts after the newest is not late.
func (r *roster) late(m *schema.Message) bool {
	switch {
	case m.BootID == r.Newest.BootID:
		return m.Boot < r.Newest.Boot
	case !r.boots[m.BootID]:
		return false
	}
	return m.Wall < r.Newest.Wall
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
func (r *roster) find(p *sighting, a arrival, reg registry, out *observed) (row *store.Process, used int64, err error) {
	old := r.byPID[p.pid]
	same := old != nil && old.StartTicks == p.startTicks && old.BootID == a.m.BootID
	var before int64
	if same {
		before = old.CPUMillis
	}
	if same && describes(old, p) {
		return old, max(0, p.cpuMillis-before), nil
	}
	if !a.first && (a.late || !same) { // it may have had another row, before or after
		ended, err := reg.cpuBefore(store.ProcessKey{HostID: r.HostID, BootID: a.m.BootID, PID: p.pid, StartTicks: p.startTicks})
		if err != nil {
			return nil, 0, err
		}
		before = max(before, ended)
	}
	row = r.newRow(p, a.m.BootID, a.id, reg.nextID())
	switch {
	case a.late: // it was called something else, has ended since, or another has its pid: a row for this one snapshot
		row.Last, row.Ended, row.EndedBoot = a.id, schema.Timestamp(a.m.Wall), a.m.Boot
		out.ended = append(out.ended, row)
	default:
		if old != nil {
			r.end(old, out)
		}
		r.byPID[p.pid] = row
	}
	out.touch(row)
	return row, max(0, p.cpuMillis-before), nil
}

// describes reports whether the row still says what there is to say of p.
func describes(row *store.Process, p *sighting) bool {
	return row.PPID == p.ppid && row.Command == p.command && row.Job == p.job && row.Sheet == p.sheet &&
		row.UID == p.uid && row.Cgroup == p.cgroup
}

// newRow makes a row. It copies the strings: those of a message are parts of one that is much larger. What the row made
// before has too, as neighbours mostly do, they share.
func (r *roster) newRow(p *sighting, boot string, id, rowID int64) *store.Process {
	like := cmp.Or(r.made, &store.Process{})
	r.made = &store.Process{
		ID: rowID, ProcessKey: store.ProcessKey{HostID: r.HostID, BootID: share(like.BootID, boot), PID: p.pid, StartTicks: p.startTicks},
		PPID: p.ppid, Command: share(like.Command, p.command), Job: schema.JobKey{ID: share(like.Job.ID, p.job.ID), Fleet: p.job.Fleet},
		Sheet: p.sheet, UID: p.uid, Cgroup: share(like.Cgroup, p.cgroup), First: id, Last: schema.OpenEnded, FirstRSS: p.rss,
	}
	return r.made
}

// share returns copied when it equals s, and otherwise a copy of s.
func share(copied, s string) string {
	if s == copied {
		return copied
	}
	return strings.Clone(s)
}

// update takes in what grows.
func update(row *store.Process, p *sighting, snapshot int64, out *observed) {
	changed := false
	if cpu := p.cpuMillis; cpu > row.CPUMillis {
		row.CPUMillis, changed = cpu, true
	}
	changed = schema.Raise(&row.MaxCPU, p.cpu) || changed
	if schema.Raise(&row.PeakRSS, p.rss) {
		row.PeakAt, changed = schema.Some(snapshot), true
	}
	changed = schema.Raise(&row.ReadKiB, p.read) || changed
	changed = schema.Raise(&row.WriteKiB, p.write) || changed
	if changed {
		out.touch(row)
	}
}

// end ends a row's span at the last snapshot that had it.
func (r *roster) end(row *store.Process, out *observed) {
	row.Last, row.Ended, row.EndedBoot = max(row.First, r.LastSnapshot), schema.Timestamp(r.Newest.Wall), r.Newest.Boot
	out.ended = append(out.ended, row)
	out.touch(row)
}

func (r *roster) endAll(out *observed) {
	for _, row := range r.byPID {
		r.end(row, out)
	}
	r.byPID = nil
}

// endMissing ends the rows of processes that the snapshot does not hold.
func (r *roster) endMissing(out *observed) {
	if len(r.byPID) == len(out.seen) { // the map holds every process of the snapshot; equal lengths mean that it holds no other
		return
	}
	for pid, row := range r.byPID {
		_, here := slices.BinarySearchFunc(out.seen, pid, func(p sighting, pid int) int { return cmp.Compare(p.pid, pid) })
		if !here {
			r.end(row, out)
			delete(r.byPID, pid)
		}
	}
}
