// Package wire reads and writes the part of MessagePack that proctape's records use: nil, booleans, integers,
// strings, byte strings and arrays.
//
// It is our own because a decoder of untrusted bytes must check every length against the bytes that are left
// before it allocates anything, which the general library does not do (docs/adr/0001-own-msgpack.md). The format
// is https://github.com/msgpack/msgpack/blob/master/spec.md; the general library reads what is written here, and
// the tests prove it.
package wire

import "encoding/binary"

// The first bytes of the forms in use.
const (
	fixArray = 0x90
	fixStr   = 0xa0
	codeNil  = 0xc0
	codeF    = 0xc2
	codeT    = 0xc3
	codeBin8 = 0xc4
	codeB16  = 0xc5
	codeB32  = 0xc6
	codeF32  = 0xca
	codeF64  = 0xcb
	codeU8   = 0xcc
	codeU16  = 0xcd
	codeU32  = 0xce
	codeU64  = 0xcf
	codeI8   = 0xd0
	codeI16  = 0xd1
	codeI32  = 0xd2
	codeI64  = 0xd3
	codeS8   = 0xd9
	codeS16  = 0xda
	codeS32  = 0xdb
	codeA16  = 0xdc
	codeA32  = 0xdd
	negFix   = 0xe0
)

// AppendNil appends nil.
func AppendNil(b []byte) []byte { return append(b, codeNil) }

// AppendBool appends a boolean.
func AppendBool(b []byte, v bool) []byte {
	if v {
		return append(b, codeT)
	}
	return append(b, codeF)
}

// AppendUint appends an unsigned integer in its shortest form.
func AppendUint(b []byte, v uint64) []byte {
	switch {
	case v < 0x80:
		return append(b, byte(v))
	case v <= 0xff:
		return append(b, codeU8, byte(v))
	case v <= 0xffff:
		return append(b, codeU16, byte(v>>8), byte(v))
	case v <= 0xffffffff:
		return binary.BigEndian.AppendUint32(append(b, codeU32), uint32(v))
	}
	return binary.BigEndian.AppendUint64(append(b, codeU64), v)
}

// AppendInt appends a signed integer in its shortest form.
func AppendInt(b []byte, v int64) []byte {
	switch {
	case v >= 0:
		return AppendUint(b, uint64(v))
	case v >= -32:
		return append(b, byte(v))
	case v >= -1<<7:
		return append(b, codeI8, byte(v))
	case v >= -1<<15:
		return append(b, codeI16, byte(v>>8), byte(v))
	case v >= -1<<31:
		return binary.BigEndian.AppendUint32(append(b, codeI32), uint32(v))
	}
	return binary.BigEndian.AppendUint64(append(b, codeI64), uint64(v))
}

// AppendString appends a string.
func AppendString(b []byte, s string) []byte {
	switch n := len(s); {
	case n < 32:
		b = append(b, fixStr|byte(n))
	case n <= 0xff:
		b = append(b, codeS8, byte(n))
	case n <= 0xffff:
		b = append(b, codeS16, byte(n>>8), byte(n))
	default:
		b = binary.BigEndian.AppendUint32(append(b, codeS32), uint32(n))
	}
	return append(b, s...)
}

// AppendBytes appends a byte string.
func AppendBytes(b, v []byte) []byte {
	switch n := len(v); {
	case n <= 0xff:
		b = append(b, codeBin8, byte(n))
	case n <= 0xffff:
		b = append(b, codeB16, byte(n>>8), byte(n))
	default:
		b = binary.BigEndian.AppendUint32(append(b, codeB32), uint32(n))
	}
	return append(b, v...)
}

// AppendArray appends the head of an array of n elements, which follow.
func AppendArray(b []byte, n int) []byte {
	switch {
	case n < 16:
		return append(b, fixArray|byte(n))
	case n <= 0xffff:
		return append(b, codeA16, byte(n>>8), byte(n))
	}
	return binary.BigEndian.AppendUint32(append(b, codeA32), uint32(n))
}
