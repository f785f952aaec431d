package wire

import (
	"bytes"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// done fails the test unless the reader is at the end of its message and met no error.
func done(t *testing.T, r *Reader) {
	t.Helper()
	if r.Err() != nil || r.Remaining() != 0 {
		t.Errorf("got error %v and %d bytes left, want neither", r.Err(), r.Remaining())
	}
}

// general decodes a message with the general library, into Go values of no particular type.
func general(t *testing.T, b []byte) any {
	t.Helper()
	src := bytes.NewReader(b)
	v, err := msgpack.NewDecoder(src).DecodeInterface()
	if err != nil || src.Len() != 0 {
		t.Fatalf("general library: got error %v and %d bytes left, want neither", err, src.Len())
	}
	return v
}

func TestUint_RoundTrip(t *testing.T) {
	tests := []struct {
		v    uint64
		size int
	}{
		{0, 1}, {1, 1}, {0x7f, 1},
		{0x80, 2}, {0xff, 2},
		{0x100, 3}, {0xffff, 3},
		{0x10000, 5}, {0xffffffff, 5},
		{0x100000000, 9}, {math.MaxInt64, 9}, {math.MaxInt64 + 1, 9}, {math.MaxUint64, 9},
	}
	for _, test := range tests {
		t.Run(strconv.FormatUint(test.v, 10), func(t *testing.T) {
			b := AppendUint(nil, test.v)
			if len(b) != test.size {
				t.Errorf("got %d bytes, want %d", len(b), test.size)
			}
			r := NewReader(b)
			if got := r.Uint(); got != test.v {
				t.Errorf("got %d, want %d", got, test.v)
			}
			done(t, r)
			if got := reflect.ValueOf(general(t, b)); toUint(got) != test.v {
				t.Errorf("general library: got %v, want %d", got, test.v)
			}
		})
	}
}

func TestInt_RoundTrip(t *testing.T) {
	tests := []struct {
		v    int64
		size int
	}{
		{0, 1}, {0x7f, 1}, {-1, 1}, {-32, 1},
		{0x80, 2}, {-33, 2}, {-1 << 7, 2},
		{-1<<7 - 1, 3}, {-1 << 15, 3},
		{-1<<15 - 1, 5}, {-1 << 31, 5},
		{-1<<31 - 1, 9}, {math.MinInt64, 9}, {math.MaxInt64, 9},
	}
	for _, test := range tests {
		t.Run(strconv.FormatInt(test.v, 10), func(t *testing.T) {
			b := AppendInt(nil, test.v)
			if len(b) != test.size {
				t.Errorf("got %d bytes, want %d", len(b), test.size)
			}
			r := NewReader(b)
			if got := r.Int(); got != test.v {
				t.Errorf("got %d, want %d", got, test.v)
			}
			done(t, r)
			if got := reflect.ValueOf(general(t, b)); int64(toUint(got)) != test.v {
				t.Errorf("general library: got %v, want %d", got, test.v)
			}
		})
	}
}

// toUint is an integer of any type, negative ones as two's complement.
func toUint(v reflect.Value) uint64 {
	if v.CanUint() {
		return v.Uint()
	}
	return uint64(v.Int())
}

func TestString_RoundTrip(t *testing.T) {
	for n, size := range map[int]int{
		0: 1, 1: 2, 31: 32,
		32: 34, 255: 257,
		256: 259, 65535: 65538,
		65536: 65541, 100_000: 100_005,
	} {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			want := strings.Repeat("x", n)
			b := AppendString(nil, want)
			if len(b) != size {
				t.Errorf("got %d bytes, want %d", len(b), size)
			}
			r := NewReader(b)
			if got := r.String(n); got != want {
				t.Errorf("got %d bytes %.20q, want %d", len(got), got, n)
			}
			done(t, r)
			if got := general(t, b); got != want {
				t.Errorf("general library: got %.20v, want %.20q", got, want)
			}
			if n == 0 {
				return
			}
			r = NewReader(b)
			if got := r.String(n - 1); got != "" || r.Err() == nil {
				t.Errorf("a limit of %d: got %.20q, error %v, want an error", n-1, got, r.Err())
			}
		})
	}
}

