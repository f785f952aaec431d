package scrub

import (
	"bytes"
	"encoding/base64"
	"strings"
	"unicode/utf8"
)

// minToken is how long a token without a known beginning is at least.
const minToken = 36

// markToken masks a token at i that only its make tells: a vendor's short prefix and a long random rest, or two long
// hexadecimal numbers with a colon between. It returns where it ends, or 0.
func (l *shapeMarker) markToken(i int) int {
	if i < l.seen || !isAlnum(l.text[i]) {
		return 0
	}
	end := i + 1
	for end < len(l.text) && urlsafe.has(l.text[end]) {
		end++
	}
	l.seen = end
	if end-i < 32 || i > 0 && strings.IndexByte(" \t\n=,;(\"'`", l.text[i-1]) < 0 {
		return l.markBot(i, end)
	}
	if second := l.markPair(i, end); second > 0 {
		return second
	}
	if end-i < minToken || end < len(l.text) && strings.IndexByte(".:/@+", l.text[end]) >= 0 {
		return 0
	}
	cut := strings.IndexAny(l.text[i:end], "_-")
	if cut < 2 || cut > 12 || strings.HasPrefix(l.text[i:end], "sha") || !isVendorToken(l.text[i+cut+1:end]) {
		return 0
	}
	l.mark(i, end)
	return end
}

// isVendorToken reports whether v has a piece of at least 28 letters of both cases and digits that looks random.
func isVendorToken(v string) bool {
	for piece := range strings.FieldsFuncSeq(v, func(r rune) bool { return r == '_' || r == '-' }) {
		if len(piece) >= 28 && hasMixedCase(piece) && strings.ContainsAny(piece, "0123456789") && isRandom(piece) {
			return true
		}
	}
	return false
}

// markPair masks two hexadecimal numbers of at least 32 digits, of which the first ends at end. An account's number may
// have two letters in front.
func (l *shapeMarker) markPair(i, end int) int {
	first := l.text[i:end]
	if len(first) == 34 && isUpper(first[0]) && isUpper(first[1]) {
		first = first[2:]
	}
	if end == len(l.text) || l.text[end] != ':' || len(first) < 32 || !isHexNumber(first) {
		return 0
	}
	stop := end + 1
	for stop < len(l.text) && isHex(l.text[stop]) {
		stop++
	}
	if stop-end <= 32 {
		return 0
	}
	l.mark(i, stop)
	return stop
}

// markBot masks a chat bot's token, a number of 8 to 10 digits, a colon, and "AA…", of which the number ends at end.
func (l *shapeMarker) markBot(i, end int) int {
	if end-i < 8 || end-i > 10 || !strings.HasPrefix(l.text[end:], ":AA") || strings.Trim(l.text[i:end], "0123456789") != "" {
		return 0
	}
	stop := end + 1
	for stop < len(l.text) && urlsafe.has(l.text[stop]) {
		stop++
	}
	if stop-end < 30 {
		return 0
	}
	l.mark(i, stop)
	return stop
}

func isHexNumber(v string) bool {
	for i := range len(v) {
		if !isHex(v[i]) {
			return false
		}
	}
	return true
}

// isBasicWord reports whether v is name:password in base64, and no word that only looks like base64.
func isBasicWord(v string) bool {
	if len(v) < 12 || len(v) > 512 || len(v)%4 != 0 && v[len(v)-1] != '=' {
		return false
	}
	for i := range len(v) {
		if !isBase64(v[i]) {
			return false
		}
	}
	plain, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(v, "="))
	if err != nil || !utf8.Valid(plain) || isHexNumber(v) {
		return false
	}
	name := bytes.IndexByte(plain, ':')
	for i, c := range plain {
		if c < ' ' || c == 0x7f || i < name && !isAlnum(c) && strings.IndexByte("._@-\\+", c) < 0 {
			return false
		}
	}
	return name > 0 && name+1 < len(plain)
}
