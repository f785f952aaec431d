package scrub

import "strings"

// markAssignments masks secret values in key=value and key: value, wherever they stand in w: in options,
// properties, lists, queries, headers, statements and scripts. In a script white space ends every value;
// otherwise the value of a key at the start of w may hold some.
func (l *line) markAssignments(w word, script bool) {
	for i := w.start; i < w.end; i++ {
		c := l.text[i]
		if c != '=' && c != ':' {
			continue
		}
		if c == '=' && i+1 < w.end && l.text[i+1] == '=' { // a comparison or a pinned version
			i++
			continue
		}
		a, ok := l.assignmentAt(w, i)
		if !ok {
			continue
		}
		got := l.scrubber.strength(l.key(a.key))
		if got == public {
			continue
		}
		v := values{line: l, word: w, assignment: a, script: script, spaces: hasSpace(l.at(w))}
		if end := v.mark(got); end > i {
			i = end - 1
		}
	}
}

// key returns the text of a key without the dashes, or the "-D", of an option.
func (l *line) key(s span) string {
	key := l.text[s.start:s.end]
	if strings.HasPrefix(key, "-D") {
		return key[2:]
	}
	return strings.TrimLeft(key, "-")
}

// assignmentAt reads the key that ends before the separator at sep. It reports false when there is none,
// and when a colon there is part of an address, a path or a name.
func (l *line) assignmentAt(w word, sep int) (assignment, bool) {
	a := assignment{sep: sep}
	i := sep
	if l.text[sep] == '=' && i > w.start && (l.text[i-1] == ':' || l.text[i-1] == '+') {
		i--
	}
	for ; i > w.start && (l.text[i-1] == ' ' || l.text[i-1] == '\t'); i-- {
		a.spaced = true
	}
	for ; i > w.start && strings.IndexByte(`"'\]`, l.text[i-1]) >= 0; i-- {
		a.quoted = true
	}
	a.key.end = i
	for i > w.start && isKeyByte(l.text[i-1]) && a.key.end-i < 2*maxKey {
		i--
	}
	a.key.start = i
	if i > w.start {
		a.before = l.text[i-1]
	}
	ok := a.key.start < a.key.end && (l.text[sep] == '=' || l.mayPrecedeColon(w, a))
	return a, ok
}

func (l *line) mayPrecedeColon(w word, a assignment) bool {
	switch {
	case strings.HasPrefix(l.text[a.sep:w.end], "://"), a.spaced && !a.quoted:
		return false
	case a.before == '/':
		return a.key.start == w.start+1 // the option of a program that came from Windows
	}
	return a.before == 0 || strings.IndexByte(" \t\n\r\"'`{,;&?([=\\", a.before) >= 0
}

func isKeyByte(c byte) bool { return isAlnum(c) || c == '_' || c == '-' || c == '.' }

// mark masks the value if it is secret, and returns where it ends, or 0 when nothing was masked.
func (v values) mark(got strength) int {
	start, quote := v.start()
	if start >= v.word.end {
		return 0
	}
	end := v.end(start)
	switch {
	case quote != "":
		start += len(quote)
		end = v.closing(start, quote)
	case v.text[v.assignment.sep] == ':':
		if isHeader(v.text[v.assignment.key.start:v.assignment.key.end]) {
			return v.markHeader(start)
		}
		if !v.isColonSecret(got, start, end) {
			return 0
		}
	case v.spaces:
		end = start + len(strings.TrimRight(v.text[start:end], ";,"))
	}
	if v.isNested(start) || v.isVariable(start, end, quote) || !v.markValue(got, start, end) {
		return 0
	}
	return end
}

// start returns where the value starts, and the quote that opens it.
func (v values) start() (int, string) {
	i := v.assignment.sep + 1
	if i < v.word.end && v.text[i] == '>' {
		i++
	}
	after := i
	for after < v.word.end && isSpace(v.text[after]) {
		after++
	}
	quote := openingQuote(v.text[after:v.word.end])
	if v.text[v.assignment.sep] == ':' || v.assignment.spaced || quote != "" {
		i = after
	} else {
		quote = openingQuote(v.text[i:v.word.end])
	}
	if quote != "" && v.closing(i+len(quote), quote) < 0 {
		quote = ""
	}
	return i, quote
}

