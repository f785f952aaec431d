package wire

import (
	"encoding/binary"
	"fmt"
	"math"
)

// maxDepth bounds the nesting of values that are skipped.
const maxDepth = 16

// Reader reads records from one message. Its first error stays: every later read returns zero values, so a
// decoder may read a whole record and look at [Reader.Err] once. A message's strings share one allocation, a copy of
// the message. A Reader is for one goroutine; nobody may change the message's bytes meanwhile.
type Reader struct {
	b    []byte
	s    string
	off  int
	left int // elements left in the array that is open
	err  error
}

// NewReader returns a reader of one message, whose top level is a single value.
func NewReader(b []byte) *Reader { return &Reader{b: b, s: string(b), left: 1} }

// Err is the first error met, or nil.
func (r *Reader) Err() error { return r.err }

// Remaining is the number of bytes not read yet.
func (r *Reader) Remaining() int { return len(r.b) - r.off }

// Offset is the number of bytes read.
func (r *Reader) Offset() int { return r.off }

// Fail records an error, unless one is recorded already.
func (r *Reader) Fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("byte %d: %w", r.off, fmt.Errorf(format, args...))
	}
}

// takeElement takes one element of the open array. It is false after an error and when no element is left. That is how a
// missing tail reads as zero values.
func (r *Reader) takeElement() bool {
	if r.err != nil || r.left == 0 {
		return false
	}
	r.left--
	return true
}

// takeBytes returns the next n bytes.
func (r *Reader) takeBytes(n int) []byte {
	if n > len(r.b)-r.off {
		r.failShort(n)
		return nil
	}
	p := r.b[r.off : r.off+n]
	r.off += n
	return p
}

// failShort records that n bytes were to be read and are not there.
func (r *Reader) failShort(n int) { r.Fail("want %d bytes, %d are left", n, len(r.b)-r.off) }

// firstByte reads the first byte of a value, which says what the value is.
func (r *Reader) firstByte() byte {
	if r.off == len(r.b) {
		r.failShort(1)
		return codeNil
	}
	c := r.b[r.off]
	r.off++
	return c
}

// bigEndian reads an n-byte big-endian number.
func (r *Reader) bigEndian(n int) uint64 {
	p := r.b[r.off:]
	if n > len(p) {
		r.failShort(n)
		return 0
	}
	r.off += n
	switch n {
	case 1:
		return uint64(p[0])
	case 2:
		return uint64(binary.BigEndian.Uint16(p))
	case 4:
		return uint64(binary.BigEndian.Uint32(p))
	}
	return binary.BigEndian.Uint64(p)
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

// signed reads the body of an int8 … int64.
func (r *Reader) signed(c byte) int64 {
	switch c {
	case codeInt8:
		return int64(int8(r.bigEndian(1)))
	case codeInt16:
		return int64(int16(r.bigEndian(2)))
	case codeInt32:
		return int64(int32(r.bigEndian(4)))
	}
	return int64(r.bigEndian(8))
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

// text returns the next n bytes as a part of the string that all of a message's strings share.
func (r *Reader) text(n uint64, limit int) string {
	if r.err != nil {
		return ""
	}
	if n > uint64(limit) {
		r.Fail("string of %d bytes, the limit is %d", n, limit)
		return ""
	}
	from := r.off
	if r.takeBytes(int(n)) == nil {
		return ""
	}
	return r.s[from:r.off]
}

// skip passes over one value of any type that MessagePack has.
func (r *Reader) skip(depth int) {
	if depth > maxDepth {
		r.Fail("nested deeper than %d", maxDepth)
		return
	}
	switch c := r.firstByte(); {
	case c < 0x80, c >= negFixInt, c == codeNil, c == codeTrue, c == codeFalse:
	case c&0xf0 == 0x80:
		r.skipElements(2*uint64(c&0x0f), depth)
	case c&0xf0 == fixArray:
		r.skipElements(uint64(c&0x0f), depth)
	case c&0xe0 == fixStr:
		r.skipBytes(uint64(c & 0x1f))
	case c >= codeBin8 && c <= codeBin32:
		r.skipBytes(r.bigEndian(1 << (c - codeBin8)))
	case c >= 0xc7 && c <= 0xc9: // ext 8, 16, 32: a type byte follows the length
		r.skipBytes(r.bigEndian(1<<(c-0xc7)) + 1)
	case c == codeFloat32:
		r.skipBytes(4)
	case c == codeFloat64:
		r.skipBytes(8)
	case c >= codeUint8 && c <= codeUint64:
		r.skipBytes(1 << (c - codeUint8))
	case c >= codeInt8 && c <= codeInt64:
		r.skipBytes(1 << (c - codeInt8))
	case c >= 0xd4 && c <= 0xd8: // fixext 1, 2, 4, 8, 16
		r.skipBytes(1<<(c-0xd4) + 1)
	case c >= codeStr8 && c <= codeStr32:
		r.skipBytes(r.bigEndian(1 << (c - codeStr8)))
	case c == codeArray16:
		r.skipElements(r.bigEndian(2), depth)
	case c == codeArray32:
		r.skipElements(r.bigEndian(4), depth)
	case c == 0xde:
		r.skipElements(2*r.bigEndian(2), depth)
	case c == 0xdf:
		r.skipElements(2*r.bigEndian(4), depth)
	default:
		r.Fail("0x%02x starts no value", c)
	}
}

func (r *Reader) skipElements(n uint64, depth int) {
	if n > uint64(r.Remaining()) {
		r.Fail("%d elements in %d bytes", n, r.Remaining())
	}
	for i := uint64(0); i < n && r.err == nil; i++ {
		r.skip(depth + 1)
	}
}

func (r *Reader) skipBytes(n uint64) {
	if n > uint64(r.Remaining()) {
		r.Fail("want %d bytes, %d are left", n, r.Remaining())
		return
	}
	r.off += int(n)
}
