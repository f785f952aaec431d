package main

import (
	"cmp"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/term"
)

func snapshotsCommand(s *settings) *cobra.Command {
	l, f := new(listing), new(filterFlags)
	top := 3
	cmd := &cobra.Command{
		Use: "snapshots", Short: "List snapshots and their processes", Args: noArgs,
		Long: `List snapshots, oldest first, each with its busiest processes. Without --since it lists the newest.
--json prints every process, --csv a line for each process of each snapshot. A filter leaves out other processes, and
snapshots without any.`,
		Example: `  proctape snapshots
  proctape snapshots --since "03:00" --until "03:10" --sort rss
  proctape snapshots --since -1m --json | jq '.processes[] | select(.cpu_percent > 50)'`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := l.timeRange()
			if err != nil {
				return err
			}
			if top < 0 {
				return hinted(misuse("--top %d is negative", top), "0 shows no processes")
			}
			filter, err := f.filter(cmd, r)
			if err != nil {
				return err
			}
			to, err := snapshotSink(&l.view, cmd.OutOrStdout(), top)
			if err != nil {
				return err
			}
			return l.withJob(cmd, s, f.job, func(db *query.DB) error {
				if err := f.narrow(cmd, db, &r); err != nil {
					return err
				}
				unsorted := *l
				unsorted.sort = "" // it is the processes that are sorted
				return list(cmd, db, &unsorted, r, func(r query.Range) iter.Seq2[query.Snapshot, error] {
					filter.Range = r
					return query.SnapshotSeq(cmd.Context(), db, filter)
				}, to, nil, "no snapshots in this time", query.DataSnapshots)
			})
		},
	}
	registerList(l, cmd, s, processColumns)
	f.register(cmd, s, "job", "run", "step", "pid", "user", "command", "cgroup", "state")
	cmd.Flags().IntVar(&top, "top", top, "show this `many` processes of each snapshot, the busiest first")
	return cmd
}

// snapshotSink prints snapshots as the flags ask for.
func snapshotSink(v *view, out io.Writer, top int) (sink[query.Snapshot], error) {
	if v.json {
		_, err := pick(v, processColumns)
		return jsonSink[query.Snapshot](out), err
	}
	rows, err := newSink(v, out, processColumns, nil)
	if err != nil {
		return sink[query.Snapshot]{}, err
	}
	if v.csv {
		var all []process
		return sink[query.Snapshot]{add: func(s *query.Snapshot) error {
			all = orderProcesses(v, s, all[:0])
			for i := range all {
				if err := rows.add(&all[i]); err != nil {
					return err
				}
			}
			return nil
		}, flush: rows.flush}, nil
	}
	width := terminalWidth(out)
	if v.wide {
		width = 0
	}
	return sink[query.Snapshot]{add: func(s *query.Snapshot) error {
		if err := say(out, "%s", snapshotText(s)); err != nil {
			return err
		}
		ordered := orderProcesses(v, s, nil)
		for _, p := range ordered[:min(top, len(ordered))] {
			if err := printProcess(v, out, &p, width); err != nil {
				return err
			}
		}
		return nil
	}, flush: func() error { return nil }}, nil
}

// printProcess prints the line of a process below its snapshot.
func printProcess(v *view, out io.Writer, p *process, width int) error {
	cpu, rss := usageText(&p.Process)
	line := fmt.Sprintf("  %7d %s %7s %13s  %s%s", p.PID, p.State, cpu, rss, term.Safe(p.Command), ofJob(p.JobID, p.Fleet, p.Sheet))
	if len(v.columns) > 0 || v.wide {
		picked, err := pick(v, processColumns)
		if err != nil {
			return err
		}
		line = " "
		for i := range picked {
			if name := picked[i].name; name != "time" && name != "host" {
				line += " " + picked[i].head + " " + term.Safe(picked[i].cell(p))
			}
		}
	}
	if width > 0 {
		line = term.Fit(line, width)
	}
	_, err := fmt.Fprintln(out, line)
	return err
}

// orderProcesses appends the processes of a snapshot to an empty list, the busiest first, or as --sort says.
func orderProcesses(v *view, s *query.Snapshot, all []process) []process {
	for i := range s.Processes {
		all = append(all, process{s.Timestamp, s.Host, s.Processes[i]})
	}
	slices.SortStableFunc(all, func(a, b process) int {
		return cmp.Or(cmp.Compare(b.CPUPercent, a.CPUPercent), cmp.Compare(b.RSS, a.RSS))
	})
	if v.sort != "" {
		_ = sorted(v, all, processColumns) // the name was checked
	}
	return all
}

// snapshotText is the line of a snapshot.
func snapshotText(s *query.Snapshot) string {
	number := func(key string, decimals int, v float64) string {
		if slices.Contains(s.Unknown, key) {
			return "?"
		}
		return strconv.FormatFloat(v, 'f', decimals, 64)
	}
	text := fmt.Sprintf("%s  %s  %d %s, load %s, memory %s of %s MiB used", localTime(s.Timestamp), s.Host, len(s.Processes),
		plural(int64(len(s.Processes)), "process", "processes"), number("load_avg_1", 2, s.Load1), number("system_memory_used_mb", 0, s.MemUsed),
		number("system_memory_total_mb", 0, s.MemTotal))
	if s.Resolution > 0 {
		text += fmt.Sprintf(", means of one minute, %d %s", s.Samples, plural(s.Samples, "snapshot", "snapshots"))
	}
	if s.Zombies > 0 {
		text += fmt.Sprintf(", %d %s", s.Zombies, plural(s.Zombies, "zombie", "zombies"))
	}
	if s.Partial {
		text += fmt.Sprintf(", partial (%d hidden)", s.Hidden)
	}
	if s.PressureLevel != "none" {
		text += ", memory pressure " + printable(s.PressureLevel)
	}
	if p := s.Pressure; p != nil {
		text += fmt.Sprintf(", stalled cpu %s memory %s io %s", stalled(p.CPUSome), stalled(p.MemorySome), stalled(p.IOSome))
	}
	return text
}

// stalled is a share of time, or a question mark where it is not known.
func stalled(percent *float64) string {
	if percent == nil {
		return "?"
	}
	return fmt.Sprintf("%.0f%%", *percent)
}
