package wire

import (
	"math"
	"strings"
	"testing"
)

// Whatever a later version appends, the reader passes over it and finds the element after the record.
func TestReader_SkipsEveryForm(t *testing.T) {
	long := strings.Repeat("x", 70_000)
	tests := map[string]any{
		"nil": nil, "true": true, "false": false,
		"positive fixint": 5, "negative fixint": -5,
		"int8": int8(-100), "int16": int16(-1000), "int32": int32(-100_000), "int64": int64(math.MinInt64),
		"uint8": uint8(200), "uint16": uint16(60_000), "uint32": uint32(math.MaxUint32), "uint64": uint64(math.MaxUint64),
		"float32": float32(1.5), "float64": 1.5,
		"fixstr": "x", "str8": long[:200], "str16": long[:300], "str32": long,
		"bin8": []byte(long[:200]), "bin16": []byte(long[:300]), "bin32": []byte(long),
		"fixarray": []int{1, 2}, "array16": make([]int, 20), "array32": make([]int, 70_000),
		"nested": []any{[]any{"a", []any{}}, []any{[]any{nil, 1.5}}},
	}
	for name, v := range tests {
		t.Run(name, func(t *testing.T) {
			r := NewReader(encode(t, []any{"known", v, v, v}, "next"))
			_, outer := r.Open(2)
			_, record := r.Open(4)
			if got := r.String(10); got != "known" {
				t.Errorf("got %q, want %q", got, "known")
			}
			r.Skip()
			r.Close(record)
			if got := r.String(10); got != "next" {
				t.Errorf("after the record: got %q, want %q", got, "next")
			}
			r.Close(outer)
			r.Skip() // of nothing
			done(t, r)
		})
	}
}

// No message has a map or an extension, so none needs to be passed over.
func TestReader_SkipsNoMapAndNoExtension(t *testing.T) {
	tests := map[string][]byte{
		"fixmap": {0x81, 1, 1}, "empty map": {0x80}, "map16": {0xde, 0, 1, 1, 1}, "map32": {0xdf, 0, 0, 0, 1, 1, 1},
		"fixext1": {0xd4, 1, 0}, "fixext2": {0xd5, 1, 0, 0}, "fixext4": {0xd6, 1, 0, 0, 0, 0},
		"fixext8":  append([]byte{0xd7, 1}, make([]byte, 8)...),
		"fixext16": append([]byte{0xd8, 1}, make([]byte, 16)...),
		"ext8":     {0xc7, 1, 1, 0}, "ext16": {0xc8, 0, 1, 1, 0}, "ext32": {0xc9, 0, 0, 0, 1, 1, 0},
		"the byte that means nothing": {0xc1},
	}
	for name, b := range tests {
		for where, b := range map[string][]byte{"": b, " in a list": append([]byte{0x91}, b...)} {
			t.Run(name+where, func(t *testing.T) {
				r := NewReader(append([]byte{0x91}, b...))
				openClose(r)
				if r.Err() == nil || !strings.Contains(r.Err().Error(), "begins no value that a message has") {
					t.Errorf("got error %v, want it refused", r.Err())
				}
			})
		}
	}
}

func TestReader_MissingTailReadsAsZero(t *testing.T) {
	r := NewReader(message(func(w *Writer) {
		w.Array(2)
		w.Array(1)
		w.Uint(7)
		w.String("next")
	}))
	_, outer := r.Open(2)
	_, record := r.Open(64)
	if got := r.Uint(); got != 7 {
		t.Errorf("got %d, want 7", got)
	}
	if s, i, u, v, null, p := r.String(9), r.Int(), r.Uint(), r.Bool(), r.Nil(), r.Bytes(9); s != "" || i != 0 || u != 0 || v || !null || p != nil {
		t.Errorf("missing elements: got %q, %d, %d, %v, nil %v, bytes %v, want zeros and nil", s, i, u, v, null, p)
	}
	n, inner := r.Open(9)
	if n != 0 {
		t.Errorf("missing array: got %d elements, want 0", n)
	}
	if got := r.Uint(); got != 0 {
		t.Errorf("in a missing array: got %d, want 0", got)
	}
	r.Close(inner)
	r.Close(record)
	if got := r.String(9); got != "next" {
		t.Errorf("after the record: got %q, want %q", got, "next")
	}
	r.Close(outer)
	done(t, r)
}

// A nil where an array should stand is an array of none.
func TestReader_NilArray(t *testing.T) {
	r := NewReader(message(func(w *Writer) { w.Nil() }))
	n, outer := r.Open(9)
	if n != 0 || r.Uint() != 0 {
		t.Errorf("got %d elements, want 0", n)
	}
	r.Close(outer)
	done(t, r)
}

