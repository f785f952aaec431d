package column

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

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
	if f.Nullable {
		for i := range values {
			values[i]--
		}
	}
	if divided {
		for i, v := range values {
			values[i] = max(v<<2, v) // of Unknown it is Unknown
		}
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

// long is number for those of more than one byte.
func (r *reader) long() int64 {
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

// plain reads values. One byte is most common. Longer numbers are of any length, which no processor foresees: those of up to
// eight bytes are read without a loop.
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
		if at+8 <= len(b) {
			if v, n := short(binary.LittleEndian.Uint64(b[at:])); n > 0 {
				values[i] = v
				at += n
				continue
			}
		}
		r.at = at
		values[i] = r.long()
		at = r.at
	}
	r.at = at
}

// short is the number of n bytes that eight bytes begin with; n is 0 when it is longer than they are.
func short(x uint64) (v int64, n int) {
	const more = 0x8080808080808080 // the bit of each byte that says that another follows
	last := ^x & more
	if last == 0 {
		return 0, 0
	}
	n = (bits.TrailingZeros64(last) + 1) / 8
	x &= (last ^ (last - 1)) &^ more // the number's bytes, seven bits of each
	x = x&0x007f007f007f007f | x&0x7f007f007f007f00>>1
	x = x&0x00003fff00003fff | x&0x3fff00003fff0000>>2
	x = x&0x000000000fffffff | x&0x0fffffff00000000>>4
	return int64(x), n
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
