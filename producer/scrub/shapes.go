package scrub

import "strings"

// An alphabet says which characters a secret is made of.
type alphabet int

const (
	alnum       alphabet = iota // letters and digits
	urlsafe                     // letters, digits, "_" and "-"
	dotted                      // letters, digits, "_", "-" and "."
	hexLower                    // 0-9 and a-f
	base32                      // A-Z and 0-9
	base64Chars                 // letters, digits, "+", "/" and "="
	segments                    // letters, digits, "_", "-", ":", "@" and "/"
)

// has reports whether c belongs to the alphabet.
func (a alphabet) has(c byte) bool {
	switch a {
	case alnum:
		return isAlnum(c)
	case urlsafe:
		return isAlnum(c) || c == '_' || c == '-'
	case dotted:
		return isAlnum(c) || c == '_' || c == '-' || c == '.'
	case hexLower:
		return isDigit(c) || 'a' <= c && c <= 'f'
	case base32:
		return isDigit(c) || isUpper(c)
	case base64Chars:
		return isBase64(c)
	default:
		return isAlnum(c) || c == '_' || c == '-' || c == ':' || c == '/' || c == '@'
	}
}

// A shape is a kind of secret that is known by its beginning.
type shape struct {
	prefix string // two bytes at least
	chars  alphabet
	min    int  // least number of characters behind the prefix
	exact  bool // and not one more
	random bool // the prefix alone is too common: the rest has to look random
	keep   bool // the prefix is no part of the secret
	back   bool // the secret began before the prefix
}

// maxShape is how many bytes decide whether text has a shape.
const maxShape = 256

// A shapeIndex holds shapes by their first byte.
type shapeIndex [128][]shape

func indexShapes(shapes []shape) shapeIndex {
	var index shapeIndex
	for _, s := range shapes {
		index[s.prefix[0]] = append(index[s.prefix[0]], s)
	}
	return index
}

// matchLen returns how many bytes at the start of text have this shape, or 0.
func (s *shape) matchLen(text string) int {
	if !strings.HasPrefix(text, s.prefix) {
		return 0
	}
	end := s.run(text, len(s.prefix), min(maxShape, len(text)))
	body := text[len(s.prefix):end]
	switch {
	case len(body) < s.min, s.exact && (len(body) > s.min || end < len(text) && isAlnum(text[end])):
		return 0
	case s.random && !(isRandom(body) && hasMixedCase(body)):
		return 0
	}
	return s.run(text, end, len(text))
}

// run returns where the characters of the shape that start at i end, at the latest at limit.
func (s *shape) run(text string, i, limit int) int {
	for i < limit && s.chars.has(text[i]) {
		i++
	}
	return i
}
