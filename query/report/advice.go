package report

import (
	"fmt"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/term"
)

// advise says what the figures of a run suggest.
func advise(r *RunReport) (all []Advice) {
	for _, rule := range []func(*RunReport) []Advice{adviseLimit, adviseLeft, adviseZombies, adviseHugePages, adviseParallelism, adviseShortLives, adviseGrowth, adviseDelay} {
		all = append(all, rule(r)...)
	}
	return all
}

// AddAdvice adds to a report what others found; nothing for an empty text.
func AddAdvice(r *RunReport, condition, text string, evidence map[string]any) {
	if text != "" {
		r.Advice = append(r.Advice, Advice{condition, text, evidence})
	}
}

// adviseLimit: a step died at the limit of a control group, and the machine had memory left.
func adviseLimit(r *RunReport) (all []Advice) {
	for i := range r.Deaths {
		d := &r.Deaths[i]
		group := query.LimitReached(d.Details)
		if !d.OutOfMemory() || group == "" || d.Shortage == nil || d.Shortage.MachineSize == 0 {
			continue
		}
		used := 100 * d.Shortage.MachineUsed / d.Shortage.MachineSize
		if used > 90 {
			continue
		}
		text := fmt.Sprintf("The limit of %s was short, not the machine: %s of %s MiB of it were used.", group, mib(d.Shortage.MachineUsed), mib(d.Shortage.MachineSize))
		evidence := map[string]any{"cgroup": group, "system_memory_used_mb": d.Shortage.MachineUsed, "system_memory_total_mb": d.Shortage.MachineSize}
		if before := r.Before.step(d.Sheet); before != nil && before.PeakRSS != nil && d.PeakRSS != nil {
			text += fmt.Sprintf(" In run %d step %d had at most %s MiB, now its largest process had %s.", r.Before.Number, *d.Sheet, mib(*before.PeakRSS), mib(*d.PeakRSS))
			evidence["run_before"], evidence["peak_before_mb"], evidence["peak_rss_mb"] = r.Before.Number, *before.PeakRSS, *d.PeakRSS
		}
		return append(all, Advice{"memory_limit", text, evidence})
	}
	return nil
}

// adviseLeft: processes go on after the end.
func adviseLeft(r *RunReport) []Advice {
	if len(r.Left) == 0 {
		return nil
	}
	var rss, cpu float64
	for _, o := range r.Left {
		rss += o.Process.RSS
		if o.CPUSince != nil {
			cpu += *o.CPUSince
		}
	}
	return []Advice{{"processes_left", fmt.Sprintf("It left %d %s behind. Since then they have used %s CPU s, and they hold %s MiB.", len(r.Left),
		plural(len(r.Left), "process", "processes"), seconds(cpu), mib(rss)), map[string]any{"processes": len(r.Left), "cpu_seconds": cpu, "rss_mb": rss}}}
}

// adviseZombies: a parent does not wait for its children.
func adviseZombies(r *RunReport) []Advice {
	n := len(r.Samples.Zombies)
	if n == 0 {
		return nil
	}
	z := r.Samples.Zombies[0]
	return []Advice{{"zombies", fmt.Sprintf("%d ended %s stood unwaited for; the parent of the first, %d, is %d. A parent that waits for its children frees them.",
		n, plural(n, "process", "processes"), z.PID, z.Parent), map[string]any{"zombies": n, "pid": z.PID, "ppid": z.Parent}}}
}

// adviseHugePages: memory that resident memory does not hold, and that a limit of memory does not stop.
func adviseHugePages(r *RunReport) []Advice {
	huge, largest := r.Samples.Hugetlb, r.Samples.Largest
	if huge == nil {
		return nil
	}
	return []Advice{{"huge_pages", fmt.Sprintf("%s MiB of it lay in huge pages (hugetlbfs), which no resident memory holds: its largest process had %s MiB with them. "+
		"A control group limits them by hugetlb.*.max, and not by memory.max.", mib(*huge), mib(*largest)),
		map[string]any{"hugetlb_mb": *huge, "largest_with_hugetlb_mb": *largest}}}
}

// adviseParallelism: most of the machine was idle though the run used a CPU in full.
func adviseParallelism(r *RunReport) []Advice {
	if r.Cores == nil || r.CPUs < 2 || *r.Seconds < 10 || *r.Cores < 0.7 || *r.Cores > 1.3 || float64(r.CPUs) < 2**r.Cores-0.6 {
		return nil
	}
	return []Advice{{"one_core", fmt.Sprintf("It used %.1f of %d cores over %s: most of it waits for one process at a time.", *r.Cores, r.CPUs, term.Span(*r.Seconds)),
		map[string]any{"cores_used": *r.Cores, "cpus": r.CPUs, "wall_seconds": *r.Seconds}}}
}

// adviseShortLives: starting processes is a large part of the work.
func adviseShortLives(r *RunReport) []Advice {
	if r.Seconds == nil || *r.Seconds < 1 || r.Spawns < 500 || float64(r.Spawns) < 50**r.Seconds {
		return nil
	}
	return []Advice{{"many_starts", fmt.Sprintf("It started %s processes, %.0f a second.", grouped(r.Spawns), float64(r.Spawns) / *r.Seconds),
		map[string]any{"process_spawn_count": r.Spawns, "wall_seconds": *r.Seconds}}}
}

// adviseGrowth: a step that ended well had much more memory than in the run before.
func adviseGrowth(r *RunReport) (all []Advice) {
	for i := range r.Steps {
		s := &r.Steps[i]
		before, now := r.Before.step(&s.Sheet), s.Together.Peak
		if before == nil || before.PeakRSS == nil || now == nil || s.OOMs > 0 || *now < 100 || *now < 1.25**before.PeakRSS {
			continue
		}
		all = append(all, Advice{"peak_grew", fmt.Sprintf("Step %d had at most %s MiB, %.0f %% more than in run %d (%s).", s.Sheet, mib(*now),
			100**now / *before.PeakRSS - 100, r.Before.Number, mib(*before.PeakRSS)),
			map[string]any{"sheet_num": s.Sheet, "peak_mb": *now, "peak_before_mb": *before.PeakRSS, "run_before": r.Before.Number}})
	}
	return all
}

// adviseDelay: a step took much longer than in the run before.
func adviseDelay(r *RunReport) (all []Advice) {
	for i := range r.Steps {
		s := &r.Steps[i]
		before := r.Before.step(&s.Sheet)
		if before == nil || before.Seconds == nil || s.Seconds == nil || s.Ended == nil || *s.Seconds < *before.Seconds+10 || *s.Seconds < 1.25**before.Seconds {
			continue
		}
		all = append(all, Advice{"slower", fmt.Sprintf("Step %d took %s, in run %d %s.", s.Sheet, term.Span(*s.Seconds), r.Before.Number, term.Span(*before.Seconds)),
			map[string]any{"sheet_num": s.Sheet, "wall_seconds": *s.Seconds, "wall_before_seconds": *before.Seconds, "run_before": r.Before.Number}})
	}
	return all
}

// step is a step of an earlier run; nil when there is none.
func (e *Earlier) step(n *int64) *EarlierStep {
	if e == nil || n == nil {
		return nil
	}
	for i := range e.Steps {
		if e.Steps[i].Sheet == *n {
			return &e.Steps[i]
		}
	}
	return nil
}
