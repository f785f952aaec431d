package projector

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/proctape/proctape/projector/fold"
	"github.com/proctape/proctape/schema"
)

// story says what may happen to the messages of two hosts on their way.
type story struct {
	late   bool // some come after later ones
	poison bool // some cannot be read, at first or for ever
	full   bool // every field of a message has a value
}

// teller makes a story's deliveries.
type teller struct {
	story
	roll    dice
	log     *simLog
	hosts   []*simHost
	fleet   *simHost          // whoever speaks of the fleet's jobs
	waiting []*schema.Message // will come late
	sent    []*schema.Message // may come again
	told    []*received
}

// tell makes about n deliveries.
func (s story) tell(roll dice, n int) []*received {
	t := &teller{story: s, roll: roll, log: newLog(), hosts: []*simHost{newHost("alpha"), newHost("beta")}, fleet: newHost(schema.Fleet)}
	for _, h := range t.hosts {
		h.tells = true
	}
	for len(t.told) < n {
		t.step()
	}
	for _, m := range t.waiting {
		t.send(m)
	}
	return t.told
}

func (t *teller) step() {
	h := t.hosts[t.roll(len(t.hosts))]
	switch n := t.roll(100); {
	case n < 2:
		t.flush(h)
		h.reboot()
	case n < 5:
		h.restart()
		h.pass(2 * second) // or what both lives tell would be of one moment, as two samplers tell it
	case n < 60:
		t.live(h)
		t.transport(h.snapshot())
	case n < 66:
		t.transport(t.ofFleet(h.execs(1+t.roll(4), "", "build", "test")))
	case n < 82:
		kinds := []schema.Kind{schema.KindSpawn, schema.KindExit, schema.KindSignal, schema.KindKill, schema.KindOOM}
		t.transport(t.ofFleet(h.events(kinds[t.roll(len(kinds))], 1+t.roll(4), "", "build", "test")))
	case n < 86:
		t.transport(h.gaps(1 + t.roll(2)))
	case n < 91:
		t.transport(h.jobs(t.jobEvents()...))
	case n < 94:
		t.transport(t.fleet.jobs(t.jobEvents()...))
	case n < 97:
		t.log.lose(schema.DataStreams[t.roll(2)], uint64(1+t.roll(3)))
	case len(t.sent) > 0:
		t.send(t.sent[t.roll(len(t.sent))])
	}
}

// ofFleet lets some of a message's events be of jobs of the fleet.
func (t *teller) ofFleet(m *schema.Message) *schema.Message {
	for i := range m.Events {
		m.Events[i].Fleet = m.Events[i].JobID != "" && t.roll(3) == 0
	}
	for i := range m.Execs {
		m.Execs[i].Fleet = m.Execs[i].JobID != "" && t.roll(3) == 0
	}
	return m
}

// flush sends what still waits of a host: what a machine had not sent when it went down comes before the next boot's.
func (t *teller) flush(h *simHost) {
	t.waiting = slices.DeleteFunc(t.waiting, func(m *schema.Message) bool {
		if m.Host == h.name {
			t.send(m)
		}
		return m.Host == h.name
	})
}

// transport loses a message, holds it back, repeats it, spoils it, or sends it on.
func (t *teller) transport(m *schema.Message) {
	if t.full {
		t.fill(m)
	}
	switch n := t.roll(100); {
	case n < 6:
		return
	case n < 16 && t.late:
		t.waiting = append(t.waiting, m)
	case n < 22:
		t.send(m)
		t.send(m)
	case n < 30 && t.poison:
		t.spoil(m)
	default:
		t.send(m)
	}
	if len(t.waiting) > 0 && t.roll(4) == 0 {
		i := t.roll(len(t.waiting))
		m := t.waiting[i]
		t.waiting = slices.Delete(t.waiting, i, i+1)
		t.send(m)
	}
}

func (t *teller) send(m *schema.Message) {
	t.sent = append(t.sent, m)
	t.told = append(t.told, t.log.publish(m))
}

