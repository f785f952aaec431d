package scrub

import "strings"

// maxSubcommand is how many words hold a program's subcommand.
const maxSubcommand = 8

// optionMarker masks the secrets in the options and positions that are known of a command's program.
type optionMarker struct{ *command }

// markToolOption masks the value of an option that only the current program has. It reports whether the
// word is such an option.
func (c optionMarker) markToolOption(i int, text string) bool {
	if c.tool == nil || i == c.start || len(text) < 2 || text[0] != '-' && text[0] != '/' {
		return false
	}
	name, _, hasValue := strings.Cut(text, "=")
	hasValue = hasValue && strings.HasPrefix(text, "--")
	if o, ok := c.option(name); ok && (hasValue || name == text) {
		if hasValue {
			c.markPart(o.part, c.words[i].start+len(name)+1, c.words[i].end)
		} else {
			c.markNext(i, o)
		}
		return true
	}
	switch {
	case strings.HasPrefix(text, "--"):
		return false
	case c.tool.takes != "":
		return c.markCluster(i, text)
	}
	return c.markAttached(i, text)
}

// option returns what is known of the option called name, if it counts here.
func (c optionMarker) option(name string) (option, bool) {
	for _, o := range c.tool.options {
		if o.name == name && c.counts(o) {
			return o, true
		}
	}
	return option{}, false
}

// counts reports whether the word that the option needs is among the first ones of the command.
func (c optionMarker) counts(o option) bool {
	if o.only == "" {
		return true
	}
	for _, w := range c.words[c.start:min(c.start+maxSubcommand, len(c.words))] {
		if c.at(w) == o.only {
			return true
		}
	}
	return false
}

// markNext masks the value behind the option o at word i.
func (c optionMarker) markNext(i int, o option) {
	switch o.form {
	case attached:
		return
	case last:
		c.markLast(i, o.part)
		return
	}
	if j := c.next(i); j >= 0 && !c.isVariable(j) {
		c.markPart(o.part, c.words[j].start, c.words[j].end)
	}
}

// markAttached masks the value that is glued to a short option.
func (c optionMarker) markAttached(i int, text string) bool {
	for _, o := range c.tool.options {
		if o.form == separate || o.form == last || strings.HasPrefix(o.name, "--") || len(text) <= len(o.name) || !strings.HasPrefix(text, o.name) || !c.counts(o) {
			continue
		}
		start := c.words[i].start + len(o.name)
		if text[len(o.name)] == ':' || text[len(o.name)] == '=' {
			start++
		}
		c.markPart(o.part, start, c.words[i].end)
		return true
	}
	return false
}

// markCluster reads short options that are glued together, up to the first that takes an argument.
func (c optionMarker) markCluster(i int, text string) bool {
	for k := 1; k < len(text); k++ {
		o, ok := c.option("-" + text[k:k+1])
		switch {
		case ok && o.form == last:
			c.markLast(i, o.part)
			return true
		case ok && k+1 == len(text):
			c.markNext(i, o)
			return true
		case ok:
			c.markPart(o.part, c.words[i].start+k+1, c.words[i].end)
			return true
		case strings.IndexByte(c.tool.takes, text[k]) >= 0:
			return false
		}
	}
	return false
}

// markLast masks the last word of the command, if it is no option.
func (c optionMarker) markLast(i int, p part) {
	end := i + 1
	for end < len(c.words) && !c.words[end].first {
		end++
	}
	if w := c.words[end-1]; end-1 > i && !strings.HasPrefix(c.at(w), "-") {
		c.markPart(p, w.start, w.end)
	}
}

// markPositions masks the arguments that are secret by their place behind word i.
func (c optionMarker) markPositions(i int, text string) {
	for _, p := range c.tool.positions {
		if p.after == "" && i != c.start || p.after != "" && (i == c.start || text != p.after) {
			continue
		}
		switch p.nth {
		case -1:
			c.markLast(i, p.part)
		case second:
			c.markSecond(i, p.part)
		default:
			c.markNth(i, p)
		}
	}
}

// markSecond masks the second word behind word i, if neither that nor the one before it is an option.
func (c optionMarker) markSecond(i int, p part) {
	if i+2 >= len(c.words) || c.words[i+1].first || c.words[i+2].first {
		return
	}
	if a, b := c.at(c.words[i+1]), c.at(c.words[i+2]); !strings.HasPrefix(a, "-") && !strings.HasPrefix(b, "-") {
		c.markPart(p, c.words[i+2].start, c.words[i+2].end)
	}
}

// markNth masks the nth plain word behind word i, or all for 0.
func (c optionMarker) markNth(i int, p position) {
	left := p.nth
	for j := i + 1; j < len(c.words) && !c.words[j].first; j++ {
		if strings.HasPrefix(c.at(c.words[j]), "-") {
			continue
		}
		if left--; left > 0 {
			continue
		}
		c.markPart(p.part, c.words[j].start, c.words[j].end)
		if p.nth > 0 {
			return
		}
	}
}
