package jobs

import (
	"fmt"
	"strings"
	"testing"

	"github.com/proctape/proctape/schema"
)

// runFleet takes a step of a script in which the fleet's conductor speaks too: "fleet j 1000" declares a job and its user,
// "fleet j" without one; "fleetpid j 5" names a process; "fleetend j" says that it has ended.
func (s *userScript) runFleet(step string) {
	s.t.Helper()
	words := strings.Fields(step)
	if !strings.HasPrefix(words[0], "fleet") {
		s.run(step)
		return
	}
	e := schema.JobEvent{Type: schema.JobDeclared, JobID: words[1]}
	switch {
	case words[0] == "fleetend":
		e.Type = schema.JobEnded
	case words[0] == "fleetpid":
		pid := s.number(words[2])
		e.PID, e.StartTicks = schema.Some(int64(pid)), uint64(pid)
	case len(words) > 2:
		e.UID = schema.Some(int64(s.number(words[2])))
	}
	s.ApplyFleetEvent(&e, 0)
}

// scopedOwners are the jobs of the processes that have one; an exclamation mark stands before one of the fleet.
func scopedOwners(members map[int]*member) map[int]string {
	got := map[int]string{}
	for pid, m := range members {
		switch {
		case m.owner.Fleet:
			got[pid] = "!" + m.owner.Job
		case m.owner.Job != "":
			got[pid] = m.owner.Job
		}
	}
	return got
}

// Into a job of the fleet comes whom its conductor named, by process or by user, and root; nobody else, however he claims it.
func TestClaims_Fleet(t *testing.T) {
	tests := map[string]struct{ script, want string }{
		"root":                                    {"fleet j; scan 5/j", "5=!j"},
		"the user that was named":                 {"fleet j 1000; scan 5+1000/j 6+1001/j", "5=!j 6=j~1001"},
		"no user was named":                       {"fleet j; scan 6+1001/j", "6=j~1001"},
		"another user is later named":             {"fleet j 1000; fleet j 1001; scan 6+1001/j", "6=!j"},
		"a process that was named":                {"scan 5+1001; fleetpid j 5; met 60:5+1001", "5=!j 60=!j"},
		"children, whoever they run as":           {"fleet j; scan 5/j; met 60:5+1001/j", "5=!j 60=!j"},
		"claimed before it was declared":          {"scan 5+1000/j; met 60:5+1000; fleet j 1000", "5=!j 60=!j"},
		"a squatter":                              {"scan 5+1001/j; met 60:5+1001; fleet j 1000", "5=j~1001 60=j~1001"},
		"a rule on a control group":               {"fleet j; scan 6+1002/group=j", "6=!j"},
		"a rule on a control group, before":       {"scan 6+1002/group=j; fleet j", "6=!j"},
		"a rule on a command":                     {"fleet j 1000; scan 5+1000/cmd=j 6+1001/cmd=j", "5=!j 6=j~1001"},
		"this host's own job of the name":         {"scan 5+1000; declare j 5; fleet j 1000; met 50:5+1000/j", "5=j 50=j"},
		"beside it":                               {"scan 5+1000; declare j 5; fleet j 1000; scan 5+1000 60+1000/j", "5=j 60=!j"},
		"this host's own one comes later":         {"fleet j 1000; scan 5+1000/j 6+1001; declare j 6", "5=!j 6=j"},
		"this host ends its own":                  {"fleet j 1000; end j; scan 5+1000/j", "5=!j"},
		"the fleet ends its own":                  {"scan 5+1000; declare j 5; fleetend j; scan 5+1000 6+1001/j", "5=j 6=j~1001"},
		"it has ended, and its name is free":      {"fleet j 1000; scan 5+1000/j; gone 5; fleetend j; free; scan 6+1001/j", "6=j"},
		"it has ended, and a process of it lives": {"fleet j 1000; scan 5+1000/j; fleetend j; scan 5+1000/j; scan 5+1000/j 6+1001/j", "5=!j 6=j~1001"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newUserScript(t)
			for step := range strings.SplitSeq(tt.script, ";") {
				s.runFleet(strings.TrimSpace(step))
			}
			want := map[int]string{}
			for _, word := range strings.Fields(tt.want) {
				pid, job, _ := strings.Cut(word, "=")
				want[s.number(pid)] = job
			}
			if got := scopedOwners(s.tree.members); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

// Fifty users claim a job of the fleet by environment and by command line, and none is believed. The control: the same
// claims of the user whom the conductor named, who all are.
func TestClaims_FleetForged(t *testing.T) {
	const forgers = 50
	joined := func(named int) (n int) {
		s := newUserScript(t)
		s.runFleet(fmt.Sprint("fleet j ", named))
		scan := "scan"
		for i := range forgers {
			user := 1000
			if named != user {
				user += i
			}
			scan += fmt.Sprintf(" %d+%d/%s", 100+i, user, []string{"j", "cmd=j"}[i%2])
		}
		s.run(scan)
		for _, job := range scopedOwners(s.tree.members) {
			if strings.HasPrefix(job, "!") {
				n++
			} else if !strings.HasPrefix(job, "j~") {
				t.Errorf("a forger is in job %q, want one of his own", job)
			}
		}
		return n
	}
	if n := joined(998); n != 0 {
		t.Errorf("%d of %d forged claims are believed", n, forgers)
	}
	if n := joined(1000); n != forgers {
		t.Errorf("control: %d of %d good claims are believed", n, forgers)
	}
}

// A host's progress has its own jobs, and of the fleet's those that have a process on it; of two of one name both.
func TestClaims_FleetProgress(t *testing.T) {
	s := newUserScript(t)
	for _, step := range []string{"fleet elsewhere", "fleet j", "scan 5/j 6", "declare j 6", "declare own 6"} {
		s.runFleet(step)
	}
	var got []string
	for _, p := range s.Progress() {
		got = append(got, fmt.Sprint(p.JobID, " ", p.Fleet))
	}
	if want := "j false, j true, own false"; strings.Join(got, ", ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
}
