package scrub

import "strings"

// A role is what a key says about a pair that is written as two assignments, as in "name": "TOKEN", "value": "…".
type role int

const (
	noRole role = iota
	nameRole
	valueRole
)

// roleOf returns the role of a key.
func roleOf(key string) role {
	key = key[strings.LastIndexByte(key, '.')+1:]
	if len(key) > len("parametervalue") {
		return noRole
	}
	var lower [16]byte
	for i := range len(key) {
		lower[i] = toLower(key[i])
	}
	switch string(lower[:len(key)]) {
	case "name", "key", "parameterkey", "variable", "field", "header":
		return nameRole
	case "value", "val", "parametervalue":
		return valueRole
	}
	return noRole
}

// markPair reads one half of a pair and masks the value when both are known. It returns where a masked value ends, or 0.
func (v values) markPair(r role) int {
	start, end := v.bounds()
	if start >= end {
		return 0
	}
	near := v.isNear(v.pair.end, start)
	if r == nameRole {
		name := strings.Trim(v.text[start:end], `"'\`)
		got := public
		if len(name) <= maxKey && !strings.ContainsAny(name, "/ \t\n") {
			got = v.scrubber.strength(name)
		}
		if got < likely {
			v.pair = pair{}
			return 0
		}
		if near && v.pair.value.end > 0 {
			v.markValue(got, v.pair.value.start, v.pair.value.end)
		}
		v.pair = pair{name: got, end: end}
		return 0
	}
	got := v.pair.name
	v.pair = pair{end: end, value: span{start, end}}
	if near && got != public && v.markValue(got, start, end) {
		v.pair = pair{}
		return end
	}
	return 0
}

// bounds returns where the value starts and ends; in a list of assignments it ends at the comma.
func (v values) bounds() (start, end int) {
	start, quote := v.start()
	if start >= v.assigner.end {
		return 0, 0
	}
	if quote != "" {
		start += len(quote)
		return start, v.closing(start, quote)
	}
	end = v.end(start)
	return start, start + endOr(strings.IndexAny(v.text[start:end], ",;&|\n"), end-start)
}

// isNear reports whether only a key stands between two halves of a pair.
func (v values) isNear(end, start int) bool {
	return end > 0 && end < start && start-end < 2*maxKey && !strings.ContainsAny(v.text[end:start], "{}<")
}

// isAccount reports whether a key names a user, whose password may stand behind "%" or ":" in the same value.
func isAccount(key string) bool { return key == "user" || key == "username" || key == "login" }

// markAccount masks the password in user%SECRET and user:SECRET. It returns where it ends, or 0.
func (v values) markAccount() int {
	start, end := v.bounds()
	if start >= end {
		return 0
	}
	value := v.text[start:end]
	i := strings.IndexAny(value, "%:")
	if i <= 0 || value[i] == ':' && (v.text[v.assignment.sep] == ':' || isNumberPair(value)) ||
		value[i] == '%' && strings.IndexByte("?&", v.assignment.before) >= 0 && v.assignment.before != 0 {
		return 0
	}
	if value[i] == ':' && !isChosen(value[i+1:]) && !isRandom(value[i+1:]) && v.assignment.before != ',' && v.assignment.before != 0 {
		return 0
	}
	if v.markValue(certain, start+i+1, end) {
		return end
	}
	return 0
}
