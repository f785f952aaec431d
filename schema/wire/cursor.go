package wire

import (
	"fmt"
	"io"

	"github.com/vmihailenco/msgpack/v5/msgpcode"
)

// maxDepth bounds the nesting of values that are passed over.
const maxDepth = 8

// cursor is the bytes of one message, how far they are read, and the first error. The library reads heads from it; bodies
// are sliced off it.
type cursor struct {
	b   []byte
	off int
	err error
}

// Read implements io.Reader.
func (c *cursor) Read(p []byte) (int, error) {
	if c.off == len(c.b) {
		return 0, io.EOF
	}
	n := copy(p, c.b[c.off:])
	c.off += n
	return n, nil
}

// ReadByte implements io.ByteReader.
func (c *cursor) ReadByte() (byte, error) {
	if c.off == len(c.b) {
		return 0, io.EOF
	}
	c.off++
	return c.b[c.off-1], nil
}

// UnreadByte implements io.ByteScanner.
func (c *cursor) UnreadByte() error {
	c.off--
	return nil
}

// peek is the code that the next value begins with; false at the end of the bytes.
func (c *cursor) peek() (code byte, ok bool) {
	if c.off == len(c.b) {
		return 0, false
	}
	return c.b[c.off], true
}

func (c *cursor) left() int { return len(c.b) - c.off }

func (c *cursor) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("byte %d: %w", c.off, fmt.Errorf(format, args...))
	}
}

// check records an error of the library's: the bytes ended within a head.
func (c *cursor) check(err error) {
	if err != nil {
		c.fail("the message ends within a value")
	}
}

// take returns the next n bytes.
func (c *cursor) take(n int) []byte {
	if n > c.left() {
		c.fail("want %d bytes, %d are left", n, c.left())
		return nil
	}
	c.off += n
	return c.b[c.off-n : c.off]
}

// skip passes over one value. Maps and extensions are in no message, and are refused.
func (c *cursor) skip(depth int) {
	head := c.take(1)
	if head == nil {
		return
	}
	switch code := head[0]; {
	case msgpcode.IsFixedNum(code), code == msgpcode.Nil, code == msgpcode.True, code == msgpcode.False:
	case code == msgpcode.Uint8, code == msgpcode.Int8:
		c.take(1)
	case code == msgpcode.Uint16, code == msgpcode.Int16:
		c.take(2)
	case code == msgpcode.Uint32, code == msgpcode.Int32, code == msgpcode.Float:
		c.take(4)
	case code == msgpcode.Uint64, code == msgpcode.Int64, code == msgpcode.Double:
		c.take(8)
	case msgpcode.IsFixedString(code):
		c.take(int(code & msgpcode.FixedStrMask))
	case msgpcode.IsFixedArray(code):
		c.skipElements(uint64(code&msgpcode.FixedArrayMask), depth)
	case code == msgpcode.Str8, code == msgpcode.Bin8:
		c.skipBytes(c.length(1))
	case code == msgpcode.Str16, code == msgpcode.Bin16:
		c.skipBytes(c.length(2))
	case code == msgpcode.Str32, code == msgpcode.Bin32:
		c.skipBytes(c.length(4))
	case code == msgpcode.Array16:
		c.skipElements(c.length(2), depth)
	case code == msgpcode.Array32:
		c.skipElements(c.length(4), depth)
	default:
		c.fail("0x%02x begins no value that a message has", code)
	}
}

// length reads a big-endian number of size bytes.
func (c *cursor) length(size int) (n uint64) {
	for _, b := range c.take(size) {
		n = n<<8 | uint64(b)
	}
	return n
}

func (c *cursor) skipBytes(n uint64) {
	if n > uint64(c.left()) {
		c.fail("want %d bytes, %d are left", n, c.left())
		return
	}
	c.off += int(n)
}

func (c *cursor) skipElements(n uint64, depth int) {
	switch {
	case depth == maxDepth:
		c.fail("nested deeper than %d", maxDepth)
	case n > uint64(c.left()):
		c.fail("%d elements in %d bytes", n, c.left())
	}
	for ; n > 0 && c.err == nil; n-- {
		c.skip(depth + 1)
	}
}