func openingQuote(s string) string {
	for _, quote := range [...]string{`\"`, `\'`, `"`, `'`} {
		if strings.HasPrefix(s, quote) {
			return quote
		}
	}
	return ""
}

// closing returns where the quoted text that starts at i ends, or -1. Text that is glued to the quote belongs to it.
func (v values) closing(i int, quote string) int {
	for end := i; end < v.word.end; end++ {
		if v.text[end] == '\\' && quote == `"` {
			end++
			continue
		}
		if !strings.HasPrefix(v.text[end:v.word.end], quote) {
			continue
		}
		rest := end + len(quote)
		if rest == v.word.end || isSpace(v.text[rest]) || strings.IndexByte(`,;:&|)}]>"'\`, v.text[rest]) >= 0 {
			return end
		}
		return rest + endOr(strings.IndexAny(v.text[rest:v.word.end], " \t\r\n"), v.word.end-rest)
	}
	return -1
}

// end returns where an unquoted value ends, which depends on the list its key stands in.
func (v values) end(start int) int {
	rest := v.text[start:v.word.end]
	stop := -1
	switch before := v.assignment.before; before {
	case '&', '?':
		stop = strings.IndexAny(rest, "&# \t\r\n\"'`")
	case ';':
		if stop = strings.IndexAny(rest, ";\"'"); stop < 0 && v.script {
			stop = strings.IndexAny(rest, " \t\r\n")
		}
	case ',':
		stop = strings.IndexAny(rest, ", \t\r\n")
	case '{', '(', '[':
		stop = strings.IndexAny(rest, ",)}] \t\r\n")
	case '"', '\'':
		if stop = strings.IndexByte(rest, before); stop < 0 {
			stop = strings.IndexAny(rest, " \t\r\n")
		}
	default:
		stop = v.plainEnd(rest)
	}
	return start + endOr(stop, len(rest))
}

// plainEnd returns the length of a value in no list: up to white space, or all of rest when that seems meant.
func (v values) plainEnd(rest string) int {
	space := endOr(wordLen(rest), len(rest))
	if !v.spaces || !v.script && v.assignment.before == 0 && !strings.Contains(rest[space:], "=") {
		return -1
	}
	if quote := strings.IndexAny(rest[:space], "\"'`"); quote > 0 {
		return quote
	}
	return space
}

// wordLen returns the place of the first white space that has no backslash before it, or -1.
func wordLen(s string) int {
	for i := range len(s) {
		if isSpace(s[i]) && (i == 0 || s[i-1] != '\\') {
			return i
		}
	}
	return -1
}

// isNested reports whether an object or a list starts at i; its members are looked at on their own.
func (v values) isNested(i int) bool {
	return (v.assignment.quoted || v.text[v.assignment.sep] == ':') && (v.text[i] == '{' || v.text[i] == '[')
}

// isColonSecret reports whether unquoted text behind "key:" is a value, not prose, a tag, or a task's name.
func (v values) isColonSecret(got strength, start, end int) bool {
	value := v.text[start:end]
	switch {
	case v.assignment.quoted:
		return true
	case isNumbers(value) && strings.ContainsAny(value, ".:/"), isTaskVerb(value):
		return false
	case got == certain && start == v.assignment.sep+1:
		return !isPath(value)
	case got >= likely && start > v.assignment.sep+1 && end == v.word.end && !hasSpace(value):
		return true
	}
	return isRandom(value) || got == certain && strings.ContainsAny(value, "0123456789!@#$%^*")
}

// isTaskVerb reports whether v is the second half of a task's name, as in password:reset.
func isTaskVerb(v string) bool {
	switch v[:endOr(strings.IndexAny(v, "-_:"), len(v))] {
	case "reset", "change", "generate", "gen", "update", "rotate", "show", "set", "hash", "check", "expire", "create", "list", "delete", "revoke",
		"latest", "stable", "edge", "refresh", "string", "str":
		return true
	}
	return false
}
