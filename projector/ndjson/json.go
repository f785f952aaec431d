package ndjson

import (
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/proctape/proctape/schema"
)

// The lines are appended by hand because every row of the fold passes here: see docs/performance.md for their share of
// its time.

// object builds one JSON object, compact, keys in the order of the calls.
type object struct {
	b     []byte
	first bool
}

func (o *object) open() { o.b, o.first = append(o.b, '{'), true }

func (o *object) close() { o.b, o.first = append(o.b, '}'), false }

// key starts a member.
func (o *object) key(k string) {
	if !o.first {
		o.b = append(o.b, ',')
	}
	o.first = false
	o.b = append(appendString(o.b, k), ':')
}

func (o *object) null(k string) {
	o.key(k)
	o.b = append(o.b, "null"...)
}

func (o *object) int(k string, v int64) {
	o.key(k)
	o.b = strconv.AppendInt(o.b, v, 10)
}

func (o *object) optInt(k string, v schema.Opt[int64]) {
	if !v.Known {
		o.null(k)
		return
	}
	o.int(k, v.V)
}

func (o *object) float(k string, v float64) {
	o.key(k)
	o.b = appendFloat(o.b, v)
}

// optFloat writes v divided by per, or null.
func (o *object) optFloat(k string, v schema.Opt[int64], per float64) {
	if !v.Known {
		o.null(k)
		return
	}
	o.float(k, float64(v.V)/per)
}

func (o *object) bool(k string, v bool) {
	o.key(k)
	o.b = strconv.AppendBool(o.b, v)
}

func (o *object) text(k, v string) {
	o.key(k)
	o.b = appendString(o.b, v)
}

// optText writes null for an empty string.
func (o *object) optText(k, v string) {
	if v == "" {
		o.null(k)
		return
	}
	o.text(k, v)
}

// optTime writes a timestamp, or null for 0.
func (o *object) optTime(k string, v float64) {
	if v == 0 {
		o.null(k)
		return
	}
	o.float(k, v)
}

// list writes an array of objects.
func list[T any](o *object, k string, items []T, one func(*object, *T)) {
	o.key(k)
	o.b = appendArray(o.b, items, one)
}

// appendFloat writes the shortest form that reads back as v. JSON has no infinities.
func appendFloat(b []byte, v float64) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return append(b, "null"...)
	}
	return strconv.AppendFloat(b, v, 'f', -1, 64)
}

// appendString writes a JSON string: control characters, quotes and backslashes escaped, bytes that are not UTF-8
// replaced by U+FFFD. No line of ours can be broken by what a process calls itself.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= 0x20 && c != '"' && c != '\\' && c != 0x7f {
				i++
				continue
			}
			b = append(b, s[start:i]...)
			b = appendEscape(b, c)
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			b = append(append(b, s[start:i]...), "\uFFFD"...)
			i++
			start = i
			continue
		}
		i += size
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

func appendEscape(b []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\n':
		return append(b, '\\', 'n')
	case '\t':
		return append(b, '\\', 't')
	case '\r':
		return append(b, '\\', 'r')
	}
	return append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
}
