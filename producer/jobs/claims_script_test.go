package jobs

import (
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/schema"
)

// claimsScript is Claims that a test feeds by a script, a word at a time.
type claimsScript struct {
	Claims
	t *testing.T
}

// run takes a step: "fork 6 5" makes process 6 a child of 5, "exit 6" ends it, "scan 5 6:1 7:5/a" shows processes with
// their parents, 0 unless said, and their markers; "declare j 5", "supervise j 5", "start j/2 5" and "end j" are a
// conductor's words. A process started in the hundredth of a second that is its pid, or that follows an at sign.
func (s *claimsScript) run(step string) {
	s.t.Helper()
	words := strings.Fields(step)
	switch words[0] {
	case "fork":
		pid, start := s.identity(words[1])
		s.AddChild(pid, s.number(words[2]), start)
	case "exit":
		pid, start := s.identity(words[1])
		s.RemoveEnded(pid, start, 1)
	case "scan":
		s.Observe(s.processes(words[1:]))
	case "met":
		for _, p := range s.processes(words[1:]) {
			s.AddRunning(&p)
		}
	default:
		s.applyJobEvent(words)
	}
}

func (s *claimsScript) applyJobEvent(words []string) {
	s.t.Helper()
	types := map[string]schema.JobEventType{"declare": schema.JobDeclared, "supervise": schema.JobDeclared,
		"start": schema.JobSheetStarted, "finish": schema.JobSheetEnded, "progress": schema.JobProgressed, "end": schema.JobEnded}
	e := schema.JobEvent{Type: types[words[0]], Supervisor: words[0] == "supervise"}
	if e.Type == "" {
		s.t.Fatalf("no such step: %q", words)
	}
	name, sheet, ok := strings.Cut(words[1], "/")
	if e.JobID = name; ok {
		e.Sheet = schema.Some(int64(s.number(sheet)))
	}
	boot := int64(0)
	if len(words) > 2 {
		pid, start := s.identity(words[2])
		e.PID, e.StartTicks = schema.Some(int64(pid)), start
		if strings.HasSuffix(words[2], "@?") {
			boot = int64(s.number(words[3])) * nsPerTick // when it was said
		}
	}
	s.ApplyJobEvent(&e, boot)
}

func (s *claimsScript) processes(words []string) (procs []procfs.Process) {
	s.t.Helper()
	for _, word := range words {
		word, marker, _ := strings.Cut(word, "/")
		who, parent, ok := strings.Cut(word, ":")
		pid, start := s.identity(who)
		p := processWithMarker(pid, 0, start, strings.ReplaceAll(marker, "-", "/"))
		if ok {
			p.PPID = s.number(parent)
		}
		procs = append(procs, p)
	}
	return procs
}

// identity is a pid and its start, 0 for "?".
func (s *claimsScript) identity(word string) (pid int, start uint64) {
	s.t.Helper()
	who, at, ok := strings.Cut(word, "@")
	pid = s.number(who)
	switch {
	case !ok:
		return pid, uint64(pid)
	case at == "?":
		return pid, 0
	}
	return pid, uint64(s.number(at))
}

func (s *claimsScript) number(word string) (n int) {
	s.t.Helper()
	if _, err := fmt.Sscan(word, &n); err != nil {
		s.t.Fatalf("%q: %v", word, err)
	}
	return n
}

