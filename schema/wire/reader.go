package wire

import (
	"math"

	"github.com/vmihailenco/msgpack/v5"
	"github.com/vmihailenco/msgpack/v5/msgpcode"
)

// Reader reads records from one message. Its first error stays: every later read returns zero values, so a decoder may
// read a whole record and look at [Reader.Err] once. Neighbouring strings share an allocation. A
// Reader is for one goroutine; nobody may change the message's bytes meanwhile.
type Reader struct {
	cursor cursor
	dec    *msgpack.Decoder
	left   int    // elements left in the array that is open
	copied string // of a part of the message that strings share
	from   int    // where in the message that part begins
}

// NewReader returns a reader of one message, whose top level is a single value.
func NewReader(b []byte) *Reader {
	r := new(Reader)
	r.dec = msgpack.NewDecoder(&r.cursor)
	r.Begin(b)
	return r
}

// Begin lets go of the message before, and reads another.
func (r *Reader) Begin(b []byte) {
	r.cursor, r.left = cursor{b: b}, 1
	r.copied, r.from = "", 0
}

// Err is the first error met, or nil.
func (r *Reader) Err() error { return r.cursor.err }

// Remaining is the number of bytes not read yet.
func (r *Reader) Remaining() int { return r.cursor.left() }

// Fail records an error, unless one is recorded already.
func (r *Reader) Fail(format string, args ...any) { r.cursor.fail(format, args...) }

// takeElement takes one element of the open array and returns the code it begins with. It is false after an error and when no
// element is left. That is how a missing tail reads as zero values.
func (r *Reader) takeElement() (code byte, ok bool) {
	if r.cursor.err != nil || r.left == 0 {
		return 0, false
	}
	r.left--
	if code, ok = r.cursor.peek(); !ok {
		r.Fail("want 1 bytes, 0 are left")
	}
	return code, ok
}

// Open enters an array of at most limit elements and returns their number. Each element takes at least one byte, so a
// length beyond the bytes that are left is refused before anything is allocated for it. outer goes to [Reader.Close].
func (r *Reader) Open(limit int) (n, outer int) {
	code, ok := r.takeElement()
	outer, r.left = r.left, 0
	switch {
	case !ok:
		return 0, outer
	case code == msgpcode.Nil:
	case !msgpcode.IsFixedArray(code) && code != msgpcode.Array16 && code != msgpcode.Array32:
		r.Fail("0x%02x is no array", code)
		return 0, outer
	}
	n, err := r.dec.DecodeArrayLen()
	r.cursor.check(err)
	switch n = max(n, 0); { // of nil it is -1
	case n > limit:
		r.Fail("array of %d elements, the limit is %d", n, limit)
	case n > r.Remaining():
		r.Fail("array of %d elements in %d bytes", n, r.Remaining())
	}
	if r.Err() == nil {
		r.left = n
	}
	return r.left, outer
}

// Close leaves the array that Open entered, passing over elements that were not read.
func (r *Reader) Close(outer int) {
	for ; r.left > 0 && r.Err() == nil; r.left-- {
		r.cursor.skip(0)
	}
	r.left = outer
}

// Skip passes over one element.
func (r *Reader) Skip() {
	if r.Err() == nil && r.left > 0 {
		r.left--
		r.cursor.skip(0)
	}
}

// Nil reports whether the next element is nil, and takes it if so. A missing element is nil too.
func (r *Reader) Nil() bool {
	if r.Err() != nil || r.left == 0 {
		return true
	}
	if code, ok := r.cursor.peek(); !ok || code != msgpcode.Nil {
		return false
	}
	r.left--
	r.cursor.check(r.dec.DecodeNil())
	return true
}

// Bool reads a boolean.
func (r *Reader) Bool() bool {
	code, ok := r.takeElement()
	if ok && code != msgpcode.True && code != msgpcode.False {
		r.Fail("0x%02x is no boolean", code)
	}
	if !ok || r.Err() != nil {
		return false
	}
	v, err := r.dec.DecodeBool()
	r.cursor.check(err)
	return v
}

// Uint reads an integer that is not negative.
func (r *Reader) Uint() uint64 {
	v, negative := integer(r)
	if negative {
		r.Fail("a negative number where none may be")
		return 0
	}
	return v
}

// Int reads an integer.
func (r *Reader) Int() int64 {
	v, negative := integer(r)
	if !negative && v > math.MaxInt64 {
		r.Fail("%d overflows 63 bits", v)
		return 0
	}
	return int64(v)
}

// integer reads an integer of any form; a negative one is in two's complement.
func integer(r *Reader) (v uint64, negative bool) {
	code, ok := r.takeElement()
	switch {
	case !ok:
		return 0, false
	case code <= msgpcode.PosFixedNumHigh, code >= msgpcode.Uint8 && code <= msgpcode.Uint64:
		v, err := r.dec.DecodeUint64()
		r.cursor.check(err)
		return v, false
	case code >= msgpcode.NegFixedNumLow, code >= msgpcode.Int8 && code <= msgpcode.Int64:
		v, err := r.dec.DecodeInt64()
		r.cursor.check(err)
		return uint64(v), v < 0
	}
	r.Fail("0x%02x is no integer", code)
	return 0, false
}

// String reads a string of at most limit bytes.
func (r *Reader) String(limit int) string {
	code, ok := r.takeElement()
	if ok && !msgpcode.IsString(code) {
		r.Fail("0x%02x is no string", code)
	}
	p := r.body(ok, limit)
	if len(p) == 0 {
		return ""
	}
	from := r.cursor.off - len(p)
	if from-r.from+len(p) > len(r.copied) {
		r.copied, r.from = string(r.cursor.b[from:min(from+max(len(p), share), len(r.cursor.b))]), from
	}
	return r.copied[from-r.from:][:len(p)]
}

// share is how many bytes of a message are copied at a time for its strings.
const share = 2 << 10

// Bytes returns a byte string of at most limit bytes, which is a part of the message; nil for nil.
func (r *Reader) Bytes(limit int) []byte {
	if r.Nil() {
		return nil
	}
	code, ok := r.takeElement()
	if ok && !msgpcode.IsBin(code) {
		r.Fail("0x%02x is no byte string", code)
	}
	return r.body(ok, limit)
}

// body slices off the bytes of a string whose head comes next, unless it is not ok or something failed.
func (r *Reader) body(ok bool, limit int) []byte {
	if !ok || r.Err() != nil {
		return nil
	}
	n, err := r.dec.DecodeBytesLen()
	r.cursor.check(err)
	if n > limit {
		r.Fail("%d bytes, the limit is %d", n, limit)
	}
	if r.Err() != nil {
		return nil
	}
	return r.cursor.take(n)
}