// spoil sends a message in a form that cannot be read; sometimes it comes again as it was.
func (t *teller) spoil(m *schema.Message) {
	good := t.log.publish(m)
	t.log.seq[good.Stream]--
	subject, header, payload := good.Subject, good.Header, good.Payload
	switch t.roll(5) {
	case 0:
		payload = []byte("spoilt")
	case 1:
		payload = append([]byte{}, payload...)
		payload[1] = 99 // the version
	case 2:
		subject = strings.Replace(subject, m.Host, "mallory", 1)
	case 3:
		header = nil
		payload = nil
	case 4:
		subject = "proctape.v1..snapshot"
	}
	bad := t.log.deliver(good.Stream, subject, header, payload)
	if bad.Poison == nil {
		panic("it can be read")
	}
	t.told = append(t.told, bad)
	switch t.roll(3) {
	case 0: // read at the second try
		t.send(m)
	case 1:
		t.told = append(t.told, t.log.deliver(good.Stream, subject, header, payload))
	}
}

// live lets a host's processes come, go, change and work.
func (t *teller) live(h *simHost) {
	for pid := 1; pid <= 6; pid++ {
		p := h.procs[pid]
		switch what := t.roll(9); {
		case p == nil && what < 3, p != nil && what == 0:
			h.start(schema.Process{PID: pid, PPID: 1, StartTicks: uint64(h.boot/1e7) + uint64(pid), CPUMillis: uint64(t.roll(9)), JobID: t.job(),
				Command: fmt.Sprintf("cc -o %d.o", t.roll(3)), UID: schema.Some(int64(t.roll(2)))})
		case p == nil:
		case what == 1:
			delete(h.procs, pid)
		case what == 2:
			p.Command = fmt.Sprintf("ld -o %d", t.roll(3))
		case what == 3:
			p.JobID, p.Sheet = t.job(), schema.Some(int64(t.roll(3)))
			p.Fleet = p.JobID != "" && t.roll(3) == 0
		case what == 4:
			p.State = []string{"S", "R", "Z", "D"}[t.roll(4)]
			p.Syscalls = nil
			for _, name := range []string{"futex", "read", "write"}[t.roll(3):] {
				p.Syscalls = append(p.Syscalls, schema.Syscall{Name: name, Calls: uint64(t.roll(100)), TimeX100: uint64(t.roll(5000))})
			}
		default:
			p.CPUMillis += uint64(t.roll(500))
			p.CPUPermille, p.RSS, p.ReadKiB = t.opt(1000), t.opt(1<<20), t.opt(1000)
			p.OpenFDs, p.VMS = t.opt(100), t.opt(1<<22)
		}
	}
}

func (t *teller) job() string { return []string{"", "build", "test", "née 'x'"}[t.roll(4)] }

func (t *teller) opt(n int) schema.Opt[int64] {
	if t.roll(4) == 0 {
		return schema.Opt[int64]{}
	}
	return schema.Some(int64(t.roll(n)))
}

func (t *teller) jobEvents() []schema.JobEvent {
	types := []schema.JobEventType{schema.JobDeclared, schema.JobSheetStarted, schema.JobSheetEnded, schema.JobProgressed, schema.JobEnded}
	var list []schema.JobEvent
	for range 1 + t.roll(3) {
		list = append(list, schema.JobEvent{Type: types[t.roll(len(types))], JobID: []string{"build", "test"}[t.roll(2)], Sheet: t.opt(3),
			TotalSheets: t.opt(9), LastCompleted: t.opt(9), ExitCode: t.opt(3), Status: []string{"", "running", "failed"}[t.roll(3)],
			Command: []string{"", "make -j2"}[t.roll(2)]})
	}
	return list
}

// account is what the tables must hold, worked out message by message and number by number with nothing kept up.
type account struct {
	lives     map[string]*lifeAccount // by "host instance kind"
	accepted  []*received
	poisoned  int // messages put aside
	lost      int // messages that the streams jumped over
	processes map[string]int64
	jobs      map[string]*jobAccount   // by scoped name, as are the others
	sheets    map[string]*sheetAccount // by "job sheet"
	pids      map[string]bool          // "job pid"
	calls     map[string]*callAccount  // by "job name"
}