func TestClaims_Scripts(t *testing.T) {
	tests := map[string]struct {
		script string // steps, with a semicolon between
		want   string // job and step of each process that has one, in the form "5=j/2 6=j"
	}{
		"a child of a declared process":                      {"scan 5; declare j 5; fork 60 5", "5=j 60=j"},
		"a grandchild whose parent is gone":                  {"scan 5; declare j 5; fork 60 5; fork 70 60; exit 60", "5=j 70=j"},
		"declared before it was seen":                        {"declare j 5; scan 5 60:5", "5=j 60=j"},
		"declared before its fork is told":                   {"declare j 50; fork 50 1; fork 60 50", "50=j 60=j"},
		"declared while its children run":                    {"scan 5 60:5 70:60 8; declare j 5", "5=j 60=j 70=j"},
		"its siblings are not":                               {"scan 5:3 6:3; declare j 5; fork 70 3; fork 80 6", "5=j"},
		"a daemon that a scan sees under process 1":          {"scan 1 5; declare j 5; fork 60 5; scan 1 5 70:1; fork 70 60; exit 60", "5=j 70=j"},
		"a daemon that is met under process 1":               {"scan 1 5; declare j 5; met 70:1; fork 60 5; fork 70 60; exit 60; scan 1 5 70:1", "5=j 70=j"},
		"a stranger's orphan that a job's process took in":   {"scan 1 5 8; declare j 5; scan 1 5 8 70:5; fork 60 8; fork 70 60", "5=j"},
		"another job's orphan that a job's process took in":  {"scan 5 8; declare j 5; declare k 8; scan 5 8 70:5; fork 60 8; fork 70 60", "5=j 8=k 60=k 70=k"},
		"of a supervisor what descends":                      {"scan 5 60:5; supervise j 5; fork 70 5", "60=j 70=j"},
		"a supervisor within a job":                          {"scan 4 5:4; declare o 4; supervise j 5; fork 60 5; fork 70 4", "4=o 5=o 60=j 70=o"},
		"what is around a supervisor is declared after it":   {"scan 4 5:4 60:5; supervise j 5; declare o 4", "4=o 5=o 60=j"},
		"registration goes before an environment":            {"scan 5/e; declare j 5; scan 5/e", "5=j"},
		"an environment before the parent":                   {"scan 5; declare j 5; met 60:5/e-2; fork 60 5; fork 70 60", "5=j 60=e/2 70=e/2"},
		"a job within a job":                                 {"scan 5 60:5; declare j 5; declare k 60; fork 70 60; fork 80 5", "5=j 60=k 70=k 80=j"},
		"declared again around a job within":                 {"scan 5 60:5 70:60; declare k 60; declare j 5", "5=j 60=k 70=k"},
		"it stays when the job has ended":                    {"scan 5; declare j 5; end j; fork 60 5", "5=j 60=j"},
		"a job of no process":                                {"scan 5; declare j", ""},
		"a process that is no number":                        {"declare j 0; declare j -5; scan 5", ""},
		"a step of a process of its own":                     {"scan 5; declare j 5; fork 60 5; start j/2 60; fork 70 60; fork 80 5", "5=j 60=j/2 70=j/2 80=j/2"},
		"a step of who runs, and who starts":                 {"scan 5 60:5; declare j 5; start j/1; fork 70 5", "5=j 60=j/1 70=j/1"},
		"a step leaves those of the step before":             {"scan 5; declare j 5; start j/1; fork 60 5; finish j/1; start j/2; fork 70 5; fork 80 60", "5=j 60=j/1 70=j/2 80=j/1"},
		"between two steps":                                  {"scan 5; declare j 5; start j/1; finish j/1; fork 60 5", "5=j 60=j"},
		"the end of another step":                            {"scan 5; declare j 5; start j/2; finish j/1; fork 60 5", "5=j 60=j/2"},
		"a step of another job":                              {"scan 5; declare j 5; start k/1; fork 60 5", "5=j 60=j"},
		"who has the pid next":                               {"scan 5; declare j 5; exit 5; fork 5@90 1; fork 95 5", ""},
		"who has the pid next, by a scan":                    {"scan 5; declare j 5; scan 5@90 95:5", ""},
		"declared when the pid is another's":                 {"scan 5@90; declare j 5; fork 95 5", ""},
		"declared of who has the pid next":                   {"scan 5; declare j 5@90; fork 95 5", "5=j 95=j"},
		"a child of who had the pid before":                  {"scan 1 50 60:50; exit 50; fork 50@70 1; declare j 50@70; fork 80 50", "50=j 80=j"},
		"a child of who had the pid before, told late":       {"declare j 50@70; scan 50@70 60:1; fork 60 50", "50=j"},
		"declared without a start":                           {"declare j 5@? 30; scan 5 60:5", "5=j 60=j"},
		"declared without a start, running":                  {"scan 5 60:5; declare j 5@? 30", "5=j 60=j"},
		"declared without a start, before its fork is told":  {"declare j 5@? 30; fork 5@29 1; fork 60 5", "5=j 60=j"},
		"declared without a start: who has the pid next":     {"declare j 5@? 30; scan 5@40 60:5; fork 70 5", ""},
		"declared without a start: who forks has it next":    {"declare j 5@? 30; fork 5@40 1; fork 60 5", ""},
		"declared without a start when the pid is another's": {"scan 5@40; declare j 5@? 30; fork 60 5", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := claimsScript{Claims: Claims{tree: processTree{keepScans: 5}}, t: t}
			for step := range strings.SplitSeq(tt.script, ";") {
				s.run(strings.TrimSpace(step))
			}
			want := map[int]string{}
			for _, word := range strings.Fields(tt.want) {
				pid, job, _ := strings.Cut(word, "=")
				want[s.number(pid)] = job
			}
			if got := owners(s.tree.members); !maps.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

func TestClaims_Progress(t *testing.T) {
	some := schema.Some[int64]
	var a Claims
	said := func(e schema.JobEvent) { a.ApplyJobEvent(&e, 0) }
	expect := func(what string, want ...schema.JobProgress) {
		t.Helper()
		if got := a.Progress(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", what, got, want)
		}
	}
	expect("nothing said")
	said(schema.JobEvent{Type: schema.JobDeclared, JobID: "b", TotalSheets: some(3)})
	said(schema.JobEvent{Type: schema.JobDeclared, JobID: "a", Status: "queued"})
	a1 := schema.JobProgress{JobID: "a", Status: "queued"}
	b := schema.JobProgress{JobID: "b", Status: "running", TotalSheets: some(3)}
	expect("declared", a1, b)
	said(schema.JobEvent{Type: schema.JobSheetStarted, JobID: "b", Sheet: some(1)})
	b.CurrentSheet = some(1)
	expect("a step began", a1, b)
	said(schema.JobEvent{Type: schema.JobSheetEnded, JobID: "b", Sheet: some(1), ExitCode: some(0)})
	b.CurrentSheet, b.LastCompleted = schema.Opt[int64]{}, some(1)
	expect("a step ended well", a1, b)
	said(schema.JobEvent{Type: schema.JobSheetStarted, JobID: "b", Sheet: some(2)})
	said(schema.JobEvent{Type: schema.JobSheetEnded, JobID: "b", Sheet: some(2), ExitCode: some(1), Status: "retrying"})
	b.Status = "retrying"
	expect("a step ended badly", a1, b)
	said(schema.JobEvent{Type: schema.JobProgressed, JobID: "b", LastCompleted: some(0)})
	b.LastCompleted = some(0)
	expect("the conductor knows better", a1, b)
	said(schema.JobEvent{Type: schema.JobEnded, JobID: "b"})
	said(schema.JobEvent{Type: schema.JobEnded, JobID: "never heard of"})
	expect("ended", a1)
}

// More jobs than are followed: those last heard of stay, and each has its processes.
func TestClaims_ManyJobs(t *testing.T) {
	var a Claims
	name := func(i int) string { return fmt.Sprintf("j%05d", i) }
	declare := func(i int) {
		a.ApplyJobEvent(&schema.JobEvent{Type: schema.JobDeclared, JobID: name(i), PID: schema.Some(int64(i)), StartTicks: 7}, 0)
	}
	for i := 1; i <= maxJobs; i++ {
		declare(i)
	}
	a.ApplyJobEvent(&schema.JobEvent{Type: schema.JobProgressed, JobID: name(1)}, 0)
	declare(maxJobs + 1)
	if got := len(a.tree.jobs.jobs); got != maxJobs || a.tree.jobs.jobs[hostJob(name(1))] == nil || a.tree.jobs.jobs[hostJob(name(2))] != nil || a.tree.jobs.jobs[hostJob(name(maxJobs+1))] == nil {
		t.Errorf("follows %d jobs, of them the first %t, the second %t, the last %t, want %d: all but the second",
			got, a.tree.jobs.jobs[hostJob(name(1))] != nil, a.tree.jobs.jobs[hostJob(name(2))] != nil, a.tree.jobs.jobs[hostJob(name(maxJobs+1))] != nil, maxJobs)
	}
	for _, i := range []int{1, 2, maxJobs + 1} {
		if got := a.OwnerOf(i, 7).Job; got != name(i) {
			t.Errorf("process %d: got job %q, want %s", i, got, name(i))
		}
	}
}

// Who publishes the events of a job's processes does so until it is gone, or says that it has done.
func TestClaims_OwnEvents(t *testing.T) {
	const at50, at100, at150, at160, at200 = 50 * nsPerTick, 100 * nsPerTick, 150 * nsPerTick, 160 * nsPerTick, 200 * nsPerTick
	ends := map[string]func(a *Claims){
		"the supervisor ends":       func(a *Claims) { a.RemoveEnded(5, 9, at100) },
		"it says the job has ended": func(a *Claims) { a.ApplyJobEvent(jobEndEvent(schema.JobEnded, 5, true), at100) },
		"it says the step has":      func(a *Claims) { a.ApplyJobEvent(jobEndEvent(schema.JobSheetEnded, 5, true), at100) },
	}
	for name, end := range ends {
		a := Claims{tree: processTree{keepScans: 3}}
		a.Observe([]procfs.Process{processWithMarker(1, 0, 1, ""), processWithMarker(5, 1, 9, "")})
		a.ApplyJobEvent(jobEndEvent(schema.JobDeclared, 5, true), 20*nsPerTick)
		a.AddChild(6, 5, 10)
		a.AddChild(7, 6, 10)
		a.AddRunning(&procfs.Process{PID: 7, PPID: 1, StartTicks: 10, Env: map[string]string{EnvJob: "j", EnvSheet: "1"}})
		a.AddChild(8, 1, 10)
		for pid, want := range map[int]bool{5: false, 6: true, 7: true, 8: false} {
			if got := a.PublishedByRun(pid, 0, at50); got != want {
				t.Errorf("%s: of %d before: got %t, want %t", name, pid, got, want)
			}
		}
		end(&a)
		living, dead := processWithMarker(6, 5, 10, ""), processWithMarker(7, 6, 10, "")
		living.ReadAt, dead.ReadAt, dead.State = time.Duration(at150), time.Duration(at150), 'Z'
		if !a.PublishedByRun(6, 10, at160) {
			t.Errorf("%s: one that nobody saw alive since is told of twice", name)
		}
		a.Observe([]procfs.Process{living, dead})
		if !a.PublishedByRun(6, 10, at100) || a.PublishedByRun(6, 10, at160) || !a.PublishedByRun(7, 10, at160) {
			t.Errorf("%s: got %t by the end and %t after it, %t of one that was dead, want true, false, true", name,
				a.PublishedByRun(6, 10, at100), a.PublishedByRun(6, 10, at160), a.PublishedByRun(7, 10, at160))
		}
		a.AddChild(9, 6, 200)
		if a.PublishedByRun(9, 200, at200) || a.OwnerOf(9, 200).Job != "j" {
			t.Errorf("%s: a child of later: got %+v, want one of job j that nobody else reports", name, a.OwnerOf(9, 200))
		}
	}
}

// A word of somebody else does not end it, nor does one of another job.
func TestClaims_OwnEventsGoOn(t *testing.T) {
	others := map[string]*schema.JobEvent{
		"another process":  jobEndEvent(schema.JobEnded, 6, true),
		"no own events":    jobEndEvent(schema.JobEnded, 5, false),
		"no process":       {Type: schema.JobEnded, JobID: "j", OwnEvents: true},
		"another job":      {Type: schema.JobEnded, JobID: "k", PID: schema.Some(int64(5)), OwnEvents: true},
		"another incident": {Type: schema.JobProgressed, JobID: "j", PID: schema.Some(int64(5)), OwnEvents: true},
	}
	for name, e := range others {
		var a Claims
		a.ApplyJobEvent(jobEndEvent(schema.JobDeclared, 5, true), 20)
		a.AddChild(6, 5, 10)
		a.ApplyJobEvent(e, 30)
		if !a.PublishedByRun(6, 10, 40) {
			t.Errorf("%s ended it", name)
		}
	}
}

func jobEndEvent(t schema.JobEventType, pid int64, ownEvents bool) *schema.JobEvent {
	return &schema.JobEvent{Type: t, JobID: "j", PID: schema.Some(pid), Supervisor: true, OwnEvents: ownEvents}
}
