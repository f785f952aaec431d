package wire

import (
	"bytes"
	"math"
	"runtime"
	"testing"
)

// representative is a message with a field of every form, a list of records and an unknown tail.
func representative() []byte {
	b := AppendArray(nil, 10)
	b = AppendUint(b, 1)
	b = AppendString(b, "snapshot")
	b = AppendBytes(b, bytes.Repeat([]byte{7}, 16))
	b = AppendInt(b, -1<<40)
	b = AppendNil(b)
	b = AppendBool(b, true)
	b = AppendArray(b, 2)
	for range 2 {
		b = AppendArray(b, 3)
		b = AppendUint(b, 1<<20)
		b = AppendString(b, "/usr/bin/some-command --with an-argument")
		b = AppendUint(b, 3)
	}
	b = append(b, 0x82, 0xa1, 'k', 0x92, 1, 2, 0xa1, 'l', 0xcb, 0, 0, 0, 0, 0, 0, 0, 0) // a map
	b = append(b, 0xc7, 2, 1, 0, 0)                                                     // an extension
	return append(b, 0xdc, 0, 1, 0xd9, 2, 'h', 'i')                                     // an array of one string
}

// readRepresentative reads it the way a decoder of records does, and returns its reader.
func readRepresentative(b []byte) *Reader {
	r := NewReader(b)
	_, outer := r.Open(64)
	r.Uint()
	r.String(256)
	var id [16]byte
	r.Bytes(id[:])
	r.Int()
	if !r.Nil() {
		r.Int()
	}
	r.Bool()
	n, list := r.Open(1024)
	for range n {
		_, record := r.Open(64)
		r.Uint()
		r.String(4096)
		r.Close(record)
	}
	r.Close(list)
	r.Close(outer)
	return r
}

// allocated is how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestReader_EveryTruncationIsAnError(t *testing.T) {
	whole := representative()
	done(t, readRepresentative(whole))
	for n := range whole {
		if r := readRepresentative(whole[:n:n]); r.Err() == nil {
			t.Errorf("the first %d of %d bytes: got no error", n, len(whole))
		}
	}
}

func TestReader_LengthBombs(t *testing.T) {
	tests := []struct {
		name  string
		input []byte
		read  func(*Reader)
	}{
		{"array32 opened", []byte{0xdd, 0x02, 0xff, 0xff, 0xff}, func(r *Reader) { r.Open(math.MaxInt) }},
		{"array32 passed over", []byte{0x91, 0xdd, 0x02, 0xff, 0xff, 0xff}, openClose},
		{"array32 of all bits", []byte{0x91, 0xdd, 0xff, 0xff, 0xff, 0xff}, openClose},
		{"array16", []byte{0xdc, 0xff, 0xff, 1}, func(r *Reader) { r.Open(math.MaxInt) }},
		{"map32", []byte{0x91, 0xdf, 0xff, 0xff, 0xff, 0xff}, openClose},
		{"map32 of half", []byte{0x91, 0xdf, 0x80, 0, 0, 0}, openClose},
		{"map16", []byte{0x91, 0xde, 0xff, 0xff}, openClose},
		{"str32", []byte{0xdb, 0xff, 0xff, 0xff, 0xff}, func(r *Reader) { r.String(math.MaxInt) }},
		{"str32 passed over", []byte{0x91, 0xdb, 0xff, 0xff, 0xff, 0xff}, openClose},
		{"bin32", []byte{0xc6, 0xff, 0xff, 0xff, 0xff}, func(r *Reader) { r.Bytes(make([]byte, 16)) }},
		{"bin32 passed over", []byte{0x91, 0xc6, 0xff, 0xff, 0xff, 0xff}, openClose},
		{"ext32", []byte{0x91, 0xc9, 0xff, 0xff, 0xff, 0xff, 1}, openClose},
		{"deep arrays", bytes.Repeat([]byte{0x91}, 16<<10), openClose},
		{"deep maps", append([]byte{0x91}, bytes.Repeat([]byte{0x81, 1}, 8<<10)...), openClose},
		{"deep array32", append([]byte{0x91}, bytes.Repeat([]byte{0xdd, 0, 0, 0, 1}, 3<<10)...), openClose},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var r *Reader
			got := allocated(func() {
				r = NewReader(test.input)
				test.read(r)
			})
			if r.Err() == nil {
				t.Error("got no error")
			}
			if limit := uint64(64 << 10); got >= limit {
				t.Errorf("allocated %d bytes for %d, want fewer than %d", got, len(test.input), limit)
			}
		})
	}
}

// Depth is counted per value that is passed over: what lies at the limit is read, what lies below it is not.
func TestReader_Depth(t *testing.T) {
	for depth, ok := range map[int]bool{1: true, maxDepth: true, maxDepth + 1: false} {
		b := append([]byte{0x91}, bytes.Repeat([]byte{0x91}, depth)...)
		r := NewReader(append(b, 1))
		openClose(r)
		if got := r.Err() == nil; got != ok {
			t.Errorf("nested %d deep: got error %v, want passed over %v", depth, r.Err(), ok)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte{})
	f.Add(representative())
	f.Add([]byte{0xdd, 0x02, 0xff, 0xff, 0xff})
	f.Add(append([]byte{0x91}, bytes.Repeat([]byte{0x81, 1}, 100)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r *Reader
		got := allocated(func() { r = readRepresentative(b) })
		if limit := uint64(2*len(b) + 64<<10); got > limit {
			t.Errorf("allocated %d bytes for %d, the limit is %d", got, len(b), limit)
		}
		if r.Remaining() < 0 || r.Remaining()+r.Offset() != len(b) {
			t.Errorf("got offset %d and %d left of %d bytes", r.Offset(), r.Remaining(), len(b))
		}
	})
}
