package top

import (
	"fmt"
	"slices"
	"strings"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/term"
)

// headView is what stands above the list: the title, what the hosts use, the alert line and the time line.
func headView(m *Model) []line {
	lines := []line{titleView(m)}
	if headLines(m) > 3 {
		lines = append(lines, useView(m), loadView(m))
	}
	lines = append(lines, alertView(m))
	if headLines(m) >= 7 {
		lines = append(lines, lineView(m)...)
	}
	return lines
}

// titleView says where and when this is, and how much is known.
func titleView(m *Model) line {
	left := line{{" proctape  ", plain}, {hostsText(m) + "  ", accent}}
	left = append(left, modeView(m)...)
	right := knownView(m)
	if since := sinceView(m); since != nil && !hasLoad(m) {
		right = append(since, right...)
	}
	switch l := openView(m, "anomalies "); {
	case left.width()+l.width()+right.width() < m.width:
		right = append(l, right...)
	case !hasLoad(m):
		right = append(append(line{{" ", plain}}, openView(m, "")...), right...)
	}
	return spread(left, right, m.width)
}

// hasLoad reports whether the screen has the line of the load, which has room for what the title has none for.
func hasLoad(m *Model) bool { return m.screen == processesScreen && headLines(m) > 3 }

// sinceView says from when on there is a record, where it is what came since the screen was opened.
func sinceView(m *Model) line {
	if m.opts.Since == 0 {
		return nil
	}
	text := "since " + m.zone.clock(m.opts.Since)
	if hasLoad(m) {
		text += "; earlier needs --db or --url"
	}
	return line{{"  " + text + " ", warn}}
}

// openView says how many episodes go on, behind a text; it is empty when none does.
func openView(m *Model, text string) line {
	if m.frame == nil || len(m.frame.Anomalies) == 0 {
		return nil
	}
	s, n := worst(m.frame.Anomalies, func(*query.Anomaly) bool { return true })
	mark, how := anomalyMark(s)
	return line{{fmt.Sprintf("%s %s%d  ", mark, text, n), how}}
}

func hostsText(m *Model) string {
	switch {
	case m.frame == nil:
		return m.opts.Host
	case len(m.frame.Hosts) == 1:
		return term.Safe(m.frame.Hosts[0].Host)
	}
	return fmt.Sprintf("%d hosts", len(m.frame.Hosts))
}

// modeView says whether the figures are of now, of the past, or of no time at all.
func modeView(m *Model) line {
	at := shown(m)
	clock := " " + m.zone.full(at, m.clock.now)
	hole := holeOf(m)
	if awaits(m) {
		return line{{"… READING", warn}, {clock, plain}}
	}
	switch c := &m.clock; {
	case m.frame == nil:
		return line{{"reading", faint}}
	case c.mode == live && oldness(m) > 0:
		return line{{fmt.Sprintf("… STALE %s", spanText(oldness(m))), warn}}
	case c.mode == live:
		return line{{"● LIVE", good}, {clock, plain}, {every(m), faint}}
	case c.mode == replay && hole != nil:
		return line{{fmt.Sprintf("▶ %d× ▨ GAP", c.speed), warn}, {clock, plain}}
	case hole != nil:
		return line{{"▨ GAP", warn}, {clock, plain}}
	case c.mode == held:
		return line{{"‖ HELD +" + spanText(max(0, c.now-at)), warn}, {clock, plain}}
	case c.mode == replay:
		return line{{fmt.Sprintf("▶ %d×", c.speed), accent}, {clock, plain}}
	}
	return line{{"◀ PAST −" + spanText(max(0, m.clock.now-at)), accent}, {clock, plain}}
}

// every says how often there is a snapshot.
func every(m *Model) string {
	if m.frame == nil || len(m.frame.Hosts) != 1 || m.frame.Hosts[0].Resolution > 0 {
		return ""
	}
	return fmt.Sprintf(" · every %g s", m.frame.Hosts[0].Interval)
}

// knownView says how much of the hour before is known, how many gaps there are, and what the sampler does not see.
func knownView(m *Model) line {
	var l line
	if m.frame == nil {
		return l
	}
	least, gaps := 101.0, int64(0)
	for i := range m.frame.Hosts {
		if c := m.frame.Hosts[i].Coverage; c != nil {
			least, gaps = min(least, c.Percent), gaps+c.Gaps
		}
	}
	if least <= 100 {
		how := good
		if least < 99.95 {
			how = warn
		}
		l = append(l, span{fmt.Sprintf("known %.1f %%", least), how})
	}
	if gaps > 0 {
		l = append(l, span{fmt.Sprintf(" ▨%d", gaps), gap})
	}
	if len(m.frame.Hosts) == 1 && m.frame.Hosts[0].Hidden > 0 {
		l = append(l, span{fmt.Sprintf(" ◌%d hidden", m.frame.Hosts[0].Hidden), faint})
	}
	return append(l, span{" ", plain})
}

