package jobs

import (
	"cmp"
	"slices"

	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/schema"
)

// RealUser is the real user of a process that lives, and when it began, in ticks; ok is false when that cannot be told.
// See [procfs.FS.RealUser].
type RealUser func(pid int) (uid int, start uint64, ok bool)

// judge decides which job a process belongs to by what it says of itself, and by rules. Anybody may put any name into an
// environment or a command line, so a name belongs to a user.
type judge struct {
	rules    []Rule
	presets  Presets
	names    names
	realUser RealUser // nil: no user is known
}

// userOf is the real user of the process that has the pid and began at start, 0 for unknown.
func (j *judge) userOf(pid int, start uint64) (uid int, ok bool) {
	if j.realUser == nil {
		return 0, false
	}
	uid, began, ok := j.realUser(pid)
	return uid, ok && SameStart(start, began)
}

// describe looks for a stronger claim in what /proc says of the process: its control group, its environment and its
// command line.
func (j *judge) describe(m *member, p *procfs.Process, tree *processTree) {
	if p.Cgroup != "" {
		m.cgroup = p.Cgroup
	}
	if m.claim < byCgroup {
		j.applyCgroup(m, m.ruled.of(matchRules(j.rules, cgroupRule, p.Cgroup)), tree)
	}
	if o, named := ownerFromEnvironment(p.Env, j.presets); named {
		o.Job = m.named.of(o.Job)
		j.applyEnvironment(m, o, p.EnvUID)
	}
	if m.claim <= byPod {
		j.applyCommand(m, Name(matchCommand(j.rules, p.Args)))
	}
	if m.claim == byNothing && j.presets.hasPods() {
		if job := podOf(p.Cgroup); job != "" {
			m.setOwner(Owner{Job: job, asked: job, undeclared: true}, byPod)
		}
	}
}

// applyCgroup gives m the job that a rule gives to its control group. Who wrote the rules may name any job.
func (j *judge) applyCgroup(m *member, job string, tree *processTree) {
	if job == "" {
		return
	}
	key := j.names.byRule(job)
	if key == m.owner.key() { // its step is known, which a rule does not name
		m.claim = byCgroup
	} else {
		m.setOwner(Owner{Job: job, Fleet: key.Fleet, asked: job}, byCgroup)
	}
	if key.Fleet {
		return
	}
	if _, displaced := j.names.declare(job, root); displaced {
		tree.displace(job)
	}
}

// applyEnvironment gives m the job that its environment names. A process whose parent belongs to a job inherits the
// variable: it stays in that job, whoever it runs as.
func (j *judge) applyEnvironment(m *member, o Owner, uid int) {
	same := o.Job == m.owner.asked
	if m.claim > byEnvironment && !(same && !m.owner.Sheet.Known) {
		return
	}
	o.asked, o.user = o.Job, schema.Some(int64(uid))
	if same {
		o.user, o.registered = m.owner.user, m.owner.registered
		o.setJob(m.owner.key())
	} else {
		o.setJob(j.names.claim(o.asked, uid))
	}
	m.setOwner(o, max(m.claim, byEnvironment))
}

// applyCommand gives m the job that a rule gives to its command line, if one does. The command of a process whose user
// cannot be told counts for a name that is nobody's.
func (j *judge) applyCommand(m *member, job string) {
	if job == "" {
		return
	}
	o := Owner{Job: job, asked: job}
	uid, ok := j.userOf(m.pid, m.start)
	switch {
	case ok:
		o.user = schema.Some(int64(uid))
		o.setJob(j.names.claim(job, uid))
	case j.names.isHeld(job):
		return
	}
	m.setOwner(o, byCommand)
}

// ownerOf is the job that a job event of this host is about, as it is recorded. Whose the job is says the process that the event names,
// and nothing else in the event. Believed says whether that process may belong to the job.
func (j *judge) ownerOf(e *schema.JobEvent, tree *processTree) (o Owner, believed bool) {
	o = Owner{Job: e.JobID, Sheet: e.Sheet, asked: e.JobID}
	if !e.PID.Known {
		return o, false
	}
	m := tree.find(int(e.PID.V), e.StartTicks)
	belongs := m != nil && m.childOwner.asked == e.JobID && !m.childOwner.Fleet
	if belongs {
		o.Job, o.user = m.childOwner.Job, m.childOwner.user
	} else if uid, ok := j.userOf(int(e.PID.V), e.StartTicks); ok {
		o.user = schema.Some(int64(uid))
	}
	switch {
	case !o.user.Known:
		return o, belongs || !j.names.isHeld(o.Job)
	case e.Type == schema.JobDeclared || e.Type == schema.JobSheetStarted:
		var displaced bool
		if o.Job, displaced = j.names.declare(o.Job, int(o.user.V)); displaced {
			tree.displace(e.JobID)
		}
	case !j.names.allows(o.Job, int(o.user.V)):
		o.Job = personalName(o.Job, int(o.user.V))
	}
	return o, true
}

// openFleet notes that the fleet has a job of a name. What claimed the name on this host and may be in that job is in it from
// now on; what may not gets a name of its user's own. Processes of a job that this host itself declared stay in that one.
func (j *judge) openFleet(e *schema.JobEvent, tree *processTree) {
	if !j.names.declareFleet(e.JobID, e.UID) || tree.jobs.isOpen(hostJob(e.JobID)) {
		return
	}
	delete(j.names.holders, hostJob(e.JobID))
	tree.rename(func(o *Owner) {
		switch {
		case o.Job != e.JobID || o.Fleet || o.registered:
		case !o.user.Known || j.names.admits(o.Job, int(o.user.V)):
			o.Fleet = true
		default:
			o.Job = personalName(o.Job, int(o.user.V))
		}
	})
}

// claimNames gives the names that the environments of a scan name, and that nobody holds, to the users of the processes
// that name them: to root first, then to the user of the process that began first.
func (j *judge) claimNames(procs []procfs.Process, tree *processTree) {
	type claimant struct {
		*procfs.Process
		name string
	}
	var claimants []claimant
	for i := range procs {
		p := &procs[i]
		o, named := ownerFromEnvironment(p.Env, j.presets)
		if !named {
			continue
		}
		m := tree.find(p.PID, p.StartTicks)
		switch {
		case m == nil:
			claimants = append(claimants, claimant{p, Name(o.Job)})
		case m.claim <= byEnvironment && m.owner.asked != m.named.of(o.Job):
			claimants = append(claimants, claimant{p, m.named.of(o.Job)})
		}
	}
	slices.SortStableFunc(claimants, func(a, b claimant) int {
		if (a.EnvUID == root) != (b.EnvUID == root) {
			if a.EnvUID == root {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.StartTicks, b.StartTicks)
	})
	for _, c := range claimants {
		j.names.claim(c.name, c.EnvUID)
	}
}

// releaseNames frees the names of jobs that are not open. open has the runs that nobody declares.
func (j *judge) releaseNames(tree *processTree, open map[string]*openRun) {
	if len(j.names.holders) == 0 {
		return
	}
	used := make(map[schema.JobKey]bool, len(j.names.holders))
	for job := range open { // the next of its processes may be about to start
		used[hostJob(job)] = true
	}
	for _, m := range tree.members {
		used[m.owner.key()], used[m.childOwner.key()] = true, true
	}
	j.names.release(tree.jobs.isOpen, func(key schema.JobKey) bool { return used[key] })
}
