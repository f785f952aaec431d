package wire

import (
	"encoding/binary"
	"fmt"
)

// maxDepth bounds the nesting of values that are skipped.
const maxDepth = 16

// input is the bytes of one message, how far they are read, and the first error. It knows bytes and single values;
// which array is open is the [Reader]'s.
type input struct {
	b   []byte
	s   string // a copy of b, which all of a message's strings share
	off int
	err error
}

// Err is the first error met, or nil.
func (in *input) Err() error { return in.err }

// Remaining is the number of bytes not read yet.
func (in *input) Remaining() int { return len(in.b) - in.off }

// Offset is the number of bytes read.
func (in *input) Offset() int { return in.off }

// Fail records an error, unless one is recorded already.
func (in *input) Fail(format string, args ...any) {
	if in.err == nil {
		in.err = fmt.Errorf("byte %d: %w", in.off, fmt.Errorf(format, args...))
	}
}

// takeBytes returns the next n bytes.
func (in *input) takeBytes(n int) []byte {
	if n > len(in.b)-in.off {
		in.failShort(n)
		return nil
	}
	p := in.b[in.off : in.off+n]
	in.off += n
	return p
}

// failShort records that n bytes were to be read and are not there.
func (in *input) failShort(n int) { in.Fail("want %d bytes, %d are left", n, len(in.b)-in.off) }

// firstByte reads the first byte of a value, which says what the value is.
func (in *input) firstByte() byte {
	if in.off == len(in.b) {
		in.failShort(1)
		return codeNil
	}
	c := in.b[in.off]
	in.off++
	return c
}

// bigEndian reads an n-byte big-endian number.
func (in *input) bigEndian(n int) uint64 {
	p := in.b[in.off:]
	if n > len(p) {
		in.failShort(n)
		return 0
	}
	in.off += n
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

// signed reads the body of an int8 … int64.
func (in *input) signed(c byte) int64 {
	switch c {
	case codeInt8:
		return int64(int8(in.bigEndian(1)))
	case codeInt16:
		return int64(int16(in.bigEndian(2)))
	case codeInt32:
		return int64(int32(in.bigEndian(4)))
	}
	return int64(in.bigEndian(8))
}

// text returns the next n bytes as a part of the string that all of a message's strings share.
func (in *input) text(n uint64, limit int) string {
	if in.err != nil {
		return ""
	}
	if n > uint64(limit) {
		in.Fail("string of %d bytes, the limit is %d", n, limit)
		return ""
	}
	from := in.off
	if in.takeBytes(int(n)) == nil {
		return ""
	}
	return in.s[from:in.off]
}

// skip passes over one value of any type that MessagePack has.
func (in *input) skip(depth int) {
	if depth > maxDepth {
		in.Fail("nested deeper than %d", maxDepth)
		return
	}
	switch c := in.firstByte(); {
	case c < 0x80, c >= negFixInt, c == codeNil, c == codeTrue, c == codeFalse:
	case c&0xf0 == 0x80:
		in.skipElements(2*uint64(c&0x0f), depth)
	case c&0xf0 == fixArray:
		in.skipElements(uint64(c&0x0f), depth)
	case c&0xe0 == fixStr:
		in.skipBytes(uint64(c & 0x1f))
	case c >= codeBin8 && c <= codeBin32:
		in.skipBytes(in.bigEndian(1 << (c - codeBin8)))
	case c >= 0xc7 && c <= 0xc9: // ext 8, 16, 32: a type byte follows the length
		in.skipBytes(in.bigEndian(1<<(c-0xc7)) + 1)
	case c == codeFloat32:
		in.skipBytes(4)
	case c == codeFloat64:
		in.skipBytes(8)
	case c >= codeUint8 && c <= codeUint64:
		in.skipBytes(1 << (c - codeUint8))
	case c >= codeInt8 && c <= codeInt64:
		in.skipBytes(1 << (c - codeInt8))
	case c >= 0xd4 && c <= 0xd8: // fixext 1, 2, 4, 8, 16
		in.skipBytes(1<<(c-0xd4) + 1)
	case c >= codeStr8 && c <= codeStr32:
		in.skipBytes(in.bigEndian(1 << (c - codeStr8)))
	case c == codeArray16:
		in.skipElements(in.bigEndian(2), depth)
	case c == codeArray32:
		in.skipElements(in.bigEndian(4), depth)
	case c == 0xde:
		in.skipElements(2*in.bigEndian(2), depth)
	case c == 0xdf:
		in.skipElements(2*in.bigEndian(4), depth)
	default:
		in.Fail("0x%02x starts no value", c)
	}
}

func (in *input) skipElements(n uint64, depth int) {
	if n > uint64(in.Remaining()) {
		in.Fail("%d elements in %d bytes", n, in.Remaining())
	}
	for i := uint64(0); i < n && in.err == nil; i++ {
		in.skip(depth + 1)
	}
}

func (in *input) skipBytes(n uint64) {
	if n > uint64(in.Remaining()) {
		in.Fail("want %d bytes, %d are left", n, in.Remaining())
		return
	}
	in.off += int(n)
}
