package anomaly

import (
	"hash/fnv"
	"io"
	"path"
	"strings"

	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/metric"
)

// row is what a condition is asked about: a process, a group, a job, a host, a GPU, an event or a run. Its fields are those of its scope.
type row struct {
	m          *schema.Message
	s          *schema.Snapshot // nil for events and runs
	boot       int64
	procs      *schema.Processes // of a process
	i          int
	states     *processStates
	forks      float64 // of the host, a second
	forksKnown bool
	sum        *sum // of a group or a job
	gpu        *schema.GPU
	holders    int
	event      *schema.Event
	run        *schema.RunRecord
	step       *schema.RunStep // nil for the run as a whole

	settings map[string]float64
	tracked  derived
	earlier  earlier
	count    int

	sinceLast float64 // of events that are counted, seconds
	hasLast   bool
}

// subject is what rows of one subject have in common, as the key of a map. A name is in it as a hash: a key without a text costs a third.
type subject struct {
	id    int64
	start uint64
	name  uint64
}

// named is the hash of a name.
func named(name string) uint64 {
	h := fnv.New64a()
	_, _ = io.WriteString(h, name) // never fails
	return h.Sum64()
}

// processes are the rows of the processes of a snapshot, one after another.
func (r *row) process(i int) subject {
	r.i = i
	return subject{id: int64(r.procs.PID(i)), start: r.procs.StartTicks(i)}
}

// about is what a row of a process is about.
func (r *row) aboutProcess() schema.AnomalySubject {
	job := schema.JobOf(r.procs, r.i)
	return schema.AnomalySubject{Kind: schema.AboutProcess, PID: int64(r.procs.PID(r.i)), StartTicks: r.procs.StartTicks(r.i),
		Command: r.procs.Text(metric.Command, r.i), Cgroup: r.procs.Text(metric.Cgroup, r.i), JobID: job.ID, Fleet: job.Fleet, Sheet: r.procs.Number(metric.Sheet, r.i)}
}

// sum is what the processes of a group come to.
type sum struct {
	key                          subject
	about                        schema.AnomalySubject
	processes, zombies, blocked  int
	zombieSeconds                float64
	threads, rss, swap, fds, gpu int64
	cpu                          int64
}

func (s *sum) add(r *row) {
	p := r.procs
	s.processes++
	for _, of := range []struct {
		id metric.ID
		to *int64
	}{{metric.Threads, &s.threads}, {metric.RSS, &s.rss}, {metric.Swap, &s.swap}, {metric.OpenFDs, &s.fds}, {metric.GPUMemory, &s.gpu}, {metric.CPUPermille, &s.cpu}} {
		*of.to = schema.AddSaturated(*of.to, p.Number(of.id, r.i).V)
	}
	switch p.Number(metric.State, r.i).V {
	case 'Z':
		if seconds := r.stateSeconds(); seconds > 0 {
			s.zombies++
			s.zombieSeconds = max(s.zombieSeconds, seconds)
		}
	case 'D':
		s.blocked++
	}
}

// groupings are what groups can be by.
var groupings = []string{"cgroup", "program", "parent"}

// groupOf is the group that a process belongs to; false for none.
func (r *row) groupOf(scope, by string) (subject, bool) {
	switch {
	case scope == OnJob:
		job := schema.JobOf(r.procs, r.i)
		return subject{name: named(job.ID), start: truth(job.Fleet)}, job.ID != ""
	case by == "cgroup":
		group := r.procs.Text(metric.Cgroup, r.i)
		return subject{name: named(group)}, group != ""
	case by == "parent":
		parent := r.procs.Number(metric.PPID, r.i)
		return subject{id: parent.V}, parent.V > 0
	}
	return subject{name: named(programOf(r.procs.Text(metric.Command, r.i)))}, true
}

