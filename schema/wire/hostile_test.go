package wire

import (
	"bytes"
	"math"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"

	"github.com/vmihailenco/msgpack/v5"
)

// representative is a message with a field of every form, a list of records and an unknown tail.
func representative() []byte {
	b := message(func(w *Writer) {
		w.Array(9)
		w.Uint(1)
		w.String("snapshot")
		w.Bytes(bytes.Repeat([]byte{7}, 16))
		w.Int(-1 << 40)
		w.Nil()
		w.Bool(true)
		w.Array(2)
		for range 2 {
			w.Array(3)
			w.Uint(1 << 20)
			w.String("/usr/bin/some-command --with an-argument")
			w.Uint(3)
		}
	})
	b = append(b, 0x92, 0xa1, 'k', 0xcb, 0, 0, 0, 0, 0, 0, 0, 0) // a list of a string and a float
	return append(b, 0xdc, 0, 1, 0xd9, 2, 'h', 'i')              // a list of one string
}

// readRepresentative reads it the way a decoder of records does, and returns its reader.
func readRepresentative(b []byte) *Reader {
	r := NewReader(b)
	_, outer := r.Open(64)
	r.Uint()
	r.String(256)
	r.Bytes(16)
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
		{"str32", []byte{0xdb, 0xff, 0xff, 0xff, 0xff}, func(r *Reader) { r.String(math.MaxInt) }},
		{"str32 passed over", []byte{0x91, 0xdb, 0xff, 0xff, 0xff, 0xff}, openClose},
		{"bin32", []byte{0xc6, 0xff, 0xff, 0xff, 0xff}, func(r *Reader) { r.Bytes(math.MaxInt) }},
		{"bin32 passed over", []byte{0x91, 0xc6, 0xff, 0xff, 0xff, 0xff}, openClose},
		{"ext32", []byte{0x91, 0xc9, 0xff, 0xff, 0xff, 0xff, 1}, openClose},
		{"deep arrays", bytes.Repeat([]byte{0x91}, 16<<10), openClose},
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

// nested are 8 million lists of one list each: 20 KB of a compressed payload can become as many.
var nested = sync.OnceValue(func() []byte { return bytes.Repeat([]byte{0x91}, 8<<20) })

// The reader looks at no more of them than its depth, so that it has refused them before it has done anything.
func TestReader_NestedBomb(t *testing.T) {
	b := nested()
	for name, read := range map[string]func(*Reader){"closed": openClose, "skipped": (*Reader).Skip} {
		r := NewReader(b)
		read(r)
		if r.Err() == nil || !strings.Contains(r.Err().Error(), "nested deeper than 8") {
			t.Errorf("%s: got error %v, want it refused for its depth", name, r.Err())
		}
		if read := len(b) - r.Remaining(); read > maxDepth+2 {
			t.Errorf("%s: read %d bytes before it was refused, want at most %d", name, read, maxDepth+2)
		}
	}
}

// The control of both: what the library does by itself. It recurses once a level, until the stack overflows, which nobody
// can recover from: therefore a process of its own, with the stack's limit lowered. And it allocates what five bytes ask.
func TestLibrary_HasTheFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	t.Run("recursion", func(t *testing.T) {
		if os.Getenv("PROCTAPE_NESTED_BOMB") != "" {
			debug.SetMaxStack(64 << 20)
			t.Log(msgpack.NewDecoder(bytes.NewReader(nested())).Skip())
			return
		}
		victim := exec.Command(os.Args[0], "-test.run=TestLibrary_HasTheFaults/recursion")
		victim.Env = append(os.Environ(), "PROCTAPE_NESTED_BOMB=1")
		out, err := victim.CombinedOutput()
		if err == nil || !bytes.Contains(out, []byte("stack overflow")) {
			t.Errorf("got error %v, want a stack overflow: the bomb shows nothing about our reader\n%.500s", err, out)
		}
	})
	t.Run("allocation", func(t *testing.T) {
		bomb := []byte{0xc6, 0x04, 0, 0, 0} // a byte string of 64 MiB
		got := allocated(func() { _, _ = msgpack.NewDecoder(bytes.NewReader(bomb)).DecodeBytes() })
		if got < 1<<20 {
			t.Errorf("the library allocated %d bytes for 5: the bomb shows nothing about our reader", got)
		}
		got = allocated(func() { NewReader(bomb).Bytes(math.MaxInt) })
		if got > 64<<10 {
			t.Errorf("our reader allocated %d bytes for 5", got)
		}
	})
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
	f.Add(bytes.Repeat([]byte{0x91}, 100))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r *Reader
		got := allocated(func() { r = readRepresentative(b) })
		if limit := uint64(2*len(b) + 64<<10); got > limit {
			t.Errorf("allocated %d bytes for %d, the limit is %d", got, len(b), limit)
		}
		if left := r.Remaining(); left < 0 || left > len(b) {
			t.Errorf("%d bytes are left of %d", left, len(b))
		}
	})
}
