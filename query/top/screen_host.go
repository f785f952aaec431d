package top

import (
	"fmt"
	"slices"
	"strings"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/term"
)

// hostTable is what a host has, what it did last, and what of it is not seen.
func hostTable(m *Model) tableView {
	t := tableView{head: line{{" host " + term.Safe(m.of.Host), heading}}, empty: "No snapshot of it is recorded within the hour before this time."}
	i := slices.IndexFunc(m.frame.Hosts, func(h Host) bool { return h.Host == m.of.Host })
	if i < 0 {
		return t
	}
	h := &m.frame.Hosts[i]
	add := func(label, text string, how role) {
		t.rows = append(t.rows, tableRow{line: line{{" " + term.Pad(label, 12, false), accent}, {text, how}}})
	}
	if h.Hole != nil {
		add("not seen", "▨ not recorded since "+m.zone.clock(h.Hole.From)+reasonText(h.Reason), gap)
		add("before that", "", faint)
	}
	for i := range slices.Backward(m.frame.Anomalies) {
		if a := &m.frame.Anomalies[i]; a.Host == h.Host {
			t.rows = append(t.rows, foundRow(m, a, 12))
		}
	}
	hostFigures(m, h, add)
	hostRecord(m, h, add)
	return t
}

func reasonText(reason string) string {
	if reason == "" {
		return ""
	}
	return " (" + strings.ReplaceAll(reason, "_", " ") + ")"
}

// hostFigures adds what the host had and did, with sparklines of its last snapshots.
func hostFigures(m *Model, h *Host, add func(label, text string, how role)) {
	cpu, memory := []point{}, []point{}
	for _, p := range h.Trend {
		cpu, memory = append(cpu, point{p.CPU / 100, true}), append(memory, point{p.MemUsed, true})
	}
	add("CPU", fmt.Sprintf("%s  %.2f of %d cores", m.glyphs.spark(cpu, float64(h.CPUs), trendOf), h.CPU/100, h.CPUs), share(h.CPU/100, float64(h.CPUs)))
	add("memory", fmt.Sprintf("%s  %s of %s used, %s available", m.glyphs.spark(memory, h.MemTotal, trendOf), sizeText(h.MemUsed), sizeText(h.MemTotal), sizeText(h.MemAvail)), share(h.MemUsed, h.MemTotal))
	add("load", fmt.Sprintf("%.2f  %.2f  %.2f (1, 5, 15 min)", h.Load1, h.Load5, h.Load15), plain)
	percent := func(v float64) string { return fmt.Sprintf("%.1f %%", v) }
	if p := h.Pressure; p != nil {
		add("pressure", fmt.Sprintf("CPU %s   memory %s, full %s   I/O %s, full %s   (share of ten seconds in which tasks waited)", figureOr(p.CPUSome, percent),
			figureOr(p.MemorySome, percent), figureOr(p.MemoryFull, percent), figureOr(p.IOSome, percent), figureOr(p.IOFull, percent)), plain)
	} else {
		add("pressure", "not known: the kernel has none, or it is switched off", faint)
	}
	for i := range h.GPUs {
		add(fmt.Sprintf("GPU %d", h.GPUs[i].Index), gpuText(&h.GPUs[i]), plain)
	}
	add("processes", fmt.Sprintf("%d, of which %d are zombies", len(h.Processes), h.Zombies), plain)
	if h.RunningJobs > 0 {
		add("jobs", fmt.Sprintf("%d run, %d steps of them", h.RunningJobs, h.ActiveSheets), plain)
	}
}

// hostRecord adds how the host is recorded, and what of it is not.
func hostRecord(m *Model, h *Host, add func(label, text string, how role)) {
	add("snapshot", fmt.Sprintf("of %s, every %g s", m.zone.clock(h.Timestamp), h.Interval), plain)
	if h.BootID != "" {
		add("boot", term.Safe(h.BootID), faint)
	}
	if h.Hidden > 0 {
		add("hidden", fmt.Sprintf("◌ %d processes that the sampler cannot see", h.Hidden), warn)
	}
	if c := h.Coverage; c != nil {
		how := good
		if !c.Complete {
			how = warn
		}
		add("known", fmt.Sprintf("%.1f %% of the hour before: snapshots %.1f, starts and ends %.1f, CPU %.1f, I/O %.1f", c.Percent, c.Snapshots, c.Events, c.CPU, c.IO), how)
		for i := range c.Reasons {
			add("", lackText(&c.Reasons[i]), gap)
		}
	}
	sees := "not known"
	if len(h.Capabilities) > 0 {
		sees = term.Safe(strings.Join(h.Capabilities, " "))
	}
	for i, part := range pieces(sees, max(20, m.width-16)) {
		add(map[bool]string{true: "it sees"}[i == 0], part, plain)
	}
}

// lackText says why something is not known.
func lackText(r *query.Reason) string {
	text := "▨ " + strings.ReplaceAll(r.Kind, "_", " ")
	if r.Seconds != nil {
		text += ", " + spanText(*r.Seconds)
	}
	switch {
	case r.Count != nil && r.Of != nil:
		text += fmt.Sprintf(", %d of %d", *r.Count, *r.Of)
	case r.Count != nil:
		text += fmt.Sprintf(", %d", *r.Count)
	}
	if r.Detail != "" {
		text += ": " + term.Safe(r.Detail)
	}
	return text
}
