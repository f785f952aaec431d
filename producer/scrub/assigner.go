package scrub

import "strings"

// An assigner finds names and their values in one word, wherever they stand: in options, properties, lists, queries,
// headers, statements, markup and scripts.
type assigner struct {
	*line
	word
	script bool // white space ends every value; otherwise the value of a name at the start of the word may hold some
	header bool // the word is an HTTP header
	spaces bool // the word holds white space
	pair   pair
}

// A pair is the half that was read of such a pair.
type pair struct {
	name  strength // what the name says about the value
	end   int      // where the name or the value ends
	value span     // the value, if it came first
}

// key returns the text of a key without the dashes, or the "-D", of an option.
func (a *assigner) key(s span) string {
	key := a.text[s.start:s.end]
	if strings.HasPrefix(key, "-D") {
		return key[2:]
	}
	return strings.TrimLeft(key, "-")
}

// assignmentAt reads the key that ends before the separator at sep. It reports false when there is none,
// and when a colon there is part of an address, a path or a name.
func (a *assigner) assignmentAt(sep int) (assignment, bool) {
	got := assignment{sep: sep}
	i := sep
	if a.text[sep] == '=' && i > a.start && (a.text[i-1] == ':' || a.text[i-1] == '+') {
		i--
	}
	for ; i > a.start && (a.text[i-1] == ' ' || a.text[i-1] == '\t'); i-- {
		got.spaced = true
	}
	for ; i > a.start && strings.IndexByte(`"'\]}`, a.text[i-1]) >= 0; i-- {
		if a.text[i-1] == '}' && a.text[sep] == ':' {
			return got, false
		}
		got.quoted = true
	}
	got.key.end = i
	for i > a.start && isKeyByte(a.text[i-1]) && got.key.end-i < 2*maxKey {
		i--
	}
	got.key.start = i
	if i > a.start {
		got.before = a.text[i-1]
	}
	ok := got.key.start < got.key.end && (a.text[sep] != ':' || a.mayPrecedeColon(got))
	return got, ok
}

func (a *assigner) mayPrecedeColon(got assignment) bool {
	switch {
	case strings.HasPrefix(a.text[got.sep:a.end], "://"), strings.HasPrefix(a.text[got.sep:a.end], "::"), got.spaced && !got.quoted:
		return false
	case got.before == '/':
		return got.key.start == a.start+1 // the option of a program that came from Windows
	}
	return got.before == 0 || strings.IndexByte(" \t\n\r\"'`{,;&?([=\\", got.before) >= 0
}

func isKeyByte(c byte) bool { return isAlnum(c) || c == '_' || c == '-' || c == '.' || c >= 128 }

// An assignment is a key, "=" or ":", and what follows.
type assignment struct {
	key    span
	before byte // what precedes the key, 0 at the start of the argument
	quoted bool // the key is in quotes
	spaced bool // there is white space before the separator
	sep    int  // where the separator is
}
