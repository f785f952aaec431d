package top

import (
	"fmt"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/term"
)

// hostsTable lists the hosts of the frame; Enter shows one of them alone, and all again.
func hostsTable(m *Model) tableView {
	t := tableView{head: line{{" " + term.Pad("HOST", 20, false) + "  CPU                    MEM                      LOAD  PROCS  PSI c/m/i  KNOWN  AGE", heading}},
		empty: "No host has a snapshot within the hour before this time."}
	if m.opts.Host != "" {
		t.rows = append(t.rows, tableRow{line{{" (all hosts)", accent}}, func(m *Model) { showHost(m, "") }, nil})
	}
	for i := range m.frame.Hosts {
		h := &m.frame.Hosts[i]
		t.rows = append(t.rows, tableRow{hostLine(m, h), func(m *Model) { showHost(m, h.Host) }, func(m *Model) { openDetail(m, ID{Host: h.Host}) }})
	}
	return t
}

// showHost shows the processes of one host, or of all.
func showHost(m *Model, name string) {
	m.opts.Host, m.screen, m.cursor, m.line = name, processesScreen, cursor{}, nil
	askFrame(m)
}

func hostLine(m *Model, h *Host) line {
	name := append(line{{" ", plain}}, openOn(m, h)...)
	name = append(name, span{term.Pad(term.Fit(term.Safe(h.Host), 21-name.width()), 23-name.width(), false), plain})
	if h.Hole != nil {
		return append(name, span{"▨ not recorded since " + m.zone.clock(h.Hole.From), gap})
	}
	cpu, memory := []point{}, []point{}
	for _, p := range h.Trend {
		cpu, memory = append(cpu, point{p.CPU / 100, true}), append(memory, point{p.MemUsed, true})
	}
	known := unknownFigure
	if h.Coverage != nil {
		known = fmt.Sprintf("%.1f", h.Coverage.Percent)
	}
	return append(name, line{{m.glyphs.spark(cpu, float64(h.CPUs), trendOf), share(h.CPU/100, float64(h.CPUs))}, {fmt.Sprintf(" %5.2f/%-5d ", h.CPU/100, h.CPUs), plain},
		{m.glyphs.spark(memory, h.MemTotal, trendOf), share(h.MemUsed, h.MemTotal)}, {fmt.Sprintf(" %5s/%-5s %7.2f %6d  %s %6s  %s", sizeText(h.MemUsed), sizeText(h.MemTotal),
			h.Load1, len(h.Processes), psiText(h.Pressure), known, spanText(max(0, h.Old))), plain}}...)
}

// openOn is the mark of the worst of the episodes that go on on a host, with their number.
func openOn(m *Model, h *Host) line {
	s, n := worst(m.frame.Anomalies, func(a *query.Anomaly) bool { return a.Host == h.Host })
	if n == 0 {
		return nil
	}
	mark, how := anomalyMark(s)
	return line{{fmt.Sprintf("%s%d ", mark, n), how}}
}

// psiText shows the pressure of CPU, memory and I/O.
func psiText(p *query.Pressure) string {
	if p == nil {
		return "?/?/?    "
	}
	percent := func(v float64) string { return fmt.Sprintf("%.0f", v) }
	return term.Pad(figureOr(p.CPUSome, percent)+"/"+figureOr(p.MemorySome, percent)+"/"+figureOr(p.IOSome, percent), 9, false)
}

// share is the role of a figure that has a limit.
func share(v, most float64) role {
	switch {
	case most <= 0 || v < 0.8*most:
		return plain
	case v < 0.95*most:
		return warn
	}
	return bad
}
