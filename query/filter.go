package query

import (
	"slices"
	"strings"
)

// Filter picks what an answer is about. The zero Filter picks all. Every question takes what means something for it: an event
// has no state, and a sample has no exit code.
type Filter struct {
	Range
	Job      string   // empty for all jobs
	Step     *int64   // the step (sheet) of its job; nil for all
	PID      int64    // 0 for all pids
	UID      *int64   // the user; nil for all
	Command  string   // a part of the command line, in the same case
	Cgroup   string   // a control group, and what is below it
	States   []string // scheduler states, such as "D"; empty for all
	Types    []string // event types, such as "exit"; empty for all
	Failed   bool     // only ends by a signal, or with an exit code other than 0
	ExitCode *int64   // only ends with this exit code
	Signal   *int64   // only what a signal of this number ended
}

// PicksProcesses reports whether the filter leaves out processes of a snapshot.
func (f *Filter) PicksProcesses() bool {
	return f.Job != "" || f.Step != nil || f.PID != 0 || f.UID != nil || f.Command != "" || f.Cgroup != "" || len(f.States) > 0
}

// picks reports whether the filter picks a process of a snapshot or of a minute.
func (f *Filter) picks(p *Process) bool {
	return (f.PID == 0 || p.PID == f.PID) &&
		(f.Job == "" || p.JobID != nil && *p.JobID == f.Job) &&
		same(f.Step, p.Sheet) && same(f.UID, p.UID) &&
		strings.Contains(p.Command, f.Command) &&
		(f.Cgroup == "" || p.Cgroup != nil && below(f.Cgroup, *p.Cgroup)) &&
		(len(f.States) == 0 || slices.Contains(f.States, p.State))
}

// same reports whether a value is the one that is wanted. None wanted is all; an unknown value is none.
func same(want, value *int64) bool { return want == nil || value != nil && *value == *want }

// below reports whether a control group is the one of that path, or below it.
func below(path, group string) bool {
	path = strings.TrimSuffix(path, "/")
	return group == path || strings.HasPrefix(group, path+"/") || path == "" && group == "/"
}

// conditions are those of the filter that rows of events and execs can meet, in the alias t. With ends, the table has
// the columns of process_events that say how a process ended.
func (f *Filter) conditions(ends bool) (on string, args []any) {
	add := func(condition string, values ...any) { on, args = on+` AND `+condition, append(args, values...) }
	if len(f.Types) > 0 && ends {
		types := make([]any, len(f.Types))
		for i, t := range f.Types {
			types[i] = t
		}
		add(`t.event_type IN (`+placeholders(len(types))+`)`, types...)
	}
	if f.Job != "" {
		add(`t.job_id = ?`, f.Job)
	}
	if f.Step != nil {
		add(`t.sheet_num = ?`, *f.Step)
	}
	if f.PID != 0 {
		add(`t.pid = ?`, f.PID)
	}
	if f.UID != nil {
		add(`t.uid = ?`, *f.UID)
	}
	if f.Command != "" {
		add(`instr(t.command, ?) > 0`, f.Command)
	}
	if !ends {
		return on, args
	}
	if f.Failed {
		add(`(t.exit_code <> 0 OR t.signal_num IS NOT NULL OR t.event_type IN ('signal', 'kill', 'oom'))`)
	}
	if f.ExitCode != nil {
		add(`t.exit_code = ?`, *f.ExitCode)
	}
	if f.Signal != nil {
		add(`t.signal_num = ?`, *f.Signal)
	}
	return on, args
}

// sparse reports whether few rows may meet the filter, and no index finds them: then they are looked for slice by slice.
func (f *Filter) sparse() bool {
	return f.Job == "" && f.PID == 0 &&
		(len(f.Types) > 0 || f.Step != nil || f.UID != nil || f.Command != "" || f.Failed || f.ExitCode != nil || f.Signal != nil || f.Host != "")
}
