package wire

import (
	"bytes"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"
)

// message is what write writes.
func message(write func(w *Writer)) []byte {
	w := NewWriter()
	write(w)
	return w.Take()
}

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
			b := message(func(w *Writer) { w.Uint(test.v) })
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
			b := message(func(w *Writer) { w.Int(test.v) })
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
			b := message(func(w *Writer) { w.String(want) })
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
			b := message(func(w *Writer) { w.Bytes(want) })
			if len(b) != size {
				t.Errorf("got %d bytes, want %d", len(b), size)
			}
			r := NewReader(b)
			if got := r.Bytes(n); got == nil || !bytes.Equal(got, want) {
				t.Errorf("got %.20x, want %.20x", got, want)
			}
			done(t, r)
			if got := general(t, b); !bytes.Equal(got.([]byte), want) {
				t.Errorf("general library: got %.20x, want %.20x", got, want)
			}
			if n == 0 {
				return
			}
			r = NewReader(b)
			if got := r.Bytes(n - 1); got != nil || r.Err() == nil {
				t.Errorf("a limit of %d: got %.20x, error %v, want an error", n-1, got, r.Err())
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
			if head := message(func(w *Writer) { w.Array(n) }); len(head) != size {
				t.Errorf("got a head of %d bytes, want %d", len(head), size)
			}
			b := message(func(w *Writer) {
				w.Array(n)
				for i := range n {
					w.Bool(i%2 == 0)
				}
			})
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
	b := message(func(w *Writer) {
		w.Array(4)
		w.Nil()
		w.Bool(true)
		w.Bool(false)
		w.Nil()
	})
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
		if got := r.Bytes(n); string(got) != want {
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