func TestBytes_RoundTrip(t *testing.T) {
	for n, size := range map[int]int{
		0: 2, 16: 18, 255: 257,
		256: 259, 65535: 65538,
		65536: 65541,
	} {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			want := bytes.Repeat([]byte{0xc1}, n)
			b := AppendBytes(nil, want)
			if len(b) != size {
				t.Errorf("got %d bytes, want %d", len(b), size)
			}
			got := make([]byte, n)
			r := NewReader(b)
			if r.Bytes(got); !bytes.Equal(got, want) {
				t.Errorf("got %.20x, want %.20x", got, want)
			}
			done(t, r)
			if got := general(t, b); !bytes.Equal(got.([]byte), want) {
				t.Errorf("general library: got %.20x, want %.20x", got, want)
			}
			for _, wrong := range []int{n + 1, max(n-1, 0)} {
				r := NewReader(b)
				if r.Bytes(make([]byte, wrong)); (r.Err() == nil) != (wrong == n) {
					t.Errorf("%d bytes read as %d: got error %v", n, wrong, r.Err())
				}
			}
		})
	}
}

func TestArray_RoundTrip(t *testing.T) {
	for n, size := range map[int]int{
		0: 1, 1: 1, 15: 1,
		16: 3, 65535: 3,
		65536: 5,
	} {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			b := AppendArray(nil, n)
			if len(b) != size {
				t.Errorf("got a head of %d bytes, want %d", len(b), size)
			}
			for i := range n {
				b = AppendBool(b, i%2 == 0)
			}
			r := NewReader(b)
			got, outer := r.Open(n)
			if got != n {
				t.Fatalf("got %d elements, want %d (%v)", got, n, r.Err())
			}
			for i := range n {
				if got := r.Bool(); got != (i%2 == 0) {
					t.Fatalf("element %d: got %v, want %v", i, got, !got)
				}
			}
			r.Close(outer)
			done(t, r)
			if got := general(t, b).([]any); len(got) != n {
				t.Errorf("general library: got %d elements, want %d", len(got), n)
			}
			if n == 0 {
				return
			}
			r = NewReader(b)
			if got, _ := r.Open(n - 1); got != 0 || r.Err() == nil {
				t.Errorf("a limit of %d: got %d elements, error %v, want an error", n-1, got, r.Err())
			}
		})
	}
}

func TestNilAndBool_RoundTrip(t *testing.T) {
	b := AppendArray(nil, 4)
	b = AppendNil(b)
	b = AppendBool(b, true)
	b = AppendBool(b, false)
	b = AppendNil(b)
	if got, want := general(t, b), []any{nil, true, false, nil}; !reflect.DeepEqual(got, want) {
		t.Errorf("general library: got %v, want %v", got, want)
	}
	r := NewReader(b)
	_, outer := r.Open(4)
	got := []bool{r.Nil(), r.Nil(), r.Bool(), r.Nil(), r.Bool(), r.Nil()}
	want := []bool{true, false, true, false, false, true}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	r.Close(outer)
	done(t, r)
}

