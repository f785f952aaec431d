package scrub

import (
	"encoding/base64"
	"strings"
)

// markShapes masks secrets that are known by how they look, wherever they stand.
func (l *shapeMarker) markShapes() {
	text := l.text
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c >= 128 || i > 0 && (isAlnum(text[i-1]) || text[i-1] == '_') {
			continue
		}
		switch {
		case c == 'e' && strings.HasPrefix(text[i:], "eyJ"):
			i = max(i, l.markJWT(i)-1)
		case c == '-' && strings.HasPrefix(text[i:], "-----BEGIN "):
			i = max(i, l.markPEM(i)-1)
		case c == '$':
			i = max(i, l.markHash(i)-1)
		case c == 'b' || c == 'B':
			l.markScheme(i)
		default:
			i = max(i, l.markKnown(i)-1, l.markToken(i)-1)
		}
	}
}

// markKnown masks a known shape at i and returns where it ends, or 0.
func (l shapeMarker) markKnown(i int) int {
	shapes := l.scrubber.shapes[l.text[i]]
	if len(shapes) == 0 || i+2 > len(l.text) {
		return 0
	}
	for k := range shapes {
		s := &shapes[k]
		if s.prefix[1] != l.text[i+1] {
			continue
		}
		n := s.matchLen(l.text[i:])
		if n == 0 {
			continue
		}
		start := i
		if s.keep {
			start += len(s.prefix)
		}
		for s.back && start > max(0, i-maxShape) && (isAlnum(l.text[start-1]) || strings.IndexByte(".:", l.text[start-1]) >= 0) {
			start--
		}
		l.mark(start, i+n)
		if s.prefix == "AKIA" || s.prefix == "ASIA" {
			return l.markPartner(i + n)
		}
		return i + n
	}
	return 0
}

// markPartner masks the 40 characters of the secret that stands next to an AWS key id ending at i.
func (l shapeMarker) markPartner(i int) int {
	rest := strings.TrimLeft(l.text[i:], " :,;/\"'")
	end := 0
	for end < len(rest) && isBase64(rest[end]) {
		end++
	}
	if end != 40 {
		return i
	}
	start := len(l.text) - len(rest)
	l.mark(start, start+end)
	return start + end
}

// markJWT masks a JSON Web Token at i, also one that was cut, and returns where it ends, or 0.
func (l shapeMarker) markJWT(i int) int {
	end := i
	for end < len(l.text) && dotted.has(l.text[end]) {
		end++
	}
	head, rest, ok := strings.Cut(l.text[i:end], ".")
	if !ok || len(head) < 12 || len(rest) < 4 {
		return 0
	}
	l.mark(i, end)
	return end
}

// markPEM masks a private key from its first line at i to its last, or to the end of the line.
func (l shapeMarker) markPEM(i int) int {
	const begin, last = "-----BEGIN ", "-----END "
	label, body, ok := strings.Cut(l.text[i+len(begin):], "-----")
	if !ok || !strings.Contains(label, "PRIVATE KEY") && !strings.Contains(label, "SEED") {
		return 0
	}
	end := len(l.text)
	if j := strings.Index(body, last); j >= 0 {
		end = len(l.text) - len(body) + j + len(last)
		if k := strings.Index(l.text[end:], "-----"); k >= 0 {
			end += k + len("-----")
		}
	}
	l.mark(i, end)
	return end
}

// markHash masks a hashed password like $6$salt$hash at i and returns where it ends, or 0.
func (l shapeMarker) markHash(i int) int {
	id, _, ok := strings.Cut(l.text[i+1:min(i+12, len(l.text))], "$")
	if !ok {
		return 0
	}
	switch id {
	case "1", "5", "6", "y", "2a", "2b", "2y", "7", "argon2i", "argon2id", "argon2d", "apr1", "scrypt":
	default:
		return 0
	}
	end := i + len(id) + 2
	for end < len(l.text) && (isBase64(l.text[end]) || strings.IndexByte("$.,", l.text[end]) >= 0) {
		end++
	}
	if end-i < 24 {
		return 0
	}
	l.mark(i, end)
	return end
}

// markScheme masks the credentials behind "Bearer " and "Basic " at i.
func (l shapeMarker) markScheme(i int) {
	scheme, rest, ok := strings.Cut(l.text[i:min(i+len("bearer ")+1, len(l.text))], " ")
	if !ok || rest == "" {
		return
	}
	start := i + len(scheme) + 1
	end := start
	for end < len(l.text) && (isBase64(l.text[end]) || dotted.has(l.text[end]) || l.text[end] == '~') {
		end++
	}
	value := l.text[start:end]
	switch {
	case strings.EqualFold(scheme, "bearer") && isRandom(value) && !isPath(value),
		strings.EqualFold(scheme, "basic") && isBasic(value):
		l.mark(start, end)
	}
}

// isBasic reports whether v is user:password in base64.
func isBasic(v string) bool {
	if len(v) < 8 {
		return false
	}
	plain, err := base64.StdEncoding.DecodeString(v)
	if err != nil {
		plain, err = base64.RawStdEncoding.DecodeString(strings.TrimRight(v, "="))
	}
	return err == nil && strings.Contains(string(plain), ":")
}
