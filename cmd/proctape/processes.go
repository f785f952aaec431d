package main

import (
	"fmt"

	"github.com/proctape/proctape/query"
)

// process is a process of a snapshot, with where and when.
type process struct {
	Timestamp float64
	Host      string
	query.Process
}

var processColumns = []column[process]{
	{name: "time", head: "TIME", value: func(p *process) any { return p.Timestamp }, time: true},
	{name: "host", head: "HOST", value: func(p *process) any { return p.Host }, drop: 2, text: true},
	{name: "pid", head: "PID", value: func(p *process) any { return p.PID }},
	{name: "ppid", head: "PPID", value: func(p *process) any { return p.PPID }, extra: true},
	{name: "user", head: "USER", value: func(p *process) any { return valueOf(p.UID) }, show: func(p *process) string { return orDash(p.UID, userName) }, drop: 4},
	{name: "state", head: "STATE", value: func(p *process) any { return whenKnown(&p.Process, "state", p.State) }},
	{name: "cpu", head: "CPU%", value: func(p *process) any { return whenKnown(&p.Process, "cpu_percent", p.CPUPercent) }},
	{name: "rss", head: "RSS MiB", value: func(p *process) any { return whenKnown(&p.Process, "rss_mb", p.RSS) }},
	{name: "vms", head: "VMS MiB", value: func(p *process) any { return whenKnown(&p.Process, "vms_mb", p.VMS) }, extra: true},
	{name: "swap", head: "SWAP MiB", value: func(p *process) any { return valueOf(p.Swap) }, extra: true},
	{name: "hugetlb", head: "HUGETLB MiB", value: func(p *process) any { return valueOf(p.Hugetlb) }, extra: true},
	{name: "gpu", head: "GPU MiB", value: func(p *process) any { return valueOf(p.GPUMemory) }, extra: true},
	{name: "threads", head: "THREADS", value: func(p *process) any { return whenKnown(&p.Process, "threads", p.Threads) }, extra: true},
	{name: "fds", head: "FDS", value: func(p *process) any { return whenKnown(&p.Process, "open_fds", p.OpenFDs) }, extra: true},
	{name: "age", head: "AGE s", value: func(p *process) any { return p.Age }, extra: true},
	{name: "cpu_seconds", head: "CPU s", value: func(p *process) any { return p.CPUSeconds }, show: func(p *process) string { return twoDecimals(p.CPUSeconds) }, extra: true},
	{name: "read", head: "READ MiB", value: func(p *process) any { return valueOf(p.Read) }, extra: true},
	{name: "write", head: "WRITE MiB", value: func(p *process) any { return valueOf(p.Write) }, extra: true},
	{name: "cancelled", head: "CANCELLED MiB", value: func(p *process) any { return valueOf(p.Cancelled) }, extra: true},
	{name: "sent", head: "SENT MiB", value: func(p *process) any { return valueOf(p.Sent) }, extra: true},
	{name: "received", head: "RECEIVED MiB", value: func(p *process) any { return valueOf(p.Received) }, extra: true},
	{name: "minor_faults", head: "FAULTS", value: func(p *process) any { return valueOf(p.MinorFaults) }, extra: true},
	{name: "major_faults", head: "MAJOR FAULTS", value: func(p *process) any { return valueOf(p.MajorFaults) }, extra: true},
	{name: "run_delay", head: "WAITED s", value: func(p *process) any { return valueOf(p.RunDelay) }, extra: true},
	{name: "job", head: "JOB", value: func(p *process) any { return valueOf(p.JobID) }, show: func(p *process) string { return jobStep(p.JobID, p.Sheet) }, text: true, extra: true},
	{name: "cgroup", head: "CGROUP", value: func(p *process) any { return valueOf(p.Cgroup) }, text: true, extra: true},
	{name: "command", head: "COMMAND", value: func(p *process) any { return p.Command }, show: func(p *process) string { return p.Command + ofJob(p.JobID, p.Fleet, p.Sheet) }, text: true},
}

// whenKnown is a value of a process for a column; nil when it is not known.
func whenKnown(p *query.Process, key string, value any) any {
	if !p.Knows(key) {
		return nil
	}
	return value
}

// usageText shows what a process uses, with a dash for what is not known.
func usageText(p *query.Process) (cpu, rss string) {
	cpu, rss = "-", "-"
	if p.Knows("cpu_percent") {
		cpu = fmt.Sprintf("%.1f%%", p.CPUPercent)
	}
	if p.Knows("rss_mb") {
		rss = fmt.Sprintf("%.1f MiB", p.RSS)
	}
	return cpu, rss
}
