package main

import (
	"fmt"
	"io"
	"iter"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
)

var historyColumns = []column[query.HistoryPoint]{
	{name: "time", head: "TIME", value: func(m *query.HistoryPoint) any { return m.Timestamp }, time: true},
	{name: "over", head: "OVER", value: func(m *query.HistoryPoint) any { return m.Resolution }, show: func(m *query.HistoryPoint) string { return resolutionText(m.Resolution) }, drop: 1},
	{name: "state", head: "STATE", value: func(m *query.HistoryPoint) any { return whenKnown(&m.Process, "state", m.State) }},
	{name: "cpu", head: "CPU%", value: func(m *query.HistoryPoint) any { return whenKnown(&m.Process, "cpu_percent", m.CPUPercent) }},
	{name: "rss", head: "RSS MiB", value: func(m *query.HistoryPoint) any { return whenKnown(&m.Process, "rss_mb", m.RSS) }},
	{name: "vms", head: "VMS MiB", value: func(m *query.HistoryPoint) any { return whenKnown(&m.Process, "vms_mb", m.VMS) }, drop: 4},
	{name: "threads", head: "THREADS", value: func(m *query.HistoryPoint) any { return whenKnown(&m.Process, "threads", m.Threads) }, drop: 3},
	{name: "fds", head: "FDS", value: func(m *query.HistoryPoint) any { return whenKnown(&m.Process, "open_fds", m.OpenFDs) }, drop: 3},
	{name: "cpu_seconds", head: "CPU s", value: func(m *query.HistoryPoint) any { return m.CPUSeconds }, show: func(m *query.HistoryPoint) string { return twoDecimals(m.CPUSeconds) }},
	{name: "read", head: "READ MiB", value: func(m *query.HistoryPoint) any { return valueOf(m.Read) }, drop: 5},
	{name: "write", head: "WRITE MiB", value: func(m *query.HistoryPoint) any { return valueOf(m.Write) }, drop: 5},
	{name: "cancelled", head: "CANCELLED MiB", value: func(m *query.HistoryPoint) any { return valueOf(m.Cancelled) }, extra: true},
	{name: "sent", head: "SENT MiB", value: func(m *query.HistoryPoint) any { return valueOf(m.Sent) }, extra: true},
	{name: "received", head: "RECEIVED MiB", value: func(m *query.HistoryPoint) any { return valueOf(m.Received) }, extra: true},
	{name: "swap", head: "SWAP MiB", value: func(m *query.HistoryPoint) any { return valueOf(m.Swap) }, extra: true},
	{name: "hugetlb", head: "HUGETLB MiB", value: func(m *query.HistoryPoint) any { return valueOf(m.Hugetlb) }, extra: true},
	{name: "gpu", head: "GPU MiB", value: func(m *query.HistoryPoint) any { return valueOf(m.GPUMemory) }, extra: true},
	{name: "minor_faults", head: "FAULTS", value: func(m *query.HistoryPoint) any { return valueOf(m.MinorFaults) }, extra: true},
	{name: "major_faults", head: "MAJOR FAULTS", value: func(m *query.HistoryPoint) any { return valueOf(m.MajorFaults) }, extra: true},
	{name: "voluntary_switches", head: "VOLUNTARY SWITCHES", value: func(m *query.HistoryPoint) any { return valueOf(m.VoluntarySwitches) }, extra: true},
	{name: "involuntary_switches", head: "INVOLUNTARY", value: func(m *query.HistoryPoint) any { return valueOf(m.InvoluntarySwitches) }, extra: true},
	{name: "user", head: "USER", value: func(m *query.HistoryPoint) any { return valueOf(m.UID) }, show: func(m *query.HistoryPoint) string { return orDash(m.UID, userName) }, extra: true},
	{name: "cgroup", head: "CGROUP", value: func(m *query.HistoryPoint) any { return valueOf(m.Cgroup) }, text: true, extra: true},
	{name: "run_delay", head: "WAITED s", value: func(m *query.HistoryPoint) any { return valueOf(m.RunDelay) }, extra: true},
}