// encode encodes values with the general library, each integer in the form of its Go type.
func encode(t *testing.T, values ...any) []byte {
	t.Helper()
	var buf bytes.Buffer
	enc := msgpack.NewEncoder(&buf)
	if err := enc.EncodeArrayLen(len(values)); err != nil {
		t.Fatal(err)
	}
	if err := enc.EncodeMulti(values...); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestReader_ReadsGeneralIntegers(t *testing.T) {
	values := []any{
		int8(-128), int8(127), int16(-1 << 15), int16(1<<15 - 1), int32(-1 << 31), int32(1<<31 - 1),
		int64(math.MinInt64), int64(math.MaxInt64), int(-1), int(5),
		uint8(255), uint16(65535), uint32(math.MaxUint32), uint64(math.MaxInt64), uint64(0), int64(0), uint(7),
	}
	b := encode(t, values...)
	r := NewReader(b)
	_, outer := r.Open(len(values))
	for i, v := range values {
		want := int64(toUint(reflect.ValueOf(v)))
		if got := r.Int(); got != want {
			t.Errorf("element %d, %T: got %d, want %d", i, v, got, want)
		}
	}
	r.Close(outer)
	done(t, r)
}

func TestReader_ReadsGeneralUnsigned(t *testing.T) {
	values := []any{
		int8(127), int16(1<<15 - 1), int32(1<<31 - 1), int64(math.MaxInt64),
		uint8(255), uint16(65535), uint32(math.MaxUint32), uint64(math.MaxUint64),
	}
	r := NewReader(encode(t, values...))
	_, outer := r.Open(len(values))
	for i, v := range values {
		if got, want := r.Uint(), toUint(reflect.ValueOf(v)); got != want {
			t.Errorf("element %d, %T: got %d, want %d", i, v, got, want)
		}
	}
	r.Close(outer)
	done(t, r)
}

func TestReader_ReadsGeneralStrings(t *testing.T) {
	for _, n := range []int{0, 31, 32, 255, 256, 65535, 65536} {
		want := strings.Repeat("é", n)[:n]
		r := NewReader(encode(t, want, []byte(want), []string{want}))
		_, outer := r.Open(3)
		if got := r.String(n); got != want {
			t.Errorf("string of %d bytes: got %d", n, len(got))
		}
		p := make([]byte, n)
		if r.Bytes(p); string(p) != want {
			t.Errorf("byte string of %d bytes differs", n)
		}
		_, list := r.Open(1)
		if got := r.String(n); got != want {
			t.Errorf("string of %d bytes in a list: got %d", n, len(got))
		}
		r.Close(list)
		r.Close(outer)
		done(t, r)
	}
}

// Whatever a later version appends, the reader passes over it and finds the element after the record.
func TestReader_SkipsEveryForm(t *testing.T) {
	long := strings.Repeat("x", 70_000)
	pairs := map[string]int{}
	for i := range 70_000 {
		pairs[strconv.Itoa(i)] = i
	}
	small := map[string]int{"a": 1, "b": 2}
	medium := map[string]int{}
	for i := range 20 {
		medium[strconv.Itoa(i)] = i
	}
	tests := map[string]any{
		"nil": nil, "true": true, "false": false,
		"positive fixint": 5, "negative fixint": -5,
		"int8": int8(-100), "int16": int16(-1000), "int32": int32(-100_000), "int64": int64(math.MinInt64),
		"uint8": uint8(200), "uint16": uint16(60_000), "uint32": uint32(math.MaxUint32), "uint64": uint64(math.MaxUint64),
		"float32": float32(1.5), "float64": 1.5,
		"fixstr": "x", "str8": long[:200], "str16": long[:300], "str32": long,
		"bin8": []byte(long[:200]), "bin16": []byte(long[:300]), "bin32": []byte(long),
		"fixarray": []int{1, 2}, "array16": make([]int, 20), "array32": make([]int, 70_000),
		"fixmap": small, "map16": medium, "map32": pairs,
		"fixext": time.Unix(1, 0), "ext8": time.Unix(-1, 1),
		"nested": []any{[]any{small, []any{}}, map[string]any{"a": []any{nil, 1.5}}},
		"fixext 1, 2, 4, 8, 16": []msgpack.RawMessage{
			{0xd4, 1, 0}, {0xd5, 1, 0, 0}, append([]byte{0xd6, 1}, make([]byte, 4)...),
			append([]byte{0xd7, 1}, make([]byte, 8)...), append([]byte{0xd8, 1}, make([]byte, 16)...),
		},
		"ext8, 16, 32": []msgpack.RawMessage{
			append([]byte{0xc7, 3, 1}, make([]byte, 3)...), append([]byte{0xc8, 0, 3, 1}, make([]byte, 3)...),
			append([]byte{0xc9, 0, 0, 0, 3, 1}, make([]byte, 3)...), {0xc7, 0, 1},
		},
	}
	for name, v := range tests {
		t.Run(name, func(t *testing.T) {
			r := NewReader(encode(t, []any{"known", v, v}, "next"))
			_, outer := r.Open(2)
			_, record := r.Open(3)
			if got := r.String(10); got != "known" {
				t.Errorf("got %q, want %q", got, "known")
			}
			r.Close(record)
			if got := r.String(10); got != "next" {
				t.Errorf("after the record: got %q, want %q", got, "next")
			}
			r.Close(outer)
			done(t, r)
		})
	}
}

func TestReader_MissingTailReadsAsZero(t *testing.T) {
	b := AppendArray(nil, 2)
	b = AppendArray(b, 1)
	b = AppendUint(b, 7)
	b = AppendString(b, "next")
	r := NewReader(b)
	_, outer := r.Open(2)
	_, record := r.Open(64)
	if got := r.Uint(); got != 7 {
		t.Errorf("got %d, want 7", got)
	}
	p := [3]byte{1, 2, 3}
	r.Bytes(p[:])
	if s, i, u, v, null := r.String(9), r.Int(), r.Uint(), r.Bool(), r.Nil(); s != "" || i != 0 || u != 0 || v || !null || p != [3]byte{1, 2, 3} {
		t.Errorf("missing elements: got %q, %d, %d, %v, nil %v, bytes %v, want zeros, nil and the bytes as they were",
			s, i, u, v, null, p)
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
	r := NewReader(AppendNil(nil))
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
		{"string for an integer", AppendString(nil, "1"), func(r *Reader) { r.Int() }, "0xa1 is no integer"},
		{"string for an unsigned integer", AppendString(nil, "1"), func(r *Reader) { r.Uint() }, "0xa1 is no unsigned integer"},
		{"float for an integer", []byte{0xca, 0, 0, 0, 0}, func(r *Reader) { r.Int() }, "0xca is no integer"},
		{"nil for an integer", []byte{0xc0}, func(r *Reader) { r.Int() }, "0xc0 is no integer"},
		{"negative fixint for an unsigned integer", []byte{0xff}, func(r *Reader) { r.Uint() }, "0xff is no unsigned integer"},
		{"negative int8 for an unsigned integer", []byte{0xd0, 0x80}, func(r *Reader) { r.Uint() }, "a negative number"},
		{"uint64 beyond 63 bits", AppendUint(nil, 1<<63), func(r *Reader) { r.Int() }, "9223372036854775808 overflows 63 bits"},
		{"integer for a string", []byte{1}, func(r *Reader) { r.String(9) }, "0x01 is no string"},
		{"bytes for a string", AppendBytes(nil, []byte("x")), func(r *Reader) { r.String(9) }, "0xc4 is no string"},
		{"string beyond the limit", AppendString(nil, "0123456789"), func(r *Reader) { r.String(9) }, "string of 10 bytes, the limit is 9"},
		{"string for bytes", AppendString(nil, "x"), func(r *Reader) { r.Bytes(make([]byte, 1)) }, "0xa1 is no byte string"},
		{"bytes of another length", AppendBytes(nil, []byte("x")), func(r *Reader) { r.Bytes(make([]byte, 2)) }, "byte string of 1 bytes, want 2"},
		{"integer for a boolean", []byte{1}, func(r *Reader) { r.Bool() }, "0x01 is no boolean"},
		{"map for an array", []byte{0x81, 1, 1}, func(r *Reader) { r.Open(9) }, "0x81 is no array"},
		{"array beyond the limit", []byte{0x93, 1, 1, 1}, func(r *Reader) { r.Open(2) }, "array of 3 elements, the limit is 2"},
		{"array beyond the bytes", []byte{0x93, 1, 1}, func(r *Reader) { r.Open(9) }, "array of 3 elements in 2 bytes"},
		{"the byte that means nothing", []byte{0x91, 0xc1}, openClose, "0xc1 starts no value"},
		{"map beyond the bytes", []byte{0x91, 0x82, 1, 1, 1}, openClose, "4 elements in 3 bytes"},
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
	b := AppendArray(nil, 3)
	b = AppendString(b, "x")
	b = AppendUint(b, 7)
	b = AppendString(b, "y")
	r := NewReader(b)
	_, outer := r.Open(3)
	r.Int()
	first := r.Err()
	if first == nil || !strings.HasPrefix(first.Error(), "byte 2: ") {
		t.Fatalf("got error %v, want one at byte 2", first)
	}
	n, inner := r.Open(9)
	p := [1]byte{1}
	r.Bytes(p[:])
	if u, i, s, v, null := r.Uint(), r.Int(), r.String(9), r.Bool(), r.Nil(); n != 0 || u != 0 || i != 0 || s != "" || v || !null || p[0] != 1 {
		t.Errorf("after an error: got array of %d, %d, %d, %q, %v, nil %v, bytes %v, want zeros", n, u, i, s, v, null, p)
	}
	r.Close(inner)
	r.Close(outer)
	r.Fail("another")
	if r.Err() != first || r.Offset() != 2 {
		t.Errorf("got error %v at %d, want the first, %v, at 2", r.Err(), r.Offset(), first)
	}
}

func TestReader_StringsDoNotKeepTheMessage(t *testing.T) {
	b := AppendString(nil, "before")
	s := NewReader(b).String(9)
	copy(b[1:], "after!")
	if s != "before" {
		t.Errorf("got %q, want %q: the string shares the caller's bytes", s, "before")
	}
}