// figures are those of all hosts of a frame.
type figures struct {
	known                    bool
	cpu, cpus, used, total   float64
	load                     [3]float64
	psi                      [3]*float64
	processes, running, dead int
	memory                   bool
}

func figuresOf(f *Frame) figures {
	s := figures{memory: true}
	for i := range f.Hosts {
		h := &f.Hosts[i]
		if h.Hole != nil {
			continue
		}
		s.known = true
		s.cpu, s.cpus, s.used, s.total = s.cpu+h.CPU/100, s.cpus+float64(h.CPUs), s.used+h.MemUsed, s.total+h.MemTotal
		s.load = [3]float64{s.load[0] + h.Load1, s.load[1] + h.Load5, s.load[2] + h.Load15}
		s.dead += int(h.Zombies)
		s.memory = s.memory && !slices.Contains(h.Unknown, "system_memory_used_mb")
		if p := h.Pressure; p != nil {
			for i, v := range []*float64{p.CPUSome, p.MemorySome, p.IOSome} {
				if v != nil && (s.psi[i] == nil || *v > *s.psi[i]) {
					s.psi[i] = v
				}
			}
		}
	}
	for i := range f.Rows {
		r := &f.Rows[i]
		if r.End == nil && !r.Missing {
			s.processes++
			s.running += btoi(r.State == "R")
		}
	}
	return s
}

// trendOfAll adds up the trends of the hosts; it is empty with several, whose snapshots have other times.
func trendOfAll(f *Frame, of func(query.TrendPoint) float64) (points []point) {
	if len(f.Hosts) != 1 || f.Hosts[0].Hole != nil {
		return nil
	}
	for _, p := range f.Hosts[0].Trend {
		points = append(points, point{of(p), true})
	}
	return points
}

// useView shows CPU, memory and pressure.
func useView(m *Model) line {
	if m.frame == nil {
		return nil
	}
	f := figuresOf(m.frame)
	if !f.known {
		return line{{" CPU ? · mem ? · psi ?", faint}}
	}
	cpu := trendOfAll(m.frame, func(p query.TrendPoint) float64 { return p.CPU / 100 })
	memory := trendOfAll(m.frame, func(p query.TrendPoint) float64 { return p.MemUsed })
	l := line{{" CPU ", accent}, {m.glyphs.spark(cpu, f.cpus, trendOf), share(f.cpu, f.cpus)}, {fmt.Sprintf(" %.2f/%g", f.cpu, f.cpus), plain}, {"   mem ", accent}}
	if f.memory {
		l = append(l, span{m.glyphs.spark(memory, f.total, trendOf), share(f.used, f.total)}, span{fmt.Sprintf(" %s/%s", sizeText(f.used), sizeText(f.total)), plain})
	} else {
		l = append(l, span{unknownFigure, faint})
	}
	l = append(l, span{"   psi ", accent})
	for i, name := range []string{"cpu", "mem", "io"} {
		if f.psi[i] == nil {
			l = append(l, span{fmt.Sprintf(" %s ?", name), faint})
			continue
		}
		l = append(l, span{fmt.Sprintf(" %s %.0f", name, *f.psi[i]), share(*f.psi[i], 100)})
	}
	return append(l, span{" %", plain})
}

// loadView shows load, processes and accelerators.
func loadView(m *Model) line {
	if m.frame == nil {
		return nil
	}
	f := figuresOf(m.frame)
	if !f.known {
		return append(line{{fmt.Sprintf(" load ? · %d listed", len(m.frame.Rows)), faint}}, sinceView(m)...)
	}
	l := line{{" load ", accent}, {fmt.Sprintf("%.2f %.2f %.2f  %d proc  %d run", f.load[0], f.load[1], f.load[2], f.processes, f.running), plain}}
	if f.dead > 0 {
		l = append(l, span{fmt.Sprintf("  %d zomb", f.dead), warn})
	}
	if m.frame.Ended > 0 {
		l = append(l, span{fmt.Sprintf("  %d ended", m.frame.Ended), faint})
	}
	if title := titleView(m); !slices.ContainsFunc(title, func(s span) bool { return strings.Contains(s.text, "anomalies") }) {
		l = append(append(l, span{"   ", plain}), openView(m, "anomalies ")...)
	}
	l = append(l, sinceView(m)...)
	for i := range m.frame.Hosts {
		for _, g := range m.frame.Hosts[i].GPUs {
			l = append(l, span{fmt.Sprintf("   GPU%d ", g.Index), accent}, span{gpuText(&g), plain})
		}
	}
	return l
}

func gpuText(g *query.GPU) string {
	figure := func(v *float64, show func(float64) string) string {
		if v == nil {
			return unknownFigure
		}
		return show(*v)
	}
	parts := []string{figure(g.Utilization, func(v float64) string { return fmt.Sprintf("%.0f %%", v) }),
		figure(g.MemoryUsed, sizeText) + "/" + figure(g.MemoryTotal, sizeText), figure(g.Temperature, func(v float64) string { return fmt.Sprintf("%.0f °C", v) })}
	return strings.Join(parts, " ")
}
