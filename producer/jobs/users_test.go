package jobs

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/schema"
)

// userScript is Claims that a test feeds by a script in which every process has a user.
type userScript struct {
	Claims
	t     *testing.T
	users map[int]int // by pid, of those that live
}

// run takes a step: "scan 5:1+1000/job" shows processes with their parents, users and jobs of their environments; "declare
// j 5", "start j 5" and "end j 5" are what a conductor says of a process, "gone 5" ends one, "free" lets nothing live.
// A process started in the hundredth of a second that is its pid.
func (s *userScript) run(step string) {
	s.t.Helper()
	words := strings.Fields(step)
	switch words[0] {
	case "scan", "met":
		procs := s.processes(words[1:])
		if words[0] == "scan" {
			s.Observe(procs)
			return
		}
		for i := range procs {
			s.AddRunning(&procs[i])
		}
	case "gone":
		pid := s.number(words[1])
		delete(s.users, pid)
		s.RemoveEnded(pid, uint64(pid), 1)
	case "free":
		for range 3 {
			s.Observe(nil)
		}
	default:
		types := map[string]schema.JobEventType{"declare": schema.JobDeclared, "start": schema.JobSheetStarted, "end": schema.JobEnded}
		e := schema.JobEvent{Type: types[words[0]], JobID: words[1]}
		if len(words) > 2 {
			pid := s.number(words[2])
			e.PID, e.StartTicks = schema.Some(int64(pid)), uint64(pid)
		}
		s.ApplyJobEvent(&e, 0)
	}
}

func (s *userScript) processes(words []string) (procs []procfs.Process) {
	s.t.Helper()
	for _, word := range words {
		word, job, _ := strings.Cut(word, "/")
		word, user, _ := strings.Cut(word, "+")
		word, parent, _ := strings.Cut(word, ":")
		pid, uid, command := s.number(word), 0, ""
		if user != "" {
			uid = s.number(user)
		}
		if rest, ok := strings.CutPrefix(job, "cmd="); ok {
			job, command = "", "/w/"+rest
		}
		p := processWithMarker(pid, 0, uint64(pid), job)
		if group, ok := strings.CutPrefix(job, "group="); ok {
			p.Env, p.Cgroup = nil, "/g/"+group
		}
		p.EnvUID, p.UID, p.Args = uid, uid, []string{"x", command}
		if parent != "" {
			p.PPID = s.number(parent)
		}
		s.users[pid] = uid
		procs = append(procs, p)
	}
	return procs
}

