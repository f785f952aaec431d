package wire

import "math"

// Reader reads records from one message. Its first error stays: every later read returns zero values, so a
// decoder may read a whole record and look at [Reader.Err] once. A message's strings share one allocation, a copy of
// the message. A Reader is for one goroutine; nobody may change the message's bytes meanwhile.
type Reader struct {
	input
	left int // elements left in the array that is open
}

// NewReader returns a reader of one message, whose top level is a single value.
func NewReader(b []byte) *Reader { return &Reader{input: input{b: b, s: string(b)}, left: 1} }

// takeElement takes one element of the open array. It is false after an error and when no element is left. That is how a
// missing tail reads as zero values.
func (r *Reader) takeElement() bool {
	if r.err != nil || r.left == 0 {
		return false
	}
	r.left--
	return true
}

// Open enters an array of at most limit elements and returns their number. Each element takes at least one byte,
// so a length beyond the bytes that are left is refused before anything is allocated for it. outer goes to
// [Reader.Close].
func (r *Reader) Open(limit int) (n, outer int) {
	if !r.takeElement() {
		outer, r.left = r.left, 0
		return 0, outer
	}
	var length uint64
	switch c := r.firstByte(); {
	case c&0xf0 == fixArray:
		length = uint64(c & 0x0f)
	case c == codeArray16:
		length = r.bigEndian(2)
	case c == codeArray32:
		length = r.bigEndian(4)
	case c == codeNil:
	default:
		r.Fail("0x%02x is no array", c)
	}
	if length > uint64(limit) {
		r.Fail("array of %d elements, the limit is %d", length, limit)
	}
	if length > uint64(r.Remaining()) {
		r.Fail("array of %d elements in %d bytes", length, r.Remaining())
	}
	outer = r.left
	if r.err != nil {
		r.left = 0
		return 0, outer
	}
	r.left = int(length)
	return r.left, outer
}

// Close leaves the array that Open entered, skipping elements that were not read.
func (r *Reader) Close(outer int) {
	for r.left > 0 && r.err == nil {
		r.left--
		r.skip(0)
	}
	r.left = outer
}

// Nil reports whether the next element is nil, and takes it if so. A missing element is nil too.
func (r *Reader) Nil() bool {
	if r.err != nil || r.left == 0 {
		return true
	}
	if r.off < len(r.b) && r.b[r.off] == codeNil {
		r.off++
		r.left--
		return true
	}
	return false
}

// Bool reads a boolean.
func (r *Reader) Bool() bool {
	if !r.takeElement() {
		return false
	}
	switch c := r.firstByte(); c {
	case codeTrue:
		return true
	case codeFalse:
	default:
		r.Fail("0x%02x is no boolean", c)
	}
	return false
}

// Uint reads an integer that is not negative.
func (r *Reader) Uint() uint64 {
	if !r.takeElement() {
		return 0
	}
	c := r.firstByte()
	switch {
	case c < 0x80:
		return uint64(c)
	case c >= codeUint8 && c <= codeUint64:
		return r.bigEndian(1 << (c - codeUint8))
	case c >= codeInt8 && c <= codeInt64:
		if v := r.signed(c); v >= 0 {
			return uint64(v)
		}
		r.Fail("a negative number where none may be")
		return 0
	}
	r.Fail("0x%02x is no unsigned integer", c)
	return 0
}

// Int reads an integer.
func (r *Reader) Int() int64 {
	if !r.takeElement() {
		return 0
	}
	c := r.firstByte()
	switch {
	case c < 0x80:
		return int64(c)
	case c >= negFixInt:
		return int64(int8(c))
	case c >= codeUint8 && c <= codeUint64:
		v := r.bigEndian(1 << (c - codeUint8))
		if v > math.MaxInt64 {
			r.Fail("%d overflows 63 bits", v)
			return 0
		}
		return int64(v)
	case c >= codeInt8 && c <= codeInt64:
		return r.signed(c)
	}
	r.Fail("0x%02x is no integer", c)
	return 0
}

// String reads a string of at most limit bytes.
func (r *Reader) String(limit int) string {
	if !r.takeElement() {
		return ""
	}
	var n uint64
	switch c := r.firstByte(); {
	case c&0xe0 == fixStr:
		n = uint64(c & 0x1f)
	case c >= codeStr8 && c <= codeStr32:
		n = r.bigEndian(1 << (c - codeStr8))
	default:
		r.Fail("0x%02x is no string", c)
	}
	return r.text(n, limit)
}

// Bytes reads a byte string of exactly n bytes, or none, into dst.
func (r *Reader) Bytes(dst []byte) {
	if !r.takeElement() {
		return
	}
	var n uint64
	switch c := r.firstByte(); {
	case c >= codeBin8 && c <= codeBin32:
		n = r.bigEndian(1 << (c - codeBin8))
	default:
		r.Fail("0x%02x is no byte string", c)
	}
	if r.err == nil && n != uint64(len(dst)) {
		r.Fail("byte string of %d bytes, want %d", n, len(dst))
	}
	if r.err == nil {
		copy(dst, r.takeBytes(int(n)))
	}
}
