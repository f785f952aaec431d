package why

import (
	"cmp"
	"slices"
	"strings"

	"github.com/proctape/proctape/query"
)

// mostHolders is how many processes are named.
const mostHolders = 5

// shortageOf compares the host a minute before a death with the host at it.
func shortageOf(e *evidence) *Shortage {
	if e.at == nil {
		return nil
	}
	s := &Shortage{To: e.at.Timestamp, MachineUsed: e.at.MemUsed, MachineSize: e.at.MemTotal, Count: len(e.at.Processes), InGroup: []Holder{}}
	before := map[[2]int64]*query.Process{}
	if e.before != nil && e.before.Timestamp < e.at.Timestamp {
		s.From = e.before.Timestamp
		for i := range e.before.Processes {
			p := &e.before.Processes[i]
			before[[2]int64{p.PID, p.StartTicks}] = p
		}
	}
	s.Group = groupOf(e)
	for i := range e.at.Processes {
		p := &e.at.Processes[i]
		h := Holder{PID: p.PID, Command: p.Command, RSS: p.RSS, Victim: p.PID == e.life.PID && p.StartTicks == *e.life.StartTicks}
		if was := before[[2]int64{p.PID, p.StartTicks}]; was != nil {
			growth := (p.RSS - was.RSS) / (s.To - s.From)
			h.Before, h.Growth = &was.RSS, &growth
		}
		s.OnMachine = append(s.OnMachine, h)
		if s.Group != nil && p.Cgroup != nil && within(*s.Group, *p.Cgroup) {
			s.InGroup, s.GroupRSS = append(s.InGroup, h), s.GroupRSS+p.RSS
		}
	}
	s.GroupCount = len(s.InGroup)
	s.InGroup, s.OnMachine = mostMemory(s.InGroup), mostMemory(s.OnMachine)
	return s
}

// groupOf is the control group that the process was in when it was seen last.
func groupOf(e *evidence) *string {
	for _, p := range e.at.Processes {
		if p.PID == e.life.PID && p.StartTicks == *e.life.StartTicks {
			return p.Cgroup
		}
	}
	if e.samples.last != nil {
		return e.samples.last.Cgroup
	}
	return nil
}

func within(group, path string) bool {
	return path == group || strings.HasPrefix(path, strings.TrimSuffix(group, "/")+"/")
}

func mostMemory(holders []Holder) []Holder {
	slices.SortFunc(holders, func(a, b Holder) int { return cmp.Or(cmp.Compare(b.RSS, a.RSS), cmp.Compare(a.PID, b.PID)) })
	return holders[:min(len(holders), mostHolders)]
}