func (s *userScript) number(word string) int {
	s.t.Helper()
	n, err := strconv.Atoi(word)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

func (s *userScript) realUser(pid int) (uid int, start uint64, ok bool) {
	uid, ok = s.users[pid]
	return uid, uint64(pid), ok
}

func newUserScript(t *testing.T) *userScript {
	s := &userScript{t: t, users: map[int]int{}}
	s.judge = judge{rules: []Rule{rule(t, "cgroup:/g/*=$1"), rule(t, "command:/w/*=$1")}, realUser: s.realUser}
	return s
}

// A name belongs to the first user who claims it while it is open; root may have any; whoever comes later has a name of
// his own.
func TestClaims_Users(t *testing.T) {
	tests := map[string]struct{ script, want string }{
		"two users, one name":                           {"scan 5+1000/j; scan 5+1000/j 6+1001/j", "5=j 6=j~1001"},
		"one user, one name":                            {"scan 5+1000/j; scan 5+1000/j 6+1000/j", "5=j 6=j"},
		"a user after root":                             {"scan 5/j; scan 5/j 6+1001/j", "5=j 6=j~1001"},
		"root after a user":                             {"scan 5+1000/j; scan 5+1000/j 6/j", "5=j 6=j"},
		"three users":                                   {"scan 5+1000/j 6+1001/j 7+1002/j", "5=j 6=j~1001 7=j~1002"},
		"in one scan the oldest is the first":           {"scan 9+1000/j 60+1001/j", "9=j 60=j~1001"},
		"in one scan root is the first":                 {"scan 5+1000/j 60/j", "5=j~1000 60=j"},
		"between two scans":                             {"scan 5/j; met 6+1001/j", "5=j 6=j~1001"},
		"a job with a step":                             {"scan 5/j; met 6+1001/j", "5=j 6=j~1001"},
		"his children too":                              {"scan 5/j; met 6+1001/j; met 70:6+1001 80:6+1001/j", "5=j 6=j~1001 70=j~1001 80=j~1001"},
		"root as his child stays his":                   {"scan 5/j; met 6+1001/j; met 70:6/j", "5=j 6=j~1001 70=j~1001"},
		"a user within root's job stays in it":          {"scan 5; declare j 5; met 60:5+1001/j; met 70:60+1001/j", "5=j 60=j 70=j"},
		"a user within root's job, another name":        {"scan 5 8/k; declare j 5; met 60:5+1001/k", "5=j 8=k 60=k~1001"},
		"the name is free when its processes have gone": {"scan 5+1000/j; gone 5; free; scan 6+1001/j", "6=j"},
		"it is not while one lives":                     {"scan 5+1000/j 50+1000/j; gone 5; scan 50+1000/j 60+1001/j", "50=j 60=j~1001"},
		"a declared name, before a claim":               {"scan 5+1000; declare j 5; scan 5+1000 6+1001/j", "5=j 6=j~1001"},
		"a declared name, without its process":          {"scan 5+1000; declare j 5; gone 5; free; scan 6+1001/j", "6=j~1001"},
		"a declared name that has ended":                {"scan 5+1000; declare j 5; gone 5; end j; free; scan 6+1001/j", "6=j"},
		"one that has ended, but lives":                 {"scan 5+1000; declare j 5; end j; scan 5+1000; scan 5+1000 6+1001/j", "5=j 6=j~1001"},
		"declared by a later user":                      {"scan 5+1000/j 6+1001; declare j 6", "5=j 6=j~1001"},
		"declared by root, the squatter goes":           {"scan 5+1000/j 7; met 60:5+1000; declare j 7", "5=j~1000 7=j 60=j~1000"},
		"declared by a user, then by root":              {"scan 5+1000 7; declare j 5; declare j 7", "5=j 7=j"},
		"a step of another's job":                       {"scan 5 6+1001; declare j 5; start j 6", "5=j 6=j~1001"},
		"a declarer that is gone":                       {"scan 5 6+1001; declare j 5; gone 6; declare j 6", "5=j"},
		"the end of another's job":                      {"scan 5 6+1001; declare j 5; end j 6; gone 5; free; scan 8+1001/j", "8=j~1001"},
		"whose name is another's own":                   {"scan 5+1000/j~1001", "5=j~1001~1000"},
		"his own":                                       {"scan 5+1000/j~1000", "5=j~1000"},
		"a name of his own, of nothing":                 {"scan 5+1000/~1000", "5=~1000~1000"},
		"a number that is no user's":                    {"scan 5+1000/j~01", "5=j~01"},
		"a rule on a group takes the name":              {"scan 5+1000/j; scan 5+1000/j 6+1002/group=j 7+1003/group=j", "5=j~1000 6=j 7=j"},
		"a name of a rule on a group":                   {"scan 6+1002/group=j; scan 6+1002/group=j 7+1003/j", "6=j 7=j~1003"},
		"a rule on a command":                           {"scan 5/cmd=j; scan 5/cmd=j 6+1001/cmd=j 7+1001/j", "5=j 6=j~1001 7=j~1001"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newUserScript(t)
			for step := range strings.SplitSeq(tt.script, ";") {
				s.run(strings.TrimSpace(step))
			}
			want := map[int]string{}
			for _, word := range strings.Fields(tt.want) {
				pid, job, _ := strings.Cut(word, "=")
				want[s.number(pid)] = job
			}
			if got := owners(s.tree.members); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

// A hundred claims of users on root's jobs, of every form, and none is believed. Where each user is taken for root, all
// are: the claims would be good ones.
func TestClaims_ForgedClaims(t *testing.T) {
	const forgers = 100
	forge := func(knowsUsers bool) (believed int) {
		s := newUserScript(t)
		s.run("scan 5 6 7/env 8/cmd=cmd 9/group=group")
		s.run("declare declared 5")
		s.run("start step 6")
		names := []string{"declared", "step", "env", "cmd", "group"}
		for i := range forgers {
			name, user, pid := names[i%len(names)], 1000+i/10, 100+i
			if !knowsUsers {
				user = root
			}
			switch {
			case i%4 == 0:
				s.run(fmt.Sprintf("scan 5 6 7/env 8/cmd=cmd 9/group=group %d+%d/%s/9", pid, user, name))
			case i%4 == 1:
				s.run(fmt.Sprintf("met %d+%d/%s/9", pid, user, name))
			case i%4 == 2:
				s.run(fmt.Sprintf("met %d+%d/cmd=%s", pid, user, name))
			default:
				s.run(fmt.Sprintf("met %d+%d", pid, user))
				s.run(fmt.Sprintf("start %s %d", name, pid))
			}
			if o := s.OwnerOf(pid, uint64(pid)); o.Job == name {
				believed++
			} else if knowsUsers && o.Job != fmt.Sprintf("%s~%d", name, user) {
				t.Errorf("claim %d on %s by user %d: got job %q", i, name, user, o.Job)
			}
		}
		return believed
	}
	if n := forge(true); n != 0 {
		t.Errorf("%d of %d claims were believed", n, forgers)
	}
	if n := forge(false); n != forgers {
		t.Errorf("without users %d of %d claims were believed: the others prove nothing", n, forgers)
	}
}

// The last claimant of a name takes it with him: what is remembered is bounded by what lives and what is declared.
func TestNames_AreBounded(t *testing.T) {
	s := newUserScript(t)
	for i := range 3000 {
		s.run(fmt.Sprintf("scan %d+%d/j%d", i+2, 1000+i%7, i))
		s.run(fmt.Sprintf("declare d%d 9999999", i)) // a process that is not there
	}
	if n := len(s.judge.names.holders); n > 2 {
		t.Errorf("%d names are remembered", n)
	}
}

func TestPersonalName(t *testing.T) {
	long := strings.Repeat("é", schema.MaxName/2)
	for _, name := range []string{"j", long, ""} {
		got := personalName(name, 4294967294)
		base, uid, ok := splitPersonal(got)
		if len(got) > schema.MaxName || !ok || uid != 4294967294 || !strings.HasPrefix(name, base) || got != procfs.ValidText(got, schema.MaxName) {
			t.Errorf("%.20q: got %q, %d bytes", name, got, len(got))
		}
	}
}
