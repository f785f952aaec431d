package scrub

import "strings"

// mark masks the value if it is secret, and returns where it ends, or 0 when nothing was masked.
func (v values) mark(got strength) int {
	start, quote := v.start()
	if start >= v.assigner.end {
		return 0
	}
	if v.isNested(start) {
		return v.markNested(got, start)
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
	if v.isVariable(start, end, quote) || !v.markValue(got, start, end) {
		return 0
	}
	return end
}

// start returns where the value starts, and the quote that opens it.
func (v values) start() (int, string) {
	i := v.assignment.sep + 1
	if i < v.assigner.end && v.text[i] == '>' {
		i++
	}
	after := i
	for after < v.assigner.end && isSpace(v.text[after]) {
		after++
	}
	quote := openingQuote(v.text[after:v.assigner.end])
	if quote == "" && after+1 < v.assigner.end && strings.IndexByte("bruNE@", v.text[after]) >= 0 { // N'text', b"text"
		if quote = openingQuote(v.text[after+1 : v.assigner.end]); quote != "" {
			after++
		}
	}
	if v.text[v.assignment.sep] != '=' || v.assignment.spaced || quote != "" {
		i = after
	} else {
		quote = openingQuote(v.text[i:v.assigner.end])
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
	for end := i; end < v.assigner.end; end++ {
		if v.text[end] == '\\' && quote == `"` {
			end++
			continue
		}
		if !strings.HasPrefix(v.text[end:v.assigner.end], quote) {
			continue
		}
		rest := end + len(quote)
		if rest == v.assigner.end || isSpace(v.text[rest]) || strings.IndexByte(`,;:&|)}]>"'\`, v.text[rest]) >= 0 {
			return end
		}
		return rest + endOr(strings.IndexAny(v.text[rest:v.assigner.end], " \t\r\n"), v.assigner.end-rest)
	}
	return -1
}

// end returns where an unquoted value ends, which depends on the list its key stands in.
func (v values) end(start int) int {
	rest := v.text[start:v.assigner.end]
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

// markNested masks the texts of a list that starts at i, and those of an object of secrets. It returns where the
// last of them ends, or 0.
func (v values) markNested(got strength, i int) int {
	isObject := v.text[i] == '{'
	if got < vague || isObject && !isPlural(v.key(v.assignment.key)) {
		return 0
	}
	end := 0
	for isValue := !isObject; ; isValue = !isValue || !isObject {
		i++
		i += len(v.text[i:v.assigner.end]) - len(strings.TrimLeft(v.text[i:v.assigner.end], " \t\r\n,:"))
		quote := openingQuote(v.text[i:v.assigner.end])
		if quote == "" {
			return end
		}
		closing := v.closing(i+len(quote), quote)
		if closing < 0 {
			return end
		}
		if isValue && v.markValue(likely, i+len(quote), closing) {
			end = closing
		}
		i = closing + len(quote) - 1
	}
}

// isPlural reports whether a key names a collection of secrets, each with a name of its own.
func isPlural(key string) bool {
	switch strings.ToLower(key) {
	case "secrets", "stringdata", "string_data", "passwords", "tokens", "credentials":
		return true
	}
	return false
}

// isColonSecret reports whether unquoted text behind "key:" is a value, not prose, a tag, or a task's name.
func (v values) isColonSecret(got strength, start, end int) bool {
	value := v.text[start:end]
	switch {
	case v.assignment.quoted:
		return true
	case isNumbers(value) && strings.ContainsAny(value, ".:/"), isTaskVerb(value), got == access && isCommitID(value), start > v.assignment.sep+1 && isVerdict(value):
		return false
	case got >= turn && start == v.assignment.sep+1:
		return !isPath(value)
	case got >= likely && (v.header || isKeyName(v.text[v.assignment.key.start:v.assignment.key.end])):
		return true
	case got >= likely && start > v.assignment.sep+1 && v.endsLine(end) && !hasSpace(value):
		return true
	case got >= likely && isVariableName(v.text[v.assignment.key.start:v.assignment.key.end]) && start == v.assignment.sep+1 && !isVerdict(value):
		return true
	case got >= likely && (isChosen(value) || v.assignment.before == '{' && v.endsLine(end)):
		return true
	case got >= likely && strings.IndexByte("-/", v.text[v.assignment.key.start]) >= 0 || v.assignment.before == '/':
		return true
	}
	return isRandom(value) || got >= turn && strings.ContainsAny(value, "0123456789!@#$%^*")
}

// isKeyName reports whether a key ends in "key", as no program's or task's name does.
func isKeyName(key string) bool { return len(key) > 3 && strings.EqualFold(key[len(key)-3:], "key") }

// endsLine reports whether a value that ends at i is the last of its line, its string or its object.
func (v values) endsLine(i int) bool {
	return i == v.assigner.end || strings.IndexByte("\r\n}\"'", v.text[i]) >= 0 || v.assignment.before == '{' && v.text[i] == ','
}

// isCommitID reports whether v has the form of a commit's id, as the tag of an image has: auth:ID.
func isCommitID(v string) bool { return len(v) == 40 && strings.Trim(v, "0123456789abcdef") == "" }

// isVerdict reports whether v begins a sentence about a secret: "API_KEY: not set".
func isVerdict(v string) bool {
	switch v[:endOr(strings.IndexAny(v, " \"'"), len(v))] {
	case "not", "is", "was", "has", "must", "missing", "required", "invalid", "expired", "undefined", "empty", "found", "wrong", "unset":
		return true
	}
	return false
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
