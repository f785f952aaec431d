package query

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proctape/proctape/schema"
)

// Incomplete says in one line what is not known and why, such as "incomplete: the recorder was away 02:37:30–02:38:13; at least 6 016
// processes are missing": of some kinds of data, those that an answer is made of, or of all when none is named. It is empty when nothing
// is known to be missing of them. Times are local. It holds names of hosts and of kinds of gaps, and no text of processes.
func Incomplete(covers []Coverage, of ...Data) string {
	var worst *Coverage
	lacking := 0
	for i := range covers {
		c := &covers[i]
		if len(c.reasonsOf(of)) == 0 {
			continue
		}
		if lacking++; worst == nil || c.percentOf(of) < worst.percentOf(of) {
			worst = c
		}
	}
	if lacking == 0 {
		return ""
	}
	text := "incomplete: "
	if len(covers) > 1 {
		text += "on " + worst.Host + " "
	}
	text += strings.Join(worst.clauses(of), "; ")
	switch others := lacking - 1; {
	case others == 1:
		text += "; and one more host is incomplete"
	case others > 1:
		text += fmt.Sprintf("; and %d more hosts are incomplete", others)
	}
	return text
}

// reasonsOf are the reasons that are of any of some kinds of data; all when none is named.
func (c *Coverage) reasonsOf(of []Data) (reasons []*Reason) {
	for i := range c.Reasons {
		r := &c.Reasons[i]
		if len(of) == 0 || slices.ContainsFunc(of, func(d Data) bool { return slices.Contains(r.Data, d) }) {
			reasons = append(reasons, r)
		}
	}
	return reasons
}

// percentOf is the least share of some kinds of data; of all when none is named.
func (c *Coverage) percentOf(of []Data) float64 {
	least := 100.0
	for data, percent := range map[Data]float64{DataSnapshots: c.Snapshots, DataEvents: c.Events, DataCPU: c.CPU, DataIO: c.IO} {
		if len(of) == 0 || slices.Contains(of, data) {
			least = min(least, percent)
		}
	}
	return least
}

// mostClauses is how many reasons a line tells.
const mostClauses = 3

// clauses say why the coverage is not complete.
func (c *Coverage) clauses(of []Data) (clauses []string) {
	reasons := c.reasonsOf(of)
	for i, r := range reasons {
		if i == mostClauses {
			clauses = append(clauses, fmt.Sprintf("%d more reasons (proctape gaps)", len(reasons)-i))
			break
		}
		clauses = append(clauses, r.clause(c))
	}
	switch {
	case c.Forks != nil && *c.Forks > 0 && *c.Forks >= deref(c.Missing, 0):
		clauses = append(clauses, grouped(*c.Forks)+" starts of processes or threads are missing")
	case c.Missing != nil && *c.Missing > 0:
		is := "processes are"
		if *c.Missing == 1 {
			is = "process is"
		}
		clauses = append(clauses, fmt.Sprintf("at least %s %s missing", grouped(*c.Missing), is))
	}
	return clauses
}

// clause says one reason.
func (r *Reason) clause(c *Coverage) string {
	switch r.Kind {
	case ReasonNoRecord:
		return "nothing of this time was recorded"
	case ReasonBeginsLate:
		return fmt.Sprintf("the record begins %s later, at %s", lasting(*r.Seconds), c.clock(*r.To))
	case string(schema.GapRestart), ReasonAway:
		return "the recorder was away" + r.when(c)
	case string(schema.GapReboot):
		return "the host started anew" + r.when(c)
	case ReasonNoSnapshot:
		return "no snapshots came" + r.when(c)
	case ReasonTrimmed:
		return "retention has deleted what was recorded" + r.when(c)
	case ReasonHidden:
		return r.seen("processes were seen", "only some processes were seen")
	case ReasonIOHidden:
		return r.seen("processes' I/O was seen", "the I/O of some processes was not seen")
	case ReasonShortLives:
		return "not every start and end was seen: " + cutDoc(r.Detail)
	case ReasonNoTotals:
		return "CPU and I/O of processes that lived between two samples are not known"
	case ReasonUnsaid:
		return "the sampler did not say what it sees"
	case ReasonNotCome:
		return fmt.Sprintf("%s items of the sampler have not come", grouped(*r.Count))
	}
	return r.gapClause(c)
}

// cutDoc is what a source sees, or what is said of one that is not known.
func cutDoc(doc string) string {
	if doc == "" {
		return "the sampler has no source of them"
	}
	return doc
}

// gapClause says what the gaps of a kind are.
func (r *Reason) gapClause(c *Coverage) string {
	info, known := schema.GapKind(r.Kind).Info()
	text := strings.ReplaceAll(r.Kind, "_", " ")
	if known {
		text, _, _ = strings.Cut(info.Doc, ":")
	}
	if r.Count != nil && *r.Count > 0 {
		counts, _, _ := strings.Cut(info.Counts, ",")
		text += fmt.Sprintf(" (%s %s)", grouped(*r.Count), counts)
	}
	return text + r.when(c)
}

// seen says how many of how many were seen.
func (r *Reason) seen(what, unknown string) string {
	if r.Count == nil || r.Of == nil {
		return unknown
	}
	return fmt.Sprintf("only %s of %s %s", grouped(*r.Of-*r.Count), grouped(*r.Of), what)
}

// when says at what time, or how often and for how long.
func (r *Reason) when(c *Coverage) string {
	switch {
	case r.From == nil && r.To == nil:
		return ""
	case r.From == nil:
		return " before " + c.clock(*r.To)
	case r.To == nil:
		return " since " + c.clock(*r.From)
	case r.Gaps > 1 && r.Seconds != nil:
		return fmt.Sprintf(" %d times, %s in all, %s–%s", r.Gaps, lasting(*r.Seconds), c.clock(*r.From), c.clock(*r.To))
	case *r.To-*r.From < 1:
		return " at " + c.clock(*r.From)
	}
	return fmt.Sprintf(" %s–%s", c.clock(*r.From), c.clock(*r.To))
}

// clock shows a time: without its day and zone where the coverage is of one day in which the zone does not change.
func (c *Coverage) clock(t float64) string {
	day := func(t float64) string { return schema.Time(t).Local().Format("2006-01-02Z07:00") }
	if day(c.From) != day(t) || day(t) != day(c.To) {
		return schema.Time(t).Local().Format("2006-01-02 15:04:05Z07:00")
	}
	return schema.Time(t).Local().Format(time.TimeOnly)
}

// lasting shows a length of time.
func lasting(s float64) string {
	d := time.Duration(s * float64(time.Second))
	if d < time.Minute {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}

// grouped shows a number with a space between thousands.
func grouped(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + " " + text[i:]
	}
	return text
}
