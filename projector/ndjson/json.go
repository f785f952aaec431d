package ndjson

import (
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/proctape/proctape/schema"
)

func (o *object) float(k string, v float64) {
	o.key(k)
	o.b = appendFloat(o.b, v)
}

func (o *object) decimal(k string, v int64, digits int) {
	o.key(k)
	o.b = appendDecimal(o.b, v, digits)
}

func (o *object) bool(k string, v bool) {
	o.key(k)
	o.b = strconv.AppendBool(o.b, v)
}

func (o *object) text(k, v string) {
	o.key(k)
	o.b = appendString(o.b, v)
}

// The lines are appended by hand because every row of the fold passes here: see docs/performance.md for their share of
// its time.

// object builds one JSON object, compact, keys in the order of the calls.
type object struct {
	b     []byte
	first bool
}

func (o *object) open() { o.b, o.first = append(o.b, '{'), true }

func (o *object) close() { o.b, o.first = append(o.b, '}'), false }

// key starts a member whose name is ours, with nothing in it to escape.
func (o *object) key(k string) {
	o.comma()
	o.b = append(o.b, '"')
	o.b = append(o.b, k...)
	o.b = append(o.b, '"', ':')
}

// foreignKey starts a member whose name comes from elsewhere.
func (o *object) foreignKey(k string) {
	o.comma()
	o.b = append(appendString(o.b, k), ':')
}

func (o *object) comma() {
	if !o.first {
		o.b = append(o.b, ',')
	}
	o.first = false
}

func (o *object) null(k string) {
	o.key(k)
	o.b = append(o.b, "null"...)
}

func (o *object) int(k string, v int64) {
	o.key(k)
	o.b = strconv.AppendInt(o.b, v, 10)
}

// optInt writes a number, or null.
func optInt(o *object, k string, v schema.Opt[int64]) {
	if !v.Known {
		o.null(k)
		return
	}
	o.int(k, v.V)
}

// optDecimal writes v with so many digits behind the point, or null.
func optDecimal(o *object, k string, v schema.Opt[int64], digits int) {
	if !v.Known {
		o.null(k)
		return
	}
	o.decimal(k, v.V, digits)
}

// optMiB writes a size in KiB, or null.
func optMiB(o *object, k string, kib schema.Opt[int64]) {
	if !kib.Known {
		o.null(k)
		return
	}
	o.key(k)
	o.b = appendMiB(o.b, kib.V)
}

// optText writes null for an empty string.
func optText(o *object, k, v string) {
	if v == "" {
		o.null(k)
		return
	}
	o.text(k, v)
}

// optTime writes a timestamp, or null for 0.
func optTime(o *object, k string, v float64) {
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

// appendArray writes an array of objects.
func appendArray[T any](b []byte, items []T, one func(*object, *T)) []byte {
	o := object{b: append(b, '[')}
	for i := range items {
		if i > 0 {
			o.b = append(o.b, ',')
		}
		one(&o, &items[i])
	}
	return append(o.b, ']')
}

// appendFloat writes the shortest form that reads back as v. JSON has no infinities.
func appendFloat(b []byte, v float64) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return append(b, "null"...)
	}
	return strconv.AppendFloat(b, v, 'f', -1, 64)
}

// appendDecimal writes v / 10^digits as appendFloat would, in half the time (55 and 114 ns): of a number of up to fifteen
// digits the shortest form that reads back is the number itself.
func appendDecimal(b []byte, v int64, digits int) []byte {
	scale := int64(1)
	for range digits {
		scale *= 10
	}
	if v < 0 || v >= 1e15 {
		return appendFloat(b, float64(v)/float64(scale))
	}
	b = strconv.AppendInt(b, v/scale, 10)
	if v %= scale; v != 0 {
		b = append(b, '.')
	}
	for ; v != 0; v %= scale {
		scale /= 10
		b = append(b, '0'+byte(v/scale))
	}
	return b
}

// maxExactMiB is the size in KiB below which a MiB's ten decimal places are all told apart by a float64: 256 GiB.
const maxExactMiB = 1 << 28

// kibibytes are the decimal places of 0 to 1023 KiB in MiB.
var kibibytes = func() (places [1024]string) {
	for kib := range places {
		places[kib] = strconv.FormatFloat(float64(kib)/1024, 'f', -1, 64)[1:]
	}
	return places
}()

// appendMiB writes a size in KiB as appendFloat would write its MiB, in a third of the time (48 and 147 ns).
func appendMiB(b []byte, kib int64) []byte {
	if kib < 0 || kib >= maxExactMiB {
		return appendFloat(b, schema.MiB(kib))
	}
	return append(strconv.AppendInt(b, kib>>10, 10), kibibytes[kib&1023]...)
}

// plain are the bytes that stand for themselves in a JSON string.
var plain = func() (is [256]bool) {
	for c := 0x20; c < 0x7f; c++ {
		is[c] = c != '"' && c != '\\'
	}
	return is
}()

// appendString writes a JSON string: control characters, quotes and backslashes escaped, bytes that are not UTF-8
// replaced by U+FFFD. No line of ours can be broken by what a process calls itself.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if plain[c] {
			i++
			continue
		}
		if c < utf8.RuneSelf {
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
