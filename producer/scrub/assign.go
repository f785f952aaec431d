package scrub

import "strings"

// isMarker says which bytes markAssignments stops at.
var isMarker = [256]bool{'=': true, ':': true, ',': true, '>': true, ']': true, '(': true, '\'': true, '"': true}

// markAssignments masks the secret values in the word.
func (a *assigner) markAssignments() {
	a.spaces = hasSpace(a.at(a.word))
	for i := a.start; i < a.end; i++ {
		c := a.text[i]
		if !isMarker[c] {
			continue
		}
		end := 0
		switch c {
		case '=':
			if i+1 < a.end && a.text[i+1] == '=' { // a comparison or a pinned version
				i++
				continue
			}
			end = a.markAssignment(i)
		case ':':
			end = a.markAssignment(i)
		case ',':
			end = a.markArgument(i)
		case '>':
			end = a.markElement(i)
		case ']':
			if strings.HasPrefix(a.text[i:a.end], `] "`) && a.text[i-1] == '"' { // ["db"]["password"] "value"
				end = a.markAssignment(i + 1)
			}
		default:
			end = caller{a}.mark(i)
		}
		if end > i {
			i = end - 1
		}
	}
}

// markAssignment masks the value behind the separator at sep if the name before it says that it is secret.
// It returns where the value ends, or 0 when nothing was masked.
func (a *assigner) markAssignment(sep int) int {
	got, ok := a.assignmentAt(sep)
	if !ok {
		return 0
	}
	v := values{assigner: a, assignment: got}
	key := a.key(got.key)
	if role := roleOf(key); role != noRole {
		if end := v.markPair(role); end > 0 {
			return end
		}
	}
	switch s := a.scrubber.strength(key); {
	case s == vague && (got.before == '?' || got.before == '&') && isSignature(key):
		return v.mark(likely)
	case s != public:
		return v.mark(s)
	case isAccount(key):
		return v.markAccount()
	case key == "p" && a.isDSN(got.key.start):
		return v.mark(certain)
	}
	return 0
}

// isSignature reports whether a parameter of a query signs it.
func isSignature(key string) bool { return key == "sig" || key == "signature" || key == "token" }

// isDSN reports whether a host or a user is named among the 128 bytes before i, as in h=db1,u=bob,p=SECRET.
func (a *assigner) isDSN(i int) bool {
	before := a.text[max(a.start, i-128):i]
	return strings.HasSuffix(before, ",") && (strings.Contains(before, "u=") || strings.Contains(before, "h="))
}

// markArgument masks the value behind the comma at i if the quoted text before it names a secret: ("TOKEN", "value"),
// and in a list of arguments ["--token", "value"]. It returns where the value ends, or 0.
func (a *assigner) markArgument(i int) int {
	if i == a.start || a.text[i-1] != '"' && a.text[i-1] != '\'' {
		return 0
	}
	got, ok := a.assignmentAt(i)
	if !ok || got.spaced || got.before != a.text[i-1] {
		return 0
	}
	key := a.text[got.key.start:got.key.end]
	if k := got.key.start - 2; !strings.HasPrefix(key, "-") && (k < a.start || a.text[k] != '(' || !a.isSetter(k)) {
		return 0
	}
	v := values{assigner: a, assignment: got}
	if start, quote := v.start(); start >= a.end || quote == "" {
		return 0
	}
	if s := a.scrubber.strength(a.key(got.key)); s > located {
		return v.mark(s)
	}
	return 0
}

// isSetter reports whether the function whose name ends at i sets a value by its name.
func (a *assigner) isSetter(i int) bool {
	start := i
	for start > a.start && i-start < maxCallee && isKeyByte(a.text[start-1]) {
		start--
	}
	name := strings.ToLower(a.text[start:i])
	name = name[strings.LastIndexByte(name, '.')+1:]
	for _, part := range [...]string{"set", "put", "define", "header", "add", "append"} {
		if strings.HasPrefix(name, part) || strings.HasSuffix(name, part) {
			return true
		}
	}
	return false
}

// markElement masks the text behind the tag that ends at i, as in <password>SECRET</password>. It returns where
// the text ends, or 0.
func (a *assigner) markElement(i int) int {
	from := max(a.start, i-2*maxKey)
	open := strings.LastIndexByte(a.text[from:i], '<')
	if open < 0 {
		return 0
	}
	name := a.text[from+open+1 : i]
	name = name[:endOr(strings.IndexAny(name, " \t\n"), len(name))]
	if name == "" || strings.HasSuffix(a.text[from:i], "/") || name[0] == '/' {
		return 0
	}
	end := i + 1 + endOr(strings.IndexByte(a.text[i+1:a.end], '<'), 0)
	name = name[strings.IndexByte(name, ':')+1:]
	if s := a.scrubber.strength(name); s > located && a.markValue(s, i+1, end) {
		return end
	}
	return 0
}
