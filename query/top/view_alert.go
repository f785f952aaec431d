package top

import (
	"fmt"
	"slices"
	"strings"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/term"
)

// alertView is the line of what matters most now: what a key said, trouble, a hole, or the last death or start of an episode.
func alertView(m *Model) line {
	switch h := holeOf(m); {
	case m.note != "":
		return line{{" " + term.Safe(m.note), accent}}
	case len(m.list.tags) > 0 && m.frame != nil && m.screen == processesScreen:
		return tagsView(m)
	case m.trouble != nil:
		return line{{" cannot read: " + term.Safe(strings.ReplaceAll(m.trouble.Error(), "\n", "; ")), bad}}
	case m.frame == nil:
		return line{{" reading the record", faint}}
	case h != nil:
		return holeView(m, h)
	case len(m.frame.Hosts) == 0:
		return line{{" no snapshot within the hour before this time: t goes to the next", warn}}
	case lastFound(m.frame) != nil:
		return foundView(m, lastFound(m.frame))
	case len(m.frame.Deaths) > 0:
		return deathView(m, &m.frame.Deaths[len(m.frame.Deaths)-1])
	}
	return line{{" no process has failed in the hour before", faint}}
}

// holeView says of a hole what is known: from when to when, why, and what the rows below are.
func holeView(m *Model, h *query.Hole) line {
	text := fmt.Sprintf(" ▨ not recorded since %s", m.zone.clock(h.From))
	if h.To > 0 {
		text = fmt.Sprintf(" ▨ not recorded %s – %s (%s)", m.zone.clock(h.From), m.zone.clock(h.To), strings.TrimSpace(spanText(h.To-h.From)))
	}
	host := slices.IndexFunc(m.frame.Hosts, func(o Host) bool { return o.Hole == h })
	if reason := m.frame.Hosts[max(0, host)].Reason; reason != "" {
		text += ", " + strings.ReplaceAll(term.Safe(reason), "_", " ")
	}
	if h.To > 0 {
		return line{{text, warn}, {fmt.Sprintf(" · %d lived before and after: figures ?", len(m.frame.Rows)), plain}}
	}
	return line{{text, warn}, {` · is the recorder running? "proctape status"`, plain}}
}

// deathView says what died last, and of what.
func deathView(m *Model, e *query.Event) line {
	mark, how := deathMark(e)
	l := line{{" " + mark + " ", how}, {endText(e), how}, {fmt.Sprintf(" %s %s %d", m.zone.clock(e.Timestamp), commandName(e.Command), e.PID), plain}}
	if e.JobID != nil {
		l = append(l, span{", " + term.Safe(*e.JobID), plain})
		if e.Sheet != nil {
			l = append(l, span{fmt.Sprintf(" step %d", *e.Sheet), plain})
		}
	}
	if e.Details != "" {
		l = append(l, span{" · " + term.Safe(e.Details), faint})
	}
	return l
}

// lastFound is the last episode that began, unless something died since, or in the same moment.
func lastFound(f *Frame) *query.Anomaly {
	n, d := len(f.Found), len(f.Deaths)
	if n == 0 || d > 0 && f.Deaths[d-1].Timestamp >= f.Found[n-1].Started {
		return nil
	}
	return &f.Found[n-1]
}

// foundView says of an episode which rule found it, since when, of what, and what it says.
func foundView(m *Model, a *query.Anomaly) line {
	mark, how := anomalyMark(a.Severity)
	return line{{" " + mark + " ", how}, {term.Safe(a.Rule), how}, {fmt.Sprintf(" %s %s", m.zone.clock(a.Started), whatOf(a)), plain},
		{" · " + lengthText(a, shown(m)) + " · " + term.Safe(a.Description), faint}}
}

// tagsView is what the tagged processes use together.
func tagsView(m *Model) line {
	var cpu, rss float64
	n := 0
	for i := range m.frame.Rows {
		if r := &m.frame.Rows[i]; m.list.tags[r.ID()] && r.End == nil && !r.Missing {
			n, cpu, rss = n+1, cpu+r.CPUPercent, rss+r.RSS
		}
	}
	return line{{fmt.Sprintf(" %d tagged, %d here now: CPU %s %% of a core, RSS %s (pages that they share count for each)", len(m.list.tags), n, percentText(cpu), sizeText(rss)), accent}}
}