// callAccount is a system call of a job: how much time it took, and where it was seen first.
type callAccount struct{ time, first, rank int64 }

// scoped is a job's name with whose it is, as scopedName has it.
func scoped(host string, job schema.JobKey) string {
	if job.Fleet {
		return job.ID + "/fleet/" + host
	}
	return job.ID + "/" + host
}

// scopedName is the same of a row of the alias t that has a job's key.
const scopedName = `job_id || CASE WHEN fleet THEN '/fleet/' ELSE '/' END || (SELECT name FROM hosts h WHERE h.id = t.host_id)`

type lifeAccount struct {
	stored, quarantined map[uint64]bool
	duplicates          int
	end                 uint64 // the last number, as a later life told it
}

type jobAccount struct {
	firstSeen, lastSeen, firstEvent, lastEvent       schema.Opt[float64]
	samples, cpu, pids, spawns, exits, signals, ooms int64
	peak, maxCPU, total, completed, current, exit    schema.Opt[int64]
	started, ended                                   schema.Opt[float64]
	status, command                                  string
}

type sheetAccount struct {
	peak, maxCPU   schema.Opt[int64]
	cpu            int64
	started, ended schema.Opt[float64]
	exit           schema.Opt[int64]
	status         string
}

func accountOf(deliveries []*received) *account {
	a := &account{lives: map[string]*lifeAccount{}, processes: map[string]int64{}, jobs: map[string]*jobAccount{}, sheets: map[string]*sheetAccount{},
		pids: map[string]bool{}, calls: map[string]*callAccount{}}
	last := map[string]uint64{}
	for _, d := range deliveries {
		a.lost += int(d.Seq - last[d.Stream] - 1)
		last[d.Stream] = d.Seq
		if a.take(d) {
			a.accepted = append(a.accepted, d)
			a.add(d.Msg)
		}
	}
	return a
}

// take books a message's numbers, and reports whether it is to be stored.
func (a *account) take(d *received) bool {
	host, instance, kind, first, n := "", "", "", uint64(0), uint64(0)
	switch {
	case d.Msg != nil:
		host, instance, kind, first, n = d.Msg.Host, d.Msg.Instance.String(), string(d.Msg.Kind), d.Msg.Seq, d.Msg.Count()
	case d.Poison.Reason == fold.ReasonForged || d.Poison.Reason == fold.ReasonSubject || d.Header.Get(nats.MsgIdHdr) == "":
		a.poisoned++
		return false
	default:
		id := strings.Split(d.Header.Get(nats.MsgIdHdr), ".")
		host, instance, kind = d.Host, id[0], strings.Join(id[1:len(id)-1], ".")
		first, _ = strconv.ParseUint(id[len(id)-1], 10, 64)
		n, _ = strconv.ParseUint(d.Header.Get(schema.HeaderItems), 10, 64)
		n = max(n, 1)
	}
	key := host + " " + instance + " " + kind
	l := a.life(key)
	if l.stored[first] || d.Msg == nil && l.quarantined[first] {
		l.duplicates += int(n)
		return false
	}
	for i := first; i < first+n; i++ {
		l.stored[i] = d.Msg != nil
		l.quarantined[i] = d.Msg == nil
	}
	if d.Msg == nil {
		a.poisoned++
		return false
	}
	for _, e := range d.Msg.Ended {
		for _, r := range e.Reached {
			if schema.StreamFor(r.Kind) == d.Stream {
				a.life(fmt.Sprint(host, " ", e.Instance, " ", r.Kind)).end = r.Seq
			}
		}
	}
	return true
}

func (a *account) life(key string) *lifeAccount {
	if a.lives[key] == nil {
		a.lives[key] = &lifeAccount{map[uint64]bool{}, map[uint64]bool{}, 0, 0}
	}
	return a.lives[key]
}

