package wire

import (
	"encoding/binary"
	"fmt"
	"math"
)

// maxDepth bounds the nesting of values that are skipped.
const maxDepth = 16

// Reader reads records from one message. Its first error stays: every later read returns zero values, so a
// decoder may read a whole record and look at [Reader.Err] once. It allocates one string, a copy of the message,
// of which the strings it returns are parts.
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

// Rest is the number of bytes not read yet.
func (r *Reader) Rest() int { return len(r.b) - r.off }

// Offset is the number of bytes read.
func (r *Reader) Offset() int { return r.off }

// Fail records an error, unless one is recorded already.
func (r *Reader) Fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("byte %d: %w", r.off, fmt.Errorf(format, args...))
	}
}

// next takes one element of the open array. It is false when there is none left, which is how a missing tail
// reads as zero values, and after an error.
func (r *Reader) next() bool {
	if r.err != nil || r.left == 0 {
		return false
	}
	r.left--
	return true
}

// take returns the next n bytes.
func (r *Reader) take(n int) []byte {
	if n > len(r.b)-r.off {
		r.short(n)
		return nil
	}
	p := r.b[r.off : r.off+n]
	r.off += n
	return p
}

// short records that n bytes were to be read and are not there.
func (r *Reader) short(n int) { r.Fail("want %d bytes, %d are left", n, len(r.b)-r.off) }

// code reads a first byte.
func (r *Reader) code() byte {
	if r.off == len(r.b) {
		r.short(1)
		return codeNil
	}
	c := r.b[r.off]
	r.off++
	return c
}

// word reads an n-byte big-endian number.
func (r *Reader) word(n int) uint64 {
	p := r.b[r.off:]
	if n > len(p) {
		r.short(n)
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
	if !r.next() {
		outer, r.left = r.left, 0
		return 0, outer
	}
	var length uint64
	switch c := r.code(); {
	case c&0xf0 == fixArray:
		length = uint64(c & 0x0f)
	case c == codeA16:
		length = r.word(2)
	case c == codeA32:
		length = r.word(4)
	case c == codeNil:
	default:
		r.Fail("0x%02x is no array", c)
	}
	if length > uint64(limit) {
		r.Fail("array of %d elements, the limit is %d", length, limit)
	}
	if length > uint64(r.Rest()) {
		r.Fail("array of %d elements in %d bytes", length, r.Rest())
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
	if !r.next() {
		return false
	}
	switch c := r.code(); c {
	case codeT:
		return true
	case codeF:
	default:
		r.Fail("0x%02x is no boolean", c)
	}
	return false
}

// Uint reads an integer that is not negative.
func (r *Reader) Uint() uint64 {
	if !r.next() {
		return 0
	}
	c := r.code()
	switch {
	case c < 0x80:
		return uint64(c)
	case c >= codeU8 && c <= codeU64:
		return r.word(1 << (c - codeU8))
	case c >= codeI8 && c <= codeI64:
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
	if !r.next() {
		return 0
	}
	c := r.code()
	switch {
	case c < 0x80:
		return int64(c)
	case c >= negFix:
		return int64(int8(c))
	case c >= codeU8 && c <= codeU64:
		v := r.word(1 << (c - codeU8))
		if v > math.MaxInt64 {
			r.Fail("%d overflows 63 bits", v)
			return 0
		}
		return int64(v)
	case c >= codeI8 && c <= codeI64:
		return r.signed(c)
	}
	r.Fail("0x%02x is no integer", c)
	return 0
}

// signed reads the body of an int8 … int64.
func (r *Reader) signed(c byte) int64 {
	switch c {
	case codeI8:
		return int64(int8(r.word(1)))
	case codeI16:
		return int64(int16(r.word(2)))
	case codeI32:
		return int64(int32(r.word(4)))
	}
	return int64(r.word(8))
}

// String reads a string of at most limit bytes.
func (r *Reader) String(limit int) string {
	if !r.next() {
		return ""
	}
	var n uint64
	switch c := r.code(); {
	case c&0xe0 == fixStr:
		n = uint64(c & 0x1f)
	case c >= codeS8 && c <= codeS32:
		n = r.word(1 << (c - codeS8))
	default:
		r.Fail("0x%02x is no string", c)
	}
	return r.text(n, limit)
}

// Bytes reads a byte string of exactly n bytes, or none, into dst.
func (r *Reader) Bytes(dst []byte) {
	if !r.next() {
		return
	}
	var n uint64
	switch c := r.code(); {
	case c >= codeBin8 && c <= codeB32:
		n = r.word(1 << (c - codeBin8))
	default:
		r.Fail("0x%02x is no byte string", c)
	}
	if r.err == nil && n != uint64(len(dst)) {
		r.Fail("byte string of %d bytes, want %d", n, len(dst))
	}
	if r.err == nil {
		copy(dst, r.take(int(n)))
	}
}

// text returns the next n bytes as a part of the message's one string.
func (r *Reader) text(n uint64, limit int) string {
	if r.err != nil {
		return ""
	}
	if n > uint64(limit) {
		r.Fail("string of %d bytes, the limit is %d", n, limit)
		return ""
	}
	from := r.off
	if r.take(int(n)) == nil {
		return ""
	}
	return r.s[from:r.off]
}

// skip passes over one value of any type, of which it has no use.
func (r *Reader) skip(depth int) {
	if depth > maxDepth {
		r.Fail("nested deeper than %d", maxDepth)
		return
	}
	switch c := r.code(); {
	case c < 0x80, c >= negFix, c == codeNil, c == codeT, c == codeF:
	case c&0xf0 == 0x80:
		r.skipMany(2*uint64(c&0x0f), depth)
	case c&0xf0 == fixArray:
		r.skipMany(uint64(c&0x0f), depth)
	case c&0xe0 == fixStr:
		r.pass(uint64(c & 0x1f))
	case c >= codeBin8 && c <= codeB32:
		r.pass(r.word(1 << (c - codeBin8)))
	case c >= 0xc7 && c <= 0xc9: // ext 8, 16, 32: a type byte follows the length
		r.pass(r.word(1<<(c-0xc7)) + 1)
	case c == codeF32:
		r.pass(4)
	case c == codeF64:
		r.pass(8)
	case c >= codeU8 && c <= codeU64:
		r.pass(1 << (c - codeU8))
	case c >= codeI8 && c <= codeI64:
		r.pass(1 << (c - codeI8))
	case c >= 0xd4 && c <= 0xd8: // fixext 1, 2, 4, 8, 16
		r.pass(1<<(c-0xd4) + 1)
	case c >= codeS8 && c <= codeS32:
		r.pass(r.word(1 << (c - codeS8)))
	case c == codeA16:
		r.skipMany(r.word(2), depth)
	case c == codeA32:
		r.skipMany(r.word(4), depth)
	case c == 0xde:
		r.skipMany(2*r.word(2), depth)
	case c == 0xdf:
		r.skipMany(2*r.word(4), depth)
	default:
		r.Fail("0x%02x starts no value", c)
	}
}

func (r *Reader) skipMany(n uint64, depth int) {
	if n > uint64(r.Rest()) {
		r.Fail("%d elements in %d bytes", n, r.Rest())
	}
	for i := uint64(0); i < n && r.err == nil; i++ {
		r.skip(depth + 1)
	}
}

func (r *Reader) pass(n uint64) {
	if n > uint64(r.Rest()) {
		r.Fail("want %d bytes, %d are left", n, r.Rest())
		return
	}
	r.off += int(n)
}
