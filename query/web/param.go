package web

import (
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/term"
	"github.com/proctape/proctape/schema"
)

// question is what a request asks, of all endpoints.
type question struct {
	query.Filter
	bootID      string
	start       *int64 // of a process, in ticks
	gap         schema.GapKind
	rules       []string // that found anomalies
	severity    schema.Severity
	open        bool
	at, earlier float64 // Unix seconds; 0 for now, and for none
	by, sort    string
	about       []string // differences between times are
	run         string   // of a job, by number or id; empty for the newest
	other       string   // a job that another is compared with
	against     string   // the run with which others are compared
	runs, last  int      // how many runs are compared, and with how many; 0 is what is usual
	event       int64    // id of an event; 0 for none
	statement   string   // of SQL
	poll        time.Duration
	px          int   // width of a picture; 0 when it is not said
	args        []any // of it
	streams
	now       time.Time
	parseTime func(text string, now time.Time) (time.Time, error)
}

// param is one parameter of the query string: how it is called, what it means and how it is read.
type param struct {
	name, doc string
	kind      paramKind
	choices   []string // of a word; empty for any
	set       func(q *question, text string) error
}

// now is when the question was asked, in Unix seconds.
func now(q *question) float64 { return float64(q.now.UnixNano()) / 1e9 }

// paramKind is the type of a parameter's value, as OpenAPI calls it.
type paramKind string

const (
	ofText    paramKind = "string"
	ofTime    paramKind = "time" // which is text too
	ofInteger paramKind = "integer"
	ofBoolean paramKind = "boolean"
	ofList    paramKind = "array" // of words, with commas between them
)

// The limits of how many items an answer holds.
const (
	defaultLimit = 100
	maxLimit     = 10_000
)

// maxPID is the largest process id of Linux on 64 bits: PID_MAX_LIMIT.
const maxPID = 1 << 22

const timeHint = `write it as RFC 3339, Unix seconds, or as the program's --since takes it, such as -15m`

// Parameters that several endpoints take.
var (
	paramHost  = text("host", "only this host", func(q *question, s string) { q.Host = s })
	paramSince = moment("since", "from this time on", func(q *question, t float64) { q.Since = t })
	paramUntil = moment("until", "before this time", func(q *question, t float64) { q.Until = t })
	paramLimit = param{"limit", fmt.Sprintf("at most so many items; %d when it is left out, at most %d", defaultLimit, maxLimit), ofInteger, nil, func(q *question, s string) error {
		n, err := integer(s)
		if err != nil || n < 1 || n > maxLimit {
			return fmt.Errorf("want a whole number from 1 to %d", maxLimit)
		}
		q.Limit = int(n)
		return nil
	}}
	paramOrder = param{"order", "oldest (as it is when left out) or newest first", ofText, []string{"oldest", "newest"}, func(q *question, s string) error {
		q.Reverse = s == "newest"
		return nil
	}}
	paramAfter = param{"after", "go on behind the item of which an answer gave this as next", ofText, nil, func(q *question, s string) error {
		q.After = query.Cursor(s)
		return query.CheckCursor(s)
	}}
	paramJob    = text("job", "only this job", func(q *question, s string) { q.Job = s })
	paramPID    = number("pid", "only this process", 1, maxPID, func(q *question, n int64) { q.PID = n })
	paramStep   = number("step", "only this step (sheet) of its job", 0, math.MaxInt32, func(q *question, n int64) { q.Step = &n })
	paramStates = words("state", "only processes in these scheduler states", strings.Split("R,S,D,Z,T,t,I,X", ","), func(q *question, w []string) { q.States = w })
	paramTypes  = words("type", "only events of these types", []string{"spawn", "exit", "signal", "kill", "oom"}, func(q *question, w []string) { q.Types = w })
	paramBoot   = text("boot", "only the process of this boot of its host", func(q *question, s string) { q.bootID = s })
	paramStart  = number("start", "only the process that started so many hundredths of a second after boot", 0, math.MaxInt64, func(q *question, n int64) { q.start = &n })
)

// inRange are the parameters of a listing.
var inRange = []param{paramHost, paramSince, paramUntil, paramLimit, paramOrder, paramAfter}

