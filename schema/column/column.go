// Package column writes and reads the columns of a snapshot's processes: docs/wire.md says how they look.
//
// A column of numbers is a byte that names its mode and the values as varints; a column of texts is a table of its
// distinct texts and a column of their places in it. Whoever reads gives the number of values; nothing is allocated from
// a length that was read.
package column

import (
	"encoding/binary"
	"errors"
	"fmt"
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

// Unknown stands among values for one that is not known.
const Unknown = -1

// largest bounds what is read, so that no sum of two overflows.
const largest = 1 << 60

// Format is how a column is written, as its description wants it.
type Format struct {
	Mode     Mode
	Nullable bool // values may be unknown: they are written plus one, and 0 is unknown
	Pages    bool // values mostly divide by 4
}

// Append appends a column. Values are 0 or more, or Unknown in a column that is nullable. The mode is the format's, but for
// what is shorter by a rule that depends on the values alone: a constant, runs, or plain where no value is common.
func (f Format) Append(b []byte, values []int64) []byte {
	w := writer{b: b}
	if f.Nullable {
		w.plus = 1
	}
	w.shift = f.shift(values)
	mode := f.shortest(values)
	w.b = append(w.b, byte(mode))
	if w.shift > 0 {
		w.b[len(b)] |= pages
	}
	switch mode {
	case Constant:
		if len(values) > 0 {
			w.put(values[0])
		}
	case Plain:
		for _, v := range values {
			w.put(v)
		}
	case Delta:
		w.delta(values)
	case Rising:
		w.rising(values)
	case Sparse:
		w.sparse(values)
	case Runs:
		w.runs(values)
	}
	return w.b
}

// shift is by how many bits known values are shifted to the right.
func (f Format) shift(values []int64) uint {
	if !f.Pages {
		return 0
	}
	var low int64
	for _, v := range values {
		if v != Unknown {
			low |= v
		}
	}
	if low&3 != 0 {
		return 0
	}
	return 2
}

// shortest is the mode that the format and the values come to.
func (f Format) shortest(values []int64) Mode {
	if f.Mode == Rising {
		return Rising
	}
	runs := 0
	for i, v := range values {
		if i == 0 || v != values[i-1] {
			runs++
		}
	}
	switch {
	case runs <= 1:
		return Constant
	case f.Mode == Sparse && 2*others(values, common(values)) >= len(values):
		return Plain
	case f.Mode != Sparse && runs*3 < len(values):
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

// raw is a value as it is written.
func (w *writer) raw(v int64) int64 {
	if v == Unknown {
		return 0
	}
	return v>>w.shift + w.plus
}

func (w *writer) put(v int64) { w.b = binary.AppendUvarint(w.b, uint64(w.raw(v))) }

func (w *writer) delta(values []int64) {
	before := int64(0)
	for _, v := range values {
		now := w.raw(v)
		w.b = binary.AppendVarint(w.b, now-before)
		before = now
	}
}

func (w *writer) rising(values []int64) {
	before := int64(-1)
	for _, v := range values {
		now := w.raw(v)
		w.b = binary.AppendUvarint(w.b, uint64(now-before-1))
		before = now
	}
}

func (w *writer) sparse(values []int64) {
	most := common(values)
	w.put(most)
	w.b = binary.AppendUvarint(w.b, uint64(others(values, most)))
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

// What is wrong with most columns that are.
var (
	errShort = errors.New("it ends before its last value")
	errRange = errors.New("a number is out of range")
)

// Read reads a column of as many values as there is room for. It must end at the last of them. A column of mode Rising
// must have been written so; any other may have any mode.
func (f Format) Read(values []int64, b []byte) error {
	if len(b) == 0 {
		return errors.New("it is empty")
	}
	r := reader{b: b[1:]}
	mode := Mode(b[0] &^ pages)
	switch {
	case mode >= modes:
		return fmt.Errorf("mode %d is none", mode)
	case f.Mode == Rising && mode != Rising:
		return fmt.Errorf("mode %d, want %d", mode, Rising)
	case len(values) == 0:
	case mode == Constant:
		fill(values, r.number())
	case mode == Plain:
		r.plain(values)
	case mode == Delta:
		r.delta(values)
	case mode == Rising:
		r.rising(values)
	case mode == Sparse:
		r.sparse(values)
	case mode == Runs:
		r.runs(values)
	}
	if r.err == nil && r.left() > 0 {
		r.err = fmt.Errorf("%d bytes follow its last value", r.left())
	}
	if r.err != nil {
		return r.err
	}
	f.restore(values, b[0]&pages != 0)
	return nil
}

// IsConstant reports whether a column says the same of all, so that it can be read as one value.
func IsConstant(b []byte) bool { return len(b) > 0 && Mode(b[0]&^pages) == Constant }

// restore makes values of what stood on the wire.
func (f Format) restore(values []int64, divided bool) {
	plus, shift := int64(0), uint(0)
	if f.Nullable {
		plus = 1
	}
	if divided {
		shift = 2
	}
	if plus == 0 && shift == 0 {
		return
	}
	for i, v := range values {
		if v -= plus; v >= 0 {
			v <<= shift
		}
		values[i] = v
	}
}

// reader reads the values of a column. Its first error stays.
type reader struct {
	b   []byte
	at  int // what is read of b
	err error
}

func (r *reader) left() int { return len(r.b) - r.at }

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.at = len(r.b)
}

// number reads one number, which is 0 or more and at most largest.
func (r *reader) number() int64 {
	if r.at < len(r.b) && r.b[r.at] < 0x80 {
		r.at++
		return int64(r.b[r.at-1])
	}
	return r.long()
}

// long is number for those of more than one byte. Most have two or three.
func (r *reader) long() int64 {
	if b := r.b[r.at:]; len(b) > 2 {
		switch {
		case b[1] < 0x80:
			r.at += 2
			return int64(b[0]&0x7f) | int64(b[1])<<7
		case b[2] < 0x80:
			r.at += 3
			return int64(b[0]&0x7f) | int64(b[1]&0x7f)<<7 | int64(b[2])<<14
		}
	}
	v, n := binary.Uvarint(r.b[r.at:])
	switch {
	case n == 0:
		r.fail(errShort)
		return 0
	case n < 0 || v > largest:
		r.fail(errRange)
		return 0
	}
	r.at += n
	return int64(v)
}

// enough reports whether n values can be there, each of which takes a byte at least.
func (r *reader) enough(n int) bool {
	if n > r.left() {
		r.fail(errShort)
	}
	return r.err == nil
}

// plain reads values. Its loop has number in it, which is too large to be inlined.
func (r *reader) plain(values []int64) {
	if !r.enough(len(values)) {
		return
	}
	b, at := r.b, r.at
	for i := range values {
		if at < len(b) && b[at] < 0x80 {
			values[i] = int64(b[at])
			at++
			continue
		}
		r.at = at
		values[i] = r.long()
		at = r.at
	}
	r.at = at
}

func (r *reader) delta(values []int64) {
	r.plain(values)
	before := int64(0)
	for i, z := range values {
		before += z>>1 ^ -(z & 1)
		if before < 0 || before > largest {
			r.fail(errRange)
			return
		}
		values[i] = before
	}
}

func (r *reader) rising(values []int64) {
	r.plain(values)
	before := int64(-1)
	for i, v := range values {
		if before += v + 1; before > largest {
			r.fail(errRange)
			return
		}
		values[i] = before
	}
}

func (r *reader) sparse(values []int64) {
	fill(values, r.number())
	others := r.number()
	if others > int64(len(values)) {
		r.fail(fmt.Errorf("%d values differ, of %d", others, len(values)))
		return
	}
	at := int64(-1)
	for range others {
		if at += r.number() + 1; at >= int64(len(values)) {
			r.fail(fmt.Errorf("value %d of %d differs", at, len(values)))
			return
		}
		values[at] = r.number()
	}
}

func (r *reader) runs(values []int64) {
	for len(values) > 0 && r.err == nil {
		length := r.number() + 1
		if length > int64(len(values)) {
			r.fail(fmt.Errorf("a run of %d values, where %d are left", length, len(values)))
			return
		}
		fill(values[:length], r.number())
		values = values[length:]
	}
}

func fill(values []int64, v int64) {
	for i := range values {
		values[i] = v
	}
}
