package anomaly

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/expr-lang/expr/vm"

	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/metric"
)

// compiled is a rule, ready to be asked about rows.
type compiled struct {
	Rule
	digest    string
	watch     *expression // nil: every row is watched
	when      *expression
	until     *expression // nil: not when
	reset     *expression // nil: nothing does
	threshold *expression
	escalate  []escalation
	track     *Field
	value     *Field
	show      []*Field
	describe  []part
	sieve     sieve
}

type escalation struct {
	severity schema.Severity
	when     *expression
}

// part is a piece of a description: a text, or a field's or a setting's value.
type part struct {
	text    string
	field   *Field
	setting string
	subject bool
}

// compileRule compiles a rule. All that is wrong with it is in the error.
func compileRule(r Rule) (*compiled, error) {
	j := &compiled{Rule: r, digest: r.Digest()}
	j.Severity = orElse(j.Severity, schema.SeverityMedium)
	j.Value = orElse(j.Value, j.Track)
	if isEvent(r.On) && r.Count > 0 {
		j.Value = orElse(j.Value, "count")
	}
	n := names{scope: r.On, fields: fieldsFor(r), settings: r.Settings}
	errs := []error{checkShape(&j.Rule)}
	one := func(key, source string, truth bool, to **expression) {
		if source == "" {
			return
		}
		e, err := n.compile(source, truth)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", key, err))
		}
		*to = e
	}
	field := func(key, name string, to **Field) {
		if name == "" {
			return
		}
		if *to = n.fields[name]; *to == nil {
			errs = append(errs, fmt.Errorf("%s: %w", key, &UnknownNameError{"field of " + r.On, name, slices.Sorted(maps.Keys(n.fields))}))
		}
	}
	one("watch", r.Watch, true, &j.watch)
	one("when", r.When, true, &j.when)
	one("until", r.Until, true, &j.until)
	one("reset", r.Reset, true, &j.reset)
	one("threshold", r.Limit, false, &j.threshold)
	field("track", j.Track, &j.track)
	field("value", j.Value, &j.value)
	for _, name := range r.Show {
		var f *Field
		if field("show", name, &f); f != nil {
			j.show = append(j.show, f)
		}
	}
	for _, e := range r.Escalate {
		worse := escalation{severity: e.Severity}
		one("escalate to "+string(e.Severity), e.When, true, &worse.when)
		j.escalate = append(j.escalate, worse)
	}
	j.fixGuards()
	var err error
	if j.describe, err = n.template(r.Describe); err != nil {
		errs = append(errs, err)
	}
	return j, errors.Join(errs...)
}

// fixGuards puts the settings into the guards, where these are the same for all jobs, and makes the sieve of them.
func (j *compiled) fixGuards() {
	for _, e := range []*expression{j.watch, j.when} {
		for i := 0; e != nil && len(j.Jobs) == 0 && i < len(e.guards); i++ {
			if g := &e.guards[i]; g.setting != "" {
				g.constant, g.setting = j.Settings[g.setting], ""
			}
		}
	}
	switch {
	case j.On != OnProcess:
	case j.track != nil:
		j.sieve = sieveOf(j.watch)
	default:
		j.sieve = sieveOf(j.when)
	}
}

func orElse[S ~string](s, other S) S {
	if s == "" {
		return other
	}
	return s
}

// fieldsFor are the fields that a rule may name.
func fieldsFor(r Rule) map[string]*Field {
	fields := map[string]*Field{}
	all := FieldsOf(r.On)
	switch {
	case r.Track != "" && r.On == OnRun:
		all = slices.Concat(all, RunTrackedFields)
	case r.Track != "":
		all = slices.Concat(all, TrackedFields)
	case isEvent(r.On) && r.Count > 0:
		all = slices.Concat(all, CountedFields)
	}
	for i := range all {
		if fields[all[i].Name] == nil { // of a group's and its host's, the group's
			fields[all[i].Name] = &all[i]
		}
	}
	return fields
}

// checkShape checks what needs no compiler.
func checkShape(r *Rule) error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	by := map[string][]string{OnGroup: groupings}[r.On]
	if isEvent(r.On) {
		by = eventGroupings
	}
	switch {
	case r.Name == "":
		bad("it has no name")
	case !schema.ValidAnomalyType(r.Name):
		bad("name %q: want 1 to 64 of a-z 0-9 _", r.Name)
	}
	if !schema.ValidAnomalyType(r.AnomalyType()) {
		bad("type %q: want 1 to 64 of a-z 0-9 _", r.Type)
	}
	if !slices.Contains(Scopes, r.On) {
		bad("on: %w", &UnknownNameError{"scope", r.On, Scopes})
	}
	if r.By != "" && !slices.Contains(by, r.By) {
		bad("by %q: want one of %s", r.By, strings.Join(by, ", "))
	}
	if r.When == "" {
		bad("it has no condition: say when")
	}
	if r.Severity.Rank() < 0 {
		bad("severity: %w", &UnknownNameError{"severity", string(r.Severity), severities()})
	}
	for _, e := range r.Escalate {
		if e.Severity.Rank() <= r.Severity.Rank() {
			bad("escalate to %q: want a severity worse than %s", e.Severity, r.Severity)
		}
	}
	if r.Track != "" && r.On != OnRun && r.Window <= 0 {
		bad("track %s: say for which window", r.Track)
	}
	checkTimes(r, bad)
	if r.Worst != "" && r.Worst != "max" && r.Worst != "min" {
		bad("worst %q: want max or min", r.Worst)
	}
	for pattern, o := range r.Jobs {
		for name := range o.Settings {
			if _, ok := r.Settings[name]; !ok {
				bad("jobs: %s: %w", pattern, &UnknownNameError{"setting of the rule", name, slices.Sorted(maps.Keys(r.Settings))})
			}
		}
	}
	return errors.Join(errs...)
}