func historyCommand(s *settings) *cobra.Command {
	l, f := new(listing), new(filterFlags)
	cmd := &cobra.Command{
		Use: "history PID", Short: "Show one process over time", Args: oneArg("pid"),
		Long: `Show what was recorded of a pid, oldest first. A pid that was reused is more than one process: each of
them gets a table of its own. --job keeps what it was for that job, and --run while that run of it went on.`,
		Example: `  proctape history 4242 --since -1h
  proctape history 4242 --columns time,rss,swap --csv`,
		RunE: func(cmd *cobra.Command, args []string) error {
			pid, err := pidArgument(args[0])
			if err != nil {
				return err
			}
			r, err := l.timeRange()
			if err != nil {
				return err
			}
			to, err := newSink(&l.view, cmd.OutOrStdout(), historyColumns, nil)
			if err != nil {
				return err
			}
			if !l.json && !l.csv && l.sort == "" {
				to = byProcess(l, cmd.OutOrStdout())
			}
			return l.withJob(cmd, s, f.job, func(db *query.DB) error {
				if err := f.narrow(cmd, db, &r); err != nil {
					return err
				}
				l.hosts = map[string]bool{}
				err := list(cmd, db, l, r, func(r query.Range) iter.Seq2[query.HistoryPoint, error] {
					return notingHosts(l.hosts, f.job, query.HistorySeq(cmd.Context(), db, query.Identity{PID: pid}, r))
				}, to, historyColumns, "", query.DataSnapshots, query.DataIO)
				if err == nil && len(l.hosts) == 0 {
					return hinted(fmt.Errorf("process %d is not in the recording%s", pid, f.ofJob()),
						`a process that ends before its first sample leaves only events: "proctape events --pid %d"`, pid)
				}
				return err
			})
		},
	}
	registerList(l, cmd, s, historyColumns)
	f.register(cmd, s, "job", "run")
	return cmd
}

// notingHosts notes of which hosts a history is. Of one with a job it leaves out what is not of it.
func notingHosts(hosts map[string]bool, job string, items iter.Seq2[query.HistoryPoint, error]) iter.Seq2[query.HistoryPoint, error] {
	return func(yield func(query.HistoryPoint, error) bool) {
		for item, err := range items {
			if err == nil && job != "" && (item.JobID == nil || *item.JobID != job) {
				continue
			}
			if err == nil {
				hosts[item.Host] = true
			}
			if !yield(item, err) {
				return
			}
		}
	}
}

// pidArgument reads the pid that an argument names.
func pidArgument(arg string) (int64, error) {
	pid, err := strconv.ParseInt(arg, 10, 32)
	if err != nil || pid <= 0 {
		return 0, hinted(misuse("%q is not a pid", arg), "a pid is a whole number above 0")
	}
	return pid, nil
}

// byProcess prints a table for each process of a pid, each under a line that says which it is.
func byProcess(l *listing, out io.Writer) sink[query.HistoryPoint] {
	var rows sink[query.HistoryPoint]
	var last query.HistoryPoint
	return sink[query.HistoryPoint]{add: func(m *query.HistoryPoint) error {
		if rows.add == nil || m.Host != last.Host || m.BootID != last.BootID || m.StartTicks != last.StartTicks {
			if rows.add != nil {
				if err := rows.flush(); err != nil {
					return err
				}
				fmt.Fprintln(out)
			}
			if err := say(out, "%s", processText(m)); err != nil {
				return err
			}
			var err error
			if rows, err = newSink(&l.view, out, historyColumns, nil); err != nil {
				return err
			}
		}
		last = *m
		return rows.add(m)
	}, flush: func() error {
		if rows.flush == nil {
			return nil
		}
		return rows.flush()
	}}
}

// processText says which process a history is of.
func processText(m *query.HistoryPoint) string {
	return fmt.Sprintf("%d on %s, started %s: %s%s", m.PID, m.Host, localTime(m.Timestamp-m.Age), printable(m.Command), ofJob(m.JobID, m.Fleet, m.Sheet))
}

// resolutionText is the time over which a line of a history is the mean.
func resolutionText(resolution float64) string {
	if resolution == 0 {
		return "now"
	}
	return fmt.Sprintf("%.0fs", resolution)
}