func (a *account) job(name string) *jobAccount {
	if a.jobs[name] == nil {
		a.jobs[name] = new(jobAccount)
	}
	return a.jobs[name]
}

func (a *account) sheet(job string, n int64) *sheetAccount {
	key := fmt.Sprint(job, " ", n)
	if a.sheets[key] == nil {
		a.sheets[key] = new(sheetAccount)
	}
	return a.sheets[key]
}

func (a *account) add(m *schema.Message) {
	switch {
	case m.Snapshot != nil:
		calls := int64(0)
		for _, p := range m.Snapshot.Processes.Rows() {
			a.addProcess(m, &p, &calls)
		}
	case m.Events != nil:
		for i := range m.Events {
			a.addEvent(m, &m.Events[i])
		}
	case m.Jobs != nil:
		for i := range m.Jobs {
			a.addJobEvent(m.Host, &m.Jobs[i])
		}
	}
}

func highest[T int64 | float64](top *schema.Opt[T], v schema.Opt[T]) {
	if v.Known && (!top.Known || v.V > top.V) {
		*top = v
	}
}

func lowest(low *schema.Opt[float64], v float64) {
	if !low.Known || v < low.V {
		*low = schema.Some(v)
	}
}

func (a *account) addProcess(m *schema.Message, p *schema.Process, calls *int64) {
	who := fmt.Sprint(m.Host, m.BootID, p.PID, " ", p.StartTicks)
	used := max(0, int64(p.CPUMillis)-a.processes[who])
	a.processes[who] += used
	if p.JobID == "" {
		return
	}
	name := scoped(m.Host, schema.JobKey{ID: p.JobID, Fleet: p.Fleet})
	j := a.job(name)
	at := float64(m.Wall) / 1e9
	lowest(&j.firstSeen, at)
	highest(&j.lastSeen, schema.Some(at))
	j.samples++
	j.cpu += used
	highest(&j.peak, p.RSS)
	highest(&j.maxCPU, p.CPUPermille)
	if key := fmt.Sprint(name, " ", p.PID); !a.pids[key] {
		a.pids[key] = true
		j.pids++
	}
	if p.Sheet.Known {
		s := a.sheet(name, p.Sheet.V)
		s.cpu += used
		highest(&s.peak, p.RSS)
		highest(&s.maxCPU, p.CPUPermille)
	}
	for _, c := range p.Syscalls {
		key := name + " " + c.Name
		if a.calls[key] == nil {
			a.calls[key] = &callAccount{first: m.Wall, rank: *calls}
		}
		a.calls[key].time += int64(c.TimeX100)
		if m.Wall < a.calls[key].first {
			a.calls[key].first, a.calls[key].rank = m.Wall, *calls
		}
		*calls++
	}
}

func (a *account) addEvent(m *schema.Message, e *schema.Event) {
	if e.JobID == "" {
		return
	}
	j := a.job(scoped(m.Host, e.Job()))
	lowest(&j.firstEvent, float64(e.Wall)/1e9)
	highest(&j.lastEvent, schema.Some(float64(e.Wall)/1e9))
	switch m.Kind {
	case schema.KindSpawn:
		j.spawns++
	case schema.KindExit:
		j.exits++
	case schema.KindOOM:
		j.ooms++
	default:
		j.signals++
	}
}

// latest sets what is known to the newest value.
func latest[T any](v *schema.Opt[T], now schema.Opt[T]) {
	if now.Known {
		*v = now
	}
}

