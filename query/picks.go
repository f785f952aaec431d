package query

import (
	"slices"
	"strings"
)

// PicksEvent reports whether the filter picks an event; its times, its limit and its cursor mean nothing here.
func (f *Filter) PicksEvent(e *Event) bool {
	failed := e.Signal != nil || e.ExitCode != nil && *e.ExitCode != 0 || slices.Contains([]string{"signal", "kill", "oom"}, e.Type)
	return f.picksOf(e.Host, e.PID, e.JobID, e.Sheet, e.UID, e.Command) &&
		(len(f.Types) == 0 || slices.Contains(f.Types, e.Type)) && (!f.Failed || failed) && same(f.ExitCode, e.ExitCode) && same(f.Signal, e.Signal)
}

// PicksExec reports whether the filter picks an exec; its times, its limit and its cursor mean nothing here.
func (f *Filter) PicksExec(e *Exec) bool {
	command := ""
	if e.Command != nil {
		command = *e.Command
	}
	return f.picksOf(e.Host, e.PID, e.JobID, e.Sheet, e.UID, command)
}

// picksOf reports whether the filter picks what is of a process.
func (f *Filter) picksOf(host string, pid int64, job *string, sheet, uid *int64, command string) bool {
	return (f.Host == "" || f.Host == host) && (f.PID == 0 || f.PID == pid) && (f.Job == "" || job != nil && *job == f.Job) &&
		same(f.Step, sheet) && same(f.UID, uid) && strings.Contains(command, f.Command)
}

// KeepProcesses leaves the processes of a snapshot that the filter picks, and reports whether the filter picks the snapshot: one of
// which it leaves out all processes is none.
func (f *Filter) KeepProcesses(s *Snapshot) bool {
	if f.Host != "" && f.Host != s.Host {
		return false
	}
	if !f.PicksProcesses() {
		return true
	}
	s.Processes = slices.DeleteFunc(s.Processes, func(p Process) bool { return !f.picks(&p) })
	return len(s.Processes) > 0
}