func TestReader_Refuses(t *testing.T) {
	tests := []struct {
		name  string
		input []byte
		read  func(*Reader)
		want  string
	}{
		{"string for an integer", message(func(w *Writer) { w.String("1") }), func(r *Reader) { r.Int() }, "0xa1 is no integer"},
		{"string for an unsigned integer", message(func(w *Writer) { w.String("1") }), func(r *Reader) { r.Uint() }, "0xa1 is no integer"},
		{"float for an integer", []byte{0xca, 0, 0, 0, 0}, func(r *Reader) { r.Int() }, "0xca is no integer"},
		{"nil for an integer", []byte{0xc0}, func(r *Reader) { r.Int() }, "0xc0 is no integer"},
		{"negative fixint for an unsigned integer", []byte{0xff}, func(r *Reader) { r.Uint() }, "a negative number"},
		{"negative int8 for an unsigned integer", []byte{0xd0, 0x80}, func(r *Reader) { r.Uint() }, "a negative number"},
		{"uint64 beyond 63 bits", message(func(w *Writer) { w.Uint(1 << 63) }), func(r *Reader) { r.Int() }, "9223372036854775808 overflows 63 bits"},
		{"integer for a string", []byte{1}, func(r *Reader) { r.String(9) }, "0x01 is no string"},
		{"bytes for a string", message(func(w *Writer) { w.Bytes([]byte("x")) }), func(r *Reader) { r.String(9) }, "0xc4 is no string"},
		{"string beyond the limit", message(func(w *Writer) { w.String("0123456789") }), func(r *Reader) { r.String(9) }, "10 bytes, the limit is 9"},
		{"string for bytes", message(func(w *Writer) { w.String("x") }), func(r *Reader) { r.Bytes(9) }, "0xa1 is no byte string"},
		{"bytes beyond the limit", message(func(w *Writer) { w.Bytes([]byte("xx")) }), func(r *Reader) { r.Bytes(1) }, "2 bytes, the limit is 1"},
		{"nil for a string", []byte{0xc0}, func(r *Reader) { r.String(9) }, "0xc0 is no string"},
		{"nil for a boolean", []byte{0xc0}, func(r *Reader) { r.Bool() }, "0xc0 is no boolean"},
		{"string for an array", []byte{0xa1, 'x'}, func(r *Reader) { r.Open(9) }, "0xa1 is no array"},
		{"integer for a boolean", []byte{1}, func(r *Reader) { r.Bool() }, "0x01 is no boolean"},
		{"map for an array", []byte{0x81, 1, 1}, func(r *Reader) { r.Open(9) }, "0x81 is no array"},
		{"array beyond the limit", []byte{0x93, 1, 1, 1}, func(r *Reader) { r.Open(2) }, "array of 3 elements, the limit is 2"},
		{"array beyond the bytes", []byte{0x93, 1, 1}, func(r *Reader) { r.Open(9) }, "array of 3 elements in 2 bytes"},
		{"array beyond the bytes, passed over", []byte{0x91, 0x93, 1, 1}, openClose, "3 elements in 2 bytes"},
		{"nothing", nil, func(r *Reader) { r.Int() }, "want 1 bytes, 0 are left"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := NewReader(test.input)
			test.read(r)
			if r.Err() == nil || !strings.Contains(r.Err().Error(), test.want) {
				t.Errorf("got error %v, want it to say %q", r.Err(), test.want)
			}
		})
	}
}

// openClose enters an array and leaves it, so that every element is passed over.
func openClose(r *Reader) {
	_, outer := r.Open(math.MaxInt)
	r.Close(outer)
}

func TestReader_FirstErrorStays(t *testing.T) {
	r := NewReader(message(func(w *Writer) {
		w.Array(3)
		w.String("x")
		w.Uint(7)
		w.String("y")
	}))
	_, outer := r.Open(3)
	r.Int()
	first, left := r.Err(), r.Remaining()
	if first == nil || !strings.HasPrefix(first.Error(), "byte 1: ") {
		t.Fatalf("got error %v, want one at byte 1", first)
	}
	n, inner := r.Open(9)
	r.Skip()
	if u, i, s, v, null, p := r.Uint(), r.Int(), r.String(9), r.Bool(), r.Nil(), r.Bytes(9); n != 0 || u != 0 || i != 0 || s != "" || v || !null || p != nil {
		t.Errorf("after an error: got array of %d, %d, %d, %q, %v, nil %v, bytes %v, want zeros", n, u, i, s, v, null, p)
	}
	r.Close(inner)
	r.Close(outer)
	r.Fail("another")
	if r.Err() != first || r.Remaining() != left {
		t.Errorf("got error %v with %d bytes left, want the first, %v, with %d", r.Err(), r.Remaining(), first, left)
	}
}

func TestReader_StringsDoNotKeepTheMessage(t *testing.T) {
	b := message(func(w *Writer) { w.String("before") })
	s := NewReader(b).String(9)
	copy(b[1:], "after!")
	if s != "before" {
		t.Errorf("got %q, want %q: the string shares the caller's bytes", s, "before")
	}
}
