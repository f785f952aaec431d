package top

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Filter picks rows. The zero Filter picks all.
//
// Its text is a list of terms, all of which must hold: word (the command has it), key=value, key!=value, key~regex, key>number and its
// kin, ~regex of the command, a|b for one of several, -term for what it does not pick, and quotes around what holds spaces.
type Filter struct {
	text  string
	terms []func(*Row, *names) bool
}

// FilterError says what of a filter's text cannot be read, and where it begins, in bytes.
type FilterError struct {
	At   int
	What string
}

func (e *FilterError) Error() string { return e.What }

// ParseFilter reads a filter. It returns a *FilterError when it cannot.
func ParseFilter(text string) (Filter, error) {
	f := Filter{text: text}
	for i := 0; i < len(text); {
		if text[i] == ' ' {
			i++
			continue
		}
		word, quoted, next, err := nextWord(text, i)
		if err != nil {
			return Filter{}, err
		}
		pick, err := parseTerm(word, quoted)
		if err != nil {
			return Filter{}, &FilterError{i, err.Error()}
		}
		f.terms = append(f.terms, pick)
		i = next
	}
	return f, nil
}

// picks reports whether the filter picks a row.
func (f *Filter) picks(r *Row, n *names) bool {
	for _, t := range f.terms {
		if !t(r, n) {
			return false
		}
	}
	return true
}

// nextWord reads a word of the text from i on, without its quotes. It tells whether it began with one, and where the next begins.
func nextWord(text string, i int) (word string, quoted bool, next int, err error) {
	var b strings.Builder
	quoted = text[i] == '"'
	open := -1
	for j := i; j < len(text); j++ {
		switch c := text[j]; {
		case c == '"' && open < 0:
			open = j
		case c == '"':
			open = -1
		case c == ' ' && open < 0:
			return b.String(), quoted, j, nil
		default:
			b.WriteByte(c)
		}
	}
	if open >= 0 {
		return "", false, 0, &FilterError{open, "the quote is not closed"}
	}
	return b.String(), quoted, len(text), nil
}

var termForm = regexp.MustCompile(`^([a-z]+)(!=|>=|<=|=|>|<|~)(.*)$`)

// parseTerm reads one term.
func parseTerm(word string, quoted bool) (func(*Row, *names) bool, error) {
	if quoted {
		return hasWord(word), nil
	}
	if rest, not := strings.CutPrefix(word, "-"); not && rest != "" {
		pick, err := parseTerm(rest, false)
		return func(r *Row, n *names) bool { return !pick(r, n) }, err
	}
	if expression, is := strings.CutPrefix(word, "~"); is {
		return matches(columnNamed("command"), expression)
	}
	m := termForm.FindStringSubmatch(word)
	if m == nil {
		return hasWord(word), nil
	}
	c := columnNamed(m[1])
	switch {
	case c == nil:
		return nil, fmt.Errorf("there is no column %q: quote a word that holds %s", m[1], m[2])
	case m[3] == "":
		return nil, fmt.Errorf("%s%s wants a value", m[1], m[2])
	case m[2] == "~":
		return matches(c, m[3])
	case c.number != nil:
		return compares(c, m[2], m[3])
	case m[2] != "=" && m[2] != "!=":
		return nil, fmt.Errorf("%s is text: it takes = != and ~", m[1])
	}
	return equals(c, m[2] == "!=", strings.Split(m[3], "|")), nil
}

// hasWord picks the rows whose command has one of the words.
func hasWord(text string) func(*Row, *names) bool {
	words := strings.Split(text, "|")
	return func(r *Row, _ *names) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(r.Command, w) })
	}
}

func matches(c *Column, expression string) (func(*Row, *names) bool, error) {
	re, err := regexp.Compile(expression)
	if err != nil {
		return nil, fmt.Errorf("%q is not a regular expression", expression)
	}
	return func(r *Row, n *names) bool { return re.MatchString(c.plain(r, n)) }, nil
}

// equals picks rows by a text: a job with or without its step, a control group with those below it.
func equals(c *Column, not bool, values []string) func(*Row, *names) bool {
	return func(r *Row, n *names) bool {
		text := c.plain(r, n)
		is := slices.Contains(values, text) || c.Name == "job" && r.JobID != nil && slices.Contains(values, *r.JobID) ||
			c.Name == "cgroup" && slices.ContainsFunc(values, func(v string) bool { return strings.HasPrefix(text, strings.TrimSuffix(v, "/")+"/") })
		return is != not
	}
}

// plain is a row's text in the column, as a filter compares it.
func (c *Column) plain(r *Row, n *names) string {
	if c.number == nil {
		return c.text(r, n)
	}
	v, known := c.value(r)
	if !known {
		return unknownFigure
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// compares picks rows by a number. What is not known is picked by none.
func compares(c *Column, operator, text string) (func(*Row, *names) bool, error) {
	var values []float64
	for _, part := range strings.Split(text, "|") {
		v, err := c.unit.parse(part)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	holds := func(v, want float64) bool {
		switch operator {
		case "=", "!=":
			return v == want
		case ">":
			return v > want
		case ">=":
			return v >= want
		case "<":
			return v < want
		}
		return v <= want
	}
	return func(r *Row, _ *names) bool {
		v, known := c.value(r)
		some := slices.ContainsFunc(values, func(want float64) bool { return holds(v, want) })
		return known && some == (operator != "!=")
	}, nil
}

// parse reads a number with its unit: sizes as 512M or 1.5G, spans as 90s, 5m, 2h or 1d.
func (u unit) parse(text string) (float64, error) {
	number, factor := text, 1.0
	if n := len(text) - 1; n > 0 {
		var scale map[byte]float64
		switch u {
		case mebibytes:
			scale = map[byte]float64{'K': 1.0 / 1024, 'k': 1.0 / 1024, 'M': 1, 'm': 1, 'G': 1024, 'g': 1024, 'T': 1 << 20, 't': 1 << 20}
		case seconds:
			scale = map[byte]float64{'s': 1, 'm': 60, 'h': 3600, 'd': 86400}
		case percents:
			scale = map[byte]float64{'%': 1}
		}
		if f, ok := scale[text[n]]; ok {
			number, factor = text[:n], f
		}
	}
	v, err := strconv.ParseFloat(number, 64)
	if err != nil || v != v {
		return 0, fmt.Errorf("%q is not a number", text)
	}
	return v * factor, nil
}
