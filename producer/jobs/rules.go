package jobs

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/schema"
)

// Rule names the job of a process by its control group or its command line.
type Rule struct {
	kind     ruleKind
	pattern  []string // path elements, with the wildcards of path.Match
	anchored bool     // the pattern begins at the root
	job      string   // $1, $2, … stand for what the pattern's first, second, … element with a wildcard matched
}

type ruleKind string

const (
	cgroupRule  ruleKind = "cgroup"
	commandRule ruleKind = "command"
)

// ParseRule reads a rule: "cgroup:PATTERN=JOB" for processes of a control group, "command:PATTERN=JOB" for those with a
// path in their command line. A pattern matches whole elements of a path: /w/a matches /w/a and /w/a/b, and not /w/ab.
// One that does not begin with / matches anywhere in a path. JOB may hold $1, $2, … for what the elements with a
// wildcard matched.
func ParseRule(s string) (Rule, error) {
	kind, rest, ok := strings.Cut(s, ":")
	i := strings.LastIndexByte(rest, '=')
	if !ok || i <= 0 || kind != string(cgroupRule) && kind != string(commandRule) {
		return Rule{}, fmt.Errorf("rule %q: want cgroup:PATTERN=JOB or command:PATTERN=JOB", s)
	}
	pattern, job := rest[:i], rest[i+1:]
	r := Rule{kind: ruleKind(kind), pattern: elements(pattern), anchored: strings.HasPrefix(pattern, "/"), job: job}
	if len(r.pattern) == 0 {
		return Rule{}, fmt.Errorf("rule %q: the pattern has no element", s)
	}
	for _, e := range r.pattern {
		if _, err := path.Match(e, ""); err != nil {
			return Rule{}, fmt.Errorf("rule %q: element %q: %w", s, e, err)
		}
	}
	if job == "" || job != procfs.ValidText(job, schema.MaxName) {
		return Rule{}, fmt.Errorf("rule %q: want a job of 1 to %d bytes", s, schema.MaxName)
	}
	return r, nil
}

// elements are the elements of a path.
func elements(p string) []string {
	return slices.DeleteFunc(strings.Split(p, "/"), func(e string) bool { return e == "" || e == "." })
}

// match is the job that the rule gives to a path; empty for none.
func (r *Rule) match(p string) string {
	if r.anchored && !strings.HasPrefix(p, "/") {
		return ""
	}
	have := elements(path.Clean(p))
	for at := 0; at+len(r.pattern) <= len(have); at++ {
		if stars, ok := r.matchAt(have[at:]); ok {
			return r.name(stars)
		}
		if r.anchored {
			break
		}
	}
	return ""
}

// matchAt matches the pattern with the first elements of a path, and returns those that a wildcard matched.
func (r *Rule) matchAt(have []string) (stars []string, ok bool) {
	for i, e := range r.pattern {
		if ok, _ := path.Match(e, have[i]); !ok { // the pattern was checked
			return nil, false
		}
		if strings.ContainsAny(e, `*?[\`) {
			stars = append(stars, have[i])
		}
	}
	return stars, true
}

// name fills what was matched into the job's name.
func (r *Rule) name(stars []string) string {
	var pairs []string
	for i := len(stars); i > 0; i-- { // $10 before $1
		pairs = append(pairs, "$"+strconv.Itoa(i), stars[i-1])
	}
	return procfs.ValidText(strings.NewReplacer(pairs...).Replace(r.job), schema.MaxName)
}

// matchRules is the job that the first rule of a kind that matches gives to a path.
func matchRules(rules []Rule, kind ruleKind, p string) string {
	if p == "" {
		return ""
	}
	for i := range rules {
		if r := &rules[i]; r.kind == kind {
			if name := r.match(p); name != "" {
				return name
			}
		}
	}
	return ""
}

// matchCommand is the job that a rule gives to a command line: by an argument that is a path, or that has one behind
// an equals sign.
func matchCommand(rules []Rule, args []string) string {
	if len(rules) == 0 {
		return ""
	}
	for _, arg := range args {
		if option, value, ok := strings.Cut(arg, "="); ok && !strings.Contains(option, "/") {
			arg = value
		}
		if !strings.Contains(arg, "/") {
			continue
		}
		if name := matchRules(rules, commandRule, arg); name != "" {
			return name
		}
	}
	return ""
}
