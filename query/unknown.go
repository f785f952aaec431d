package query

import (
	"bytes"
	"cmp"
	"slices"
)

// NullUnknown writes null for what is unknown in JSON that encoding/json made: in an object with the key unknown, a list of keys, for the values of
// those keys. What an answer holds for want of a better value, such as 0, is then not read as a fact. JSON without such an object is returned
// as it is.
func NullUnknown(text []byte) []byte {
	if !bytes.Contains(text, []byte(`"unknown":["`)) {
		return text
	}
	u := unknownValues{text: text}
	for at := 0; at < len(text); {
		at = u.endOfValue(at) + 1 // behind the line's end
	}
	slices.SortFunc(u.places, func(a, b piece) int { return cmp.Compare(a.from, b.from) })
	out, at := make([]byte, 0, len(text)+len("null")*len(u.places)), 0
	for _, p := range u.places {
		if p.from < at { // in one that is unknown itself
			continue
		}
		out = append(append(out, text[at:p.from]...), "null"...)
		at = p.to
	}
	return append(out, text[at:]...)
}

// piece is a part of a text, in bytes.
type piece struct{ from, to int }

// unknownValues finds where the values of unknown keys stand. It checks nothing: the text is what encoding/json wrote, or a part of it.
type unknownValues struct {
	text    []byte
	places  []piece
	members []member // those of the objects that are open, the innermost object's last
}

// member is a member of an object: its key, with the quotes, and its value.
type member struct{ key, value piece }

// endOfValue finds the end of the value that begins at a place.
func (u *unknownValues) endOfValue(at int) int {
	switch at = u.skip(at); u.byteAt(at) {
	case '{':
		return u.endOfObject(at + 1)
	case '[':
		for at++; u.more(&at, ']'); {
			at = u.endOfValue(at)
		}
		return at
	case '"':
		return u.stringEnd(at)
	case 0:
		return at
	}
	for at++; ; at++ { // a number or a word
		switch u.byteAt(at) {
		case ',', ']', '}', '\n', 0:
			return at
		}
	}
}

// endOfObject finds the end of the object whose first member begins at a place, and which of its values are unknown.
func (u *unknownValues) endOfObject(at int) int {
	first := len(u.members)
	var unknown piece
	for u.more(&at, '}') {
		key := piece{at, u.stringEnd(at)}
		from := u.skip(key.to)
		at = u.endOfValue(from)
		u.members = append(u.members, member{key, piece{from, at}})
		if string(u.text[key.from:key.to]) == `"unknown"` {
			unknown = piece{from, at}
		}
	}
	for i := unknown.from + 1; i < unknown.to && u.more(&i, ']'); {
		key := u.text[i:u.stringEnd(i)]
		for _, m := range u.members[first:] {
			if bytes.Equal(u.text[m.key.from:m.key.to], key) {
				u.places = append(u.places, m.value)
			}
		}
		i += max(len(key), 1)
	}
	u.members = u.members[:first]
	return at
}

// more moves at to the next member or element, and reports whether there is one. Without one at is behind the closing bracket.
func (u *unknownValues) more(at *int, closing byte) bool {
	*at = u.skip(*at)
	if b := u.byteAt(*at); b != closing && b != 0 {
		return true
	}
	*at = min(*at+1, len(u.text))
	return false
}

// stringEnd is where the string ends whose quote stands at a place.
func (u *unknownValues) stringEnd(at int) int {
	for i := at + 1; i < len(u.text); i++ {
		switch u.text[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return len(u.text)
}

// skip goes over what stands between values.
func (u *unknownValues) skip(at int) int {
	for {
		switch u.byteAt(at) {
		case ' ', '\n', '\t', ',', ':':
			at++
		default:
			return at
		}
	}
}

// byteAt is 0 behind the end.
func (u *unknownValues) byteAt(at int) byte {
	if at < len(u.text) {
		return u.text[at]
	}
	return 0
}
