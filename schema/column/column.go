// Package column writes and reads the columns of a snapshot's processes: docs/wire.md says how they look.
//
// A column of numbers is a byte that names its mode and the values as varints; a column of texts is a table of its
// distinct texts and a column of their places in it. Whoever reads gives the number of values; nothing is allocated from
// a length that was read.
package column

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// Mode is how the values of a column are written. A reader takes any.
type Mode uint8

// The modes. Their numbers stand on the wire.
const (
	Constant Mode = iota // one value, which all have
	Plain                // each value
	Delta                // the difference to the value before, in zigzag
	Rising               // how much more than one above the value before, which begins as -1
	Sparse               // the value that most have, how many have another, and of each how many lie between and its value
	Runs                 // of each run its length less one, and its value
	modes
)

// pages is the bit of the mode's byte that says that known values were divided by 4.
const pages = 0x80

// Format is how a column is written, as its description wants it.
type Format struct {
	Mode     Mode
	Nullable bool // values may be unknown: they are written plus one, and 0 is unknown
	Pages    bool // values mostly divide by 4
}

// Append appends a column. Values are 0 or more, or Unknown in a column that is nullable. The mode is the format's, but for
// what is shorter by a rule that depends on the values alone: a constant, runs, or plain where no value is common.
func (f Format) Append(b []byte, values []int64) []byte {
	return f.AppendSurveyed(b, values, SurveyOf(values))
}

// AppendSurveyed is Append for values of which the survey is known.
func (f Format) AppendSurveyed(b []byte, values []int64, s Survey) []byte {
	w := writer{b: b}
	if f.Nullable {
		w.plus = 1
	}
	var most int64
	differ := 0
	if f.Mode == Sparse && s.runs > 1 {
		most = common(values)
		differ = others(values, most)
	}
	mode := f.shortest(len(values), s.runs, differ)
	w.b = append(w.b, byte(mode))
	if f.Pages && divide(values, s) {
		w.shift = 2
		w.b[len(b)] |= pages
	}
	switch mode {
	case Constant:
		if len(values) > 0 {
			w.put(values[0])
		}
	case Plain:
		w.plain(values)
	case Delta:
		w.delta(values)
	case Rising:
		w.rising(values)
	case Sparse:
		w.sparse(values, most, differ)
	case Runs:
		w.runs(values)
	}
	return w.b
}

// divide reports whether all known values divide by 4.
func divide(values []int64, s Survey) bool {
	if s.all >= 0 { // none is unknown, which has every bit
		return s.all&3 == 0
	}
	var low int64
	for _, v := range values {
		low |= v &^ (v >> 63)
	}
	return low&3 == 0
}

// shortest is the mode that the format comes to for n values, which are so many runs, and of which so many differ from the one that most have.
func (f Format) shortest(n, runs, differ int) Mode {
	switch {
	case f.Mode == Rising:
		return Rising
	case runs <= 1:
		return Constant
	case f.Mode == Sparse && 2*differ >= n:
		return Plain
	case f.Mode != Sparse && runs*3 < n:
		return Runs
	case f.Mode == Runs, f.Mode == Constant:
		return Plain
	}
	return f.Mode
}

// common is the value that more than half have, if there is one.
func common(values []int64) (v int64) {
	lead := 0
	for _, next := range values {
		switch {
		case lead == 0:
			v, lead = next, 1
		case v == next:
			lead++
		default:
			lead--
		}
	}
	return v
}

func others(values []int64, common int64) (n int) {
	for _, v := range values {
		if v != common {
			n++
		}
	}
	return n
}

// writer appends the values of a column.
type writer struct {
	b     []byte
	plus  int64
	shift uint
}

// raw is a value as it is written. Unknown, which only a nullable column has, becomes 0: shifted it is itself.
func (w *writer) raw(v int64) int64 { return v>>w.shift + w.plus }

func (w *writer) put(v int64) { w.b = binary.AppendUvarint(w.b, uint64(w.raw(v))) }

func (w *writer) plain(values []int64) {
	b := slices.Grow(w.b, 10*len(values)+8)
	at, room := len(b), b[:cap(b)]
	for _, v := range values {
		raw := uint64(w.raw(v))
		switch {
		case raw < 0x80: // as most are
			room[at] = byte(raw)
			at++
		case raw < 1<<56:
			x, n := spread(raw)
			binary.LittleEndian.PutUint64(room[at:], x)
			at += n
		default:
			at = len(binary.AppendUvarint(room[:at], raw))
		}
	}
	w.b = room[:at]
}

// spread is a number below 2^56 as a varint of n bytes, the first of which is the lowest. No loop goes from byte to byte: how
// long the next number is, no processor foresees.
func spread(v uint64) (x uint64, n int) {
	n = (9*bits.Len64(v) + 64) / 64
	x = v&0x000000000fffffff | v&0x00fffffff0000000<<4
	x = x&0x00003fff00003fff | x&0x0fffc0000fffc000<<2
	x = x&0x007f007f007f007f | x&0x3f803f803f803f80<<1
	return x | 0x8080808080808080&(1<<(8*(n-1))-1), n
}

func (w *writer) delta(values []int64) {
	b, before := w.b, int64(0)
	for _, v := range values {
		now := w.raw(v)
		b = binary.AppendVarint(b, now-before)
		before = now
	}
	w.b = b
}

func (w *writer) rising(values []int64) {
	b, before := w.b, int64(-1)
	for _, v := range values {
		now := w.raw(v)
		b = binary.AppendUvarint(b, uint64(now-before-1))
		before = now
	}
	w.b = b
}

// sparse writes values of which so many differ from the one that most have.
func (w *writer) sparse(values []int64, most int64, differ int) {
	w.put(most)
	w.b = binary.AppendUvarint(w.b, uint64(differ))
	last := -1
	for i, v := range values {
		if v != most {
			w.b = binary.AppendUvarint(w.b, uint64(i-last-1))
			w.put(v)
			last = i
		}
	}
}

func (w *writer) runs(values []int64) {
	for i := 0; i < len(values); {
		end := i + 1
		for end < len(values) && values[end] == values[i] {
			end++
		}
		w.b = binary.AppendUvarint(w.b, uint64(end-i-1))
		w.put(values[i])
		i = end
	}
}