func truth(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// aboutGroup is what a group is about. The parent of a group by parent is a process, when the snapshot has it.
func (r *row) aboutGroup(scope, by string, key *subject) schema.AnomalySubject {
	switch {
	case scope == OnJob:
		job := schema.JobOf(r.procs, r.i)
		return schema.AnomalySubject{Kind: schema.AboutJob, JobID: job.ID, Fleet: job.Fleet}
	case by == "cgroup":
		return schema.AnomalySubject{Kind: schema.AboutGroup, Cgroup: r.procs.Text(metric.Cgroup, r.i)}
	case by == "parent":
		if at, ok := r.procs.Find(int(key.id)); ok {
			was := r.i
			r.i = at
			about := r.aboutProcess()
			r.i = was
			key.start = about.StartTicks
			return about
		}
		return schema.AnomalySubject{Kind: schema.AboutProcess, PID: key.id}
	}
	return schema.AnomalySubject{Kind: schema.AboutGroup, Command: programOf(r.procs.Text(metric.Command, r.i))}
}

// sums are the groups of a snapshot, in the order of their first processes.
func (r *row) sums(scope, by string) []*sum {
	var all []*sum
	at := map[subject]*sum{}
	for i := range r.procs.Len() {
		r.i = i
		key, ok := r.groupOf(scope, by)
		if !ok {
			continue
		}
		s := at[key]
		if s == nil {
			s = &sum{}
			at[key] = s
			all = append(all, s)
			s.key = key
			s.about = r.aboutGroup(scope, by, &s.key)
		}
		s.add(r)
	}
	return all
}

// holdersOf is how many processes of jobs hold memory on a GPU.
func holdersOf(p *schema.Processes) (n int) {
	for i := range p.Len() {
		if p.Number(metric.GPUMemory, i).V > 0 && p.Text(metric.JobID, i) != "" {
			n++
		}
	}
	return n
}

// eventGroupings are what events can be counted by.
var eventGroupings = []string{"process", "command", "program", "job", "host"}

// eventSubject is what an event is about.
func (r *row) eventSubject(by string) (subject, schema.AnomalySubject, bool) {
	e := r.event
	switch by {
	case "host":
		return subject{}, schema.AnomalySubject{Kind: schema.AboutHost}, true
	case "job":
		return subject{name: named(e.JobID), start: truth(e.Fleet)}, schema.AnomalySubject{Kind: schema.AboutJob, JobID: e.JobID, Fleet: e.Fleet}, e.JobID != ""
	case "program":
		name := programOf(e.Command)
		return subject{name: named(name)}, schema.AnomalySubject{Kind: schema.AboutGroup, Command: name, JobID: e.JobID, Fleet: e.Fleet}, e.Command != ""
	case "command":
		// Not by the parent: what starts a container again is another process each time.
		return subject{name: named(e.Command), id: int64(named(e.JobID))}, schema.AnomalySubject{Kind: schema.AboutGroup, Command: e.Command, JobID: e.JobID, Fleet: e.Fleet}, e.Command != ""
	}
	return subject{id: int64(e.PID), start: e.StartTicks}, schema.AnomalySubject{Kind: schema.AboutProcess, PID: int64(e.PID), StartTicks: e.StartTicks, Command: e.Command,
		JobID: e.JobID, Fleet: e.Fleet, Sheet: e.Sheet}, true
}

func (r *row) sheet() schema.Opt[int64] {
	if r.step == nil {
		return schema.Opt[int64]{}
	}
	return schema.Some(r.step.Sheet)
}

func (r *row) exitCode() schema.Opt[int64] {
	if r.step == nil {
		return r.run.ExitCode
	}
	return r.step.ExitCode
}

func (r *row) signal() schema.Opt[int64] {
	if r.step == nil {
		return r.run.Signal
	}
	return r.step.Signal
}

func (r *row) totals() *schema.Totals {
	t := r.run.Totals
	if r.step != nil {
		t = r.step.Totals
	}
	if t == nil {
		return &schema.Totals{}
	}
	return t
}

// ended is when the run, or the step, ended, Unix ns.
func (r *row) ended() schema.Opt[int64] {
	if r.step == nil {
		return r.run.Ended
	}
	return r.step.Ended
}

func (r *row) duration() (float64, bool) {
	started := schema.Some(r.run.Started)
	if r.step != nil {
		started = r.step.Started
	}
	ended := r.ended()
	return float64(ended.V-started.V) / 1e9, started.Known && ended.Known
}

// aboutRun is what a run, or a step of one, is about.
func (r *row) aboutRun() schema.AnomalySubject {
	return schema.AnomalySubject{Kind: schema.AboutRun, JobID: r.run.JobID, Fleet: r.m.Host == schema.Fleet, Run: r.run.Run, Sheet: r.sheet()}
}

// processStates are since when processes are in a state that is worth to be known, by the boot clock.
type processStates struct {
	since map[subject]stateSince
	tick  uint64
}

type stateSince struct {
	letter byte
	at     int64
	done   uint64 // what the process had done by then: it rises when it runs
	tick   uint64
}

// progress are the metrics that rise when a process gets something done.
var progress = []metric.ID{metric.CPUMillis, metric.VoluntarySwitches, metric.ReadKiB, metric.WriteKiB}

// doneBy is what a process has done, as the sum of its progress.
func doneBy(p *schema.Processes, i int) (done uint64) {
	for _, id := range progress {
		done += uint64(p.Number(id, i).V)
	}
	return done
}

// note takes a snapshot in: only states in which a process gets nothing done are kept. One that waits in the kernel again, after it ran, has only begun to.
func (p *processStates) note(r *row) {
	if p.since == nil {
		p.since = map[subject]stateSince{}
	}
	p.tick++
	for i := range r.procs.Len() {
		letter := byte(r.procs.Number(metric.State, i).V)
		if letter != 'D' && letter != 'Z' && letter != 'T' && letter != 't' {
			continue
		}
		key := r.process(i)
		s, ok := p.since[key]
		if done := doneBy(r.procs, i); !ok || s.letter != letter || letter == 'D' && s.done != done {
			s = stateSince{letter: letter, at: r.boot, done: done}
		}
		s.tick = p.tick
		p.since[key] = s
	}
	for key, s := range p.since {
		if s.tick != p.tick {
			delete(p.since, key)
		}
	}
}

func (r *row) stateSeconds() float64 {
	if r.states == nil {
		return 0
	}
	s, ok := r.states.since[subject{id: int64(r.procs.PID(r.i)), start: r.procs.StartTicks(r.i)}]
	if !ok {
		return 0
	}
	return float64(r.boot-s.at) / 1e9
}

// programOf is the name of the program of a command line.
func programOf(command string) string {
	first, _, _ := strings.Cut(command, " ")
	return strings.TrimSuffix(path.Base(first), ":")
}