func (a *account) addJobEvent(host string, e *schema.JobEvent) {
	name := scoped(host, schema.JobKey{ID: e.JobID, Fleet: host == schema.Fleet})
	j := a.job(name)
	at := float64(e.Wall) / 1e9
	lowest(&j.firstEvent, at)
	highest(&j.lastEvent, schema.Some(at))
	latest(&j.total, e.TotalSheets)
	latest(&j.completed, e.LastCompleted)
	if e.Status != "" {
		j.status = e.Status
	}
	if e.Command != "" {
		j.command = e.Command
	}
	switch e.Type {
	case schema.JobDeclared:
		if !j.started.Known {
			j.started = schema.Some(at)
		}
	case schema.JobEnded:
		j.ended = schema.Some(at)
		latest(&j.exit, e.ExitCode)
	case schema.JobSheetStarted:
		latest(&j.current, e.Sheet)
	}
	if !e.Sheet.Known || e.Type != schema.JobSheetStarted && e.Type != schema.JobSheetEnded {
		return
	}
	s := a.sheet(name, e.Sheet.V)
	if e.Type == schema.JobSheetEnded {
		s.ended = schema.Some(at)
	} else if !s.started.Known {
		s.started = schema.Some(at)
	}
	latest(&s.exit, e.ExitCode)
	if e.Status != "" {
		s.status = e.Status
	}
}

// cells are values as tape.rows shows them.
func cells(values ...any) string {
	for i, v := range values {
		switch v := v.(type) {
		case schema.Opt[int64]:
			if values[i] = any(v.V); !v.Known {
				values[i] = nil
			}
		case schema.Opt[float64]:
			if values[i] = any(v.V); !v.Known {
				values[i] = nil
			}
		case string:
			if v == "" {
				values[i] = nil
			}
		}
	}
	return strings.TrimSuffix(fmt.Sprintln(values...), "\n")
}

// producerRows are the rows of producers: host, instance, kind, next, stored, quarantined, missing, duplicates.
func (a *account) producerRows() []string {
	var rows []string
	for key, l := range a.lives {
		top, stored, quarantined := l.end, 0, 0
		for _, numbers := range []map[uint64]bool{l.stored, l.quarantined} {
			for n, is := range numbers {
				if is {
					top = max(top, n)
				}
			}
		}
		for n := uint64(1); n <= top; n++ {
			if l.stored[n] {
				stored++
			} else if l.quarantined[n] {
				quarantined++
			}
		}
		rows = append(rows, fmt.Sprint(key, " ", top+1, stored, quarantined, int(top)-stored-quarantined, l.duplicates))
	}
	slices.Sort(rows)
	return rows
}

func (a *account) jobRows() []string {
	var rows []string
	for name, j := range a.jobs {
		rows = append(rows, cells(name, j.firstSeen, j.lastSeen, j.samples, j.peak, j.maxCPU, j.cpu, j.pids, j.spawns, j.exits, j.signals, j.ooms,
			j.firstEvent, j.lastEvent, j.status, j.total, j.completed, j.current, j.started, j.ended, j.exit, j.command))
	}
	slices.Sort(rows)
	return rows
}

func (a *account) sheetRows() []string {
	var rows []string
	for key, s := range a.sheets {
		rows = append(rows, cells(key, s.peak, s.maxCPU, s.cpu, s.started, s.ended, s.exit, s.status))
	}
	slices.Sort(rows)
	return rows
}

func (a *account) pidRows() []string { return slices.Sorted(maps.Keys(a.pids)) }

func (a *account) callRows() []string {
	var rows []string
	for key, c := range a.calls {
		rows = append(rows, cells(key, c.time, c.first, c.rank))
	}
	slices.Sort(rows)
	return rows
}

// execRows are instance, number, command and id of every exec.
func (a *account) execRows() []string {
	var rows []string
	for _, d := range a.accepted {
		for i, e := range d.Msg.Execs {
			rows = append(rows, cells(d.Msg.Instance, d.Msg.Seq+uint64(i), e.Command, d.Seq<<10|uint64(i)))
		}
	}
	return rows
}

// eventRows are id, instance and number of every event.
func (a *account) eventRows() []string {
	var rows []string
	for _, d := range a.accepted {
		for i := range d.Msg.Events {
			rows = append(rows, fmt.Sprintf("%s %d %s %d", d.Msg.Instance, d.Msg.Seq+uint64(i), d.Msg.Events[i].Details, d.Seq<<10|uint64(i)))
		}
	}
	return rows
}