// checkTimes checks the times and counts of a rule.
func checkTimes(r *Rule, bad func(format string, args ...any)) {
	if r.Count > 0 && (!isEvent(r.On) || r.Window <= 0) || r.Count == 0 && r.Reset != "" {
		bad("count %d: it needs events, and a window, and reset needs it", r.Count)
	}
	if r.Once != 0 && (!isEvent(r.On) || r.Count > 0 || r.Once < 0) {
		bad("once %v: it needs events that are not counted", time.Duration(r.Once))
	}
	if r.For < 0 || r.ClearFor < 0 || r.Window < 0 || r.Count < 0 {
		bad("a time or a count is negative")
	}
}

func severities() (names []string) {
	for _, s := range schema.Severities {
		names = append(names, string(s))
	}
	return names
}

// template takes a description apart: {name} stands for a value, {subject} for what it is about.
func (n *names) template(text string) (parts []part, err error) {
	for text != "" {
		before, rest, found := strings.Cut(text, "{")
		if before != "" {
			parts = append(parts, part{text: before})
		}
		if !found {
			break
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			return nil, errors.New("describe: a brace is not closed")
		}
		_, isSetting := n.settings[name]
		switch {
		case name == "subject":
			parts = append(parts, part{subject: true})
		case n.fields[name] != nil:
			parts = append(parts, part{field: n.fields[name]})
		case isSetting:
			parts = append(parts, part{setting: name})
		default:
			return nil, fmt.Errorf("describe: %w", &UnknownNameError{"field of " + n.scope, name, n.all()})
		}
		text = after
	}
	return parts, nil
}

// description is the sentence that is told of a row.
func (j *compiled) description(r *row, about *schema.AnomalySubject) string {
	if len(j.describe) == 0 {
		return subjectWords(about) + ": " + j.When
	}
	var b strings.Builder
	for _, p := range j.describe {
		switch {
		case p.subject:
			b.WriteString(subjectWords(about))
		case p.field != nil:
			b.WriteString(shown(p.field.get(r)))
		case p.setting != "":
			b.WriteString(shown(r.settings[p.setting]))
		default:
			b.WriteString(p.text)
		}
	}
	s := b.String()
	return strings.ToValidUTF8(s[:min(len(s), 1024)], "")
}

// shown is a value in words.
func shown(v value) string {
	switch v := v.(type) {
	case nil:
		return "?"
	case float64:
		digits := 0
		switch abs := math.Abs(v); {
		case v == math.Trunc(v):
		case abs < 10:
			digits = 2
		default:
			digits = 1
		}
		return strconv.FormatFloat(v, 'f', digits, 64)
	case string:
		return v
	}
	return fmt.Sprint(v)
}

// subjectWords says what an episode is about.
func subjectWords(s *schema.AnomalySubject) string {
	switch s.Kind {
	case schema.AboutProcess:
		return fmt.Sprintf("%s (pid %d)", orElse(programOf(s.Command), "a process"), s.PID)
	case schema.AboutGroup:
		if s.Cgroup != "" {
			return "group " + s.Cgroup
		}
		return programOf(s.Command)
	case schema.AboutJob:
		return "job " + s.JobID
	case schema.AboutRun:
		if s.Sheet.Known {
			return fmt.Sprintf("step %d of %s", s.Sheet.V, s.JobID)
		}
		return s.JobID
	case schema.AboutGPU:
		return fmt.Sprintf("GPU %d", s.GPU.V)
	}
	return "the host"
}

// condition is what the rule's condition says of a row. Guards come first: they cost little and turn most rows away.
func (j *compiled) condition(r *row, machine *vm.VM) answer {
	for i := range j.when.guards {
		if a := j.when.guards[i].admits(r); a != yes {
			return a
		}
	}
	if j.when.whole {
		return yes
	}
	return j.when.says(r, machine)
}

// watches reports whether values of a row are kept.
func (j *compiled) watches(r *row, machine *vm.VM) bool {
	if j.watch == nil {
		return true
	}
	for i := range j.watch.guards {
		if j.watch.guards[i].admits(r) != yes {
			return false
		}
	}
	return j.watch.whole || j.watch.says(r, machine) == yes
}

// severity is how bad a row is.
func (j *compiled) severity(r *row, machine *vm.VM) schema.Severity {
	worst := j.Severity
	for _, e := range j.escalate {
		if e.severity.Rank() > worst.Rank() && e.when.says(r, machine) == yes {
			worst = e.severity
		}
	}
	return worst
}

// isWorse reports whether a value is worse than another.
func (j *compiled) isWorse(v, than float64) bool {
	if j.Worst == "min" {
		return v < than
	}
	return v > than
}

// mayHold reports whether a rule on groups may hold for any in a snapshot: one that wants zombies needs one.
func (j *compiled) mayHold(p *schema.Processes) bool {
	wants := slices.ContainsFunc(j.when.guards, func(g guard) bool { return g.field.Name == "zombies" && g.op == ">" && g.constant >= 0 })
	return !wants || slices.Contains(schema.ColumnOf(p, metric.State), 'Z')
}
