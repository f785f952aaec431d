package query

import (
	"slices"
	"strings"

	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/metric"
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

// PickedColumns are the columns of processes by which the filter picks: [Filter.PicksAny] needs no others of a message.
func (f *Filter) PickedColumns() schema.Columns {
	var ids []metric.ID
	for id, asked := range map[metric.ID]bool{metric.JobID: f.Job != "", metric.Sheet: f.Step != nil, metric.UID: f.UID != nil,
		metric.Command: f.Command != "", metric.Cgroup: f.Cgroup != "", metric.State: len(f.States) > 0} {
		if asked {
			ids = append(ids, id)
		}
	}
	return schema.ColumnsOf(ids...)
}

// PicksAny reports whether the filter picks a process of the snapshot that a message of the log carries.
func (f *Filter) PicksAny(m *schema.Message) bool {
	for row := range m.Snapshot.Processes.Len() {
		if f.picksRow(&m.Snapshot.Processes, row) {
			return true
		}
	}
	return false
}

// PickedFromMessage is what [SnapshotFromMessage] returns, with the processes that the filter picks.
func (f *Filter) PickedFromMessage(m *schema.Message) Snapshot {
	out := hostFromMessage(m)
	out.Processes = []Process{}
	for row := range m.Snapshot.Processes.Len() {
		if f.picksRow(&m.Snapshot.Processes, row) {
			out.Processes = append(out.Processes, processFromMessage(&m.Snapshot.Processes, row, m.Boot))
		}
	}
	return out
}

// picksRow is picks of a process of a message. It makes of that what the filter asks about.
func (f *Filter) picksRow(procs *schema.Processes, row int) bool {
	if f.PID != 0 && int64(procs.PID(row)) != f.PID {
		return false
	}
	p := Process{PID: int64(procs.PID(row)), Command: procs.Text(metric.Command, row)}
	if f.Job != "" {
		job := procs.Text(metric.JobID, row)
		p.JobID = &job
	}
	if f.Step != nil {
		p.Sheet = pointer(procs.Number(metric.Sheet, row))
	}
	if f.UID != nil {
		p.UID = pointer(procs.Number(metric.UID, row))
	}
	if group := procs.Text(metric.Cgroup, row); f.Cgroup != "" && group != "" {
		p.Cgroup = &group
	}
	if len(f.States) > 0 {
		p.measure(metric.State, procs.Number(metric.State, row))
	}
	return f.picks(&p)
}