// ofProcesses are the parameters that pick processes.
var ofProcesses = []param{
	paramJob, paramPID, paramStep,
	number("user", "only processes of this user id", 0, math.MaxUint32, func(q *question, n int64) { q.UID = &n }),
	text("command", "only command lines that hold this text", func(q *question, s string) { q.Command = s }),
	text("cgroup", "only this control group, and what is below it", func(q *question, s string) { q.Cgroup = s }),
}

// ofEnds are the parameters that pick events by how a process ended.
var ofEnds = []param{
	{"failed", "only ends by a signal or with an exit code other than 0", ofBoolean, nil, func(q *question, s string) (err error) {
		q.Failed, err = strconv.ParseBool(s)
		return err
	}},
	number("exit_code", "only ends with this exit code", 0, 255, func(q *question, n int64) { q.ExitCode = &n }),
	number("signal", "only what a signal of this number ended", 1, 64, func(q *question, n int64) { q.Signal = &n }),
}

// text is a parameter that any text is a value of.
func text(name, doc string, set func(*question, string)) param {
	return param{name, doc, ofText, nil, func(q *question, s string) error { set(q, s); return nil }}
}

// number is a parameter with a whole number from least to most.
func number(name, doc string, least, most int64, set func(*question, int64)) param {
	return param{name, doc, ofInteger, nil, func(q *question, s string) error {
		n, err := integer(s)
		if err != nil || n < least || n > most {
			return fmt.Errorf("want a whole number from %d to %d", least, most)
		}
		set(q, n)
		return nil
	}}
}

// moment is a parameter with a time.
func moment(name, doc string, set func(*question, float64)) param {
	return param{name, doc, ofTime, nil, func(q *question, s string) error {
		t, err := q.parseTime(s, q.now)
		if err != nil {
			return err
		}
		set(q, float64(t.UnixNano())/1e9)
		return nil
	}}
}

// word is a parameter with one of some words.
func word(name, doc string, choices []string, set func(*question, string)) param {
	return param{name, doc, ofText, choices, func(q *question, s string) error { set(q, s); return nil }}
}

// words is a parameter with a list of words, each of a set.
func words(name, doc string, choices []string, set func(*question, []string)) param {
	return param{name, doc, ofList, choices, func(q *question, s string) error { set(q, strings.Split(s, ",")); return nil }}
}

func integer(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) }

// parsePlainTime reads a time as programs write it.
func parsePlainTime(s string, _ time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, nil
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil && f >= 0 && f < 9e9 {
		return time.Unix(0, int64(f*1e9)), nil
	}
	return time.Time{}, fmt.Errorf("%q is not a time", s)
}

// read fills a question from a query string. The parameters are those that the endpoint takes: another is refused, as it
// would be asked in vain.
func read(q *question, values url.Values, params []param) error {
	for name, texts := range values {
		i := slices.IndexFunc(params, func(p param) bool { return p.name == name })
		if i < 0 {
			return badParameter(name, "there is no such parameter here", meant(name, namesOf(params)))
		}
		if len(texts) != 1 {
			return badParameter(name, "it is given more than once", "")
		}
		if err := params[i].read(q, texts[0]); err != nil {
			return err
		}
	}
	if q.Until > 0 && q.Until <= q.Since {
		return badParameter("until", "it is not after since", "")
	}
	return nil
}

// read reads the parameter's value.
func (p *param) read(q *question, value string) error {
	if value == "" {
		return badParameter(p.name, "it is empty", "leave it out to ask for all")
	}
	for _, word := range strings.Split(value, ",") {
		if p.choices != nil && !slices.Contains(p.choices, word) {
			return badParameter(p.name, fmt.Sprintf("%q is none of its values", word), meant(word, p.choices))
		}
	}
	if err := p.set(q, value); err != nil {
		hint := ""
		if p.kind == ofTime {
			hint = timeHint
		}
		return badParameter(p.name, err.Error(), hint)
	}
	return nil
}

// namesOf are the names of parameters.
func namesOf(params []param) []string {
	list := make([]string, len(params))
	for i, p := range params {
		list[i] = p.name
	}
	return list
}

// meant says which names there are, and which of them a wrong one was most likely meant as.
func meant(wrong string, names []string) string {
	if len(names) == 0 {
		return "there are none"
	}
	hint := "there are " + strings.Join(names, ", ")
	if like := term.Closest(wrong, names); len(like) > 0 {
		hint = "did you mean " + like[0] + "? " + hint
	}
	return hint
}
