package schema

import (
	"bytes"
	"runtime"
	"strings"
	"testing"
	"unsafe"
	"weak"

	"github.com/proctape/proctape/schema/metric"
	"github.com/proctape/proctape/schema/wire"
)

// bytesOfRow is what a process takes in columns: its numbers, its texts' heads, and a number to read those by.
const bytesOfRow = 8*(int(metric.Count)+1) + 16*3

// The most that decoding may allocate for a message of n bytes. MessagePack: of a process, whose pid takes a byte, its row;
// of a list of records whose fields are a byte each, some twenty times their bytes; of the tables of texts, twenty-five times.
// There are at most MaxProcesses rows. The worst of JSON is a list of processes that tell nothing but a pid and a state,
// which encoding/json grows step by step.
var decodeLimit = map[string]func(n int) uint64{
	"msgpack": func(n int) uint64 { return uint64(30*n + bytesOfRow*min(n, MaxProcesses) + 64<<10) },
	"json":    func(n int) uint64 { return uint64(88*n + 4<<20) },
}

// upToBody is a message as the first version wrote it, which ends with its body.
func upToBody(t testing.TB, m *Message) []byte {
	m.Acked = 0
	b := encoded(t, Msgpack, m)
	b[0] = 0x9b
	return b[:len(b)-2]
}

// snapshotOf is a message up to the processes of its snapshot, whose columns write adds.
func snapshotOf(t testing.TB, write func(w *wire.Writer)) []byte {
	m := &Message{Envelope: envelope(KindSnapshot, 1), Snapshot: &Snapshot{}}
	b := upToBody(t, m)
	w := wire.NewWriter()
	w.Begin(b[:len(b)-3]) // of no process: a list of one zero, and one of no system call
	write(w)
	return w.Take()
}

// constantRows is a snapshot of n processes that are alike but for their pids: the column of pids has as many bytes as it
// is given, every other has two.
func constantRows(t testing.TB, n, pids int) []byte {
	return snapshotOf(t, func(w *wire.Writer) {
		w.Array(1 + int(metric.Count))
		w.Uint(uint64(n))
		for id := range metric.Count {
			switch m := &metric.Table[id]; {
			case id == metric.PID:
				w.Bytes(append([]byte{3, 1}, make([]byte, pids-1)...))
			case m.Kind == metric.Text:
				w.Array(3)
				w.Uint(1)
				w.Bytes([]byte{0})
				w.Bytes([]byte{0, 0})
			case m.Kind == metric.Letter:
				w.Bytes([]byte{0, 'S'})
			default:
				w.Bytes([]byte{0, 1})
			}
		}
		w.Array(0)
	})
}

// The largest snapshot for its bytes: a byte a process.
func TestDecode_ConstantRows(t *testing.T) {
	b := constantRows(t, MaxProcesses, MaxProcesses)
	var m *Message
	var err error
	got := allocated(func() { m, err = Msgpack.Decode(b) })
	if err != nil || m.Snapshot.Processes.Len() != MaxProcesses {
		t.Fatalf("got error %v, want %d processes", err, MaxProcesses)
	}
	limit := uint64(bytesOfRow*MaxProcesses + 4*len(b) + 64<<10)
	t.Logf("%d bytes for %d, the limit is %d", got, len(b), limit)
	if got > limit {
		t.Errorf("allocated %d bytes for %d, the limit is %d", got, len(b), limit)
	}
}

// The control: whoever makes room for as many processes as the message says allocates eleven megabytes for 200 bytes.
func TestDecode_CountWithoutPIDs(t *testing.T) {
	b := constantRows(t, MaxProcesses, 2)
	limit := decodeLimit["msgpack"](len(b))
	var err error
	if got := allocated(func() { _, err = Msgpack.Decode(b) }); got > limit {
		t.Errorf("allocated %d bytes for %d, the limit is %d", got, len(b), limit)
	}
	if err == nil || !strings.Contains(err.Error(), "column pid: 65536 processes in 3 bytes") {
		t.Errorf("got error %v, want one that says why", err)
	}
	unchecked := func(b []byte) {
		c := columnReader{r: wire.NewReader(b), ps: new(Processes), n: MaxProcesses, room: MaxProcesses}
		c.readNumbers() // as if the pids were there
	}
	if got := allocated(func() { unchecked(b) }); got <= limit {
		t.Errorf("without the check %d bytes are allocated, within the limit of %d: the bound catches nothing", got, limit)
	}
}

func TestDecode_Allocation(t *testing.T) {
	// list is a message of a kind up to its body, which is n records of nothing but nils, zeros and empty strings.
	list := func(kind Kind, n, fields int, field string) []byte {
		m := &Message{Envelope: envelope(kind, 1), Rollup: &Rollup{Minute: minWall, Samples: 1, Covers: []Cover{{First: 1, Last: 1}}}}
		b := upToBody(t, m)
		b = append(b[:len(b)-1], 0xdd, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
		record := append([]byte{0xdc, 0, byte(fields)}, strings.Repeat(field, fields)...)
		return append(b, bytes.Repeat(record, n)...)
	}
	jsonList := func(record string) []byte {
		n := (MaxJSON - 100) / (len(record) + 1)
		return []byte(`{"v":2,"snapshot":{"processes":[` + strings.Repeat(record+",", n) + record + `]}}`)
	}
	syscalls := func(rows int, records func(w *wire.Writer, row int)) []byte {
		b := constantRows(t, rows, rows)
		w := wire.NewWriter()
		w.Begin(b[:len(b)-1])
		w.Array(maxSyscalls)
		for i := range maxSyscalls {
			records(w, i*rows/maxSyscalls)
		}
		return w.Take()
	}
	tests := []struct {
		name, format string
		payload      []byte
	}{
		{"constant rows", "msgpack", constantRows(t, MaxProcesses, MaxProcesses)},
		{"a thousand constant rows", "msgpack", constantRows(t, 1000, 1000)},
		{"more rows than may be", "msgpack", constantRows(t, MaxProcesses+1, MaxProcesses+1)},
		{"rollups of nothing", "msgpack", list(KindRollup, MaxProcesses, 0, "")},
		{"rollups of all fields", "msgpack", list(KindRollup, MaxProcesses, 17, "\xc0")},
		{"a system call of each process", "msgpack", syscalls(MaxProcesses, func(w *wire.Writer, row int) {
			w.Array(4)
			w.Uint(uint64(row))
			w.String("x")
			w.Uint(0)
			w.Uint(0)
		})},
		{"system calls of nothing", "msgpack", syscalls(1, func(w *wire.Writer, _ int) { w.Array(0) })},
		{"processes that are none", "json", jsonList("0")},
		{"processes of nothing", "json", jsonList("{}")},
		{"processes of a pid and a state", "json", jsonList(`{"pid":1,"state":"S"}`)},
		{"processes of one pid", "json", jsonList(`{"pid":100000,"ppid":1,"state":"S"}`)},
		{"lists of nothing", "json", jsonList(`{"syscalls":[` + strings.Repeat("0,", 1000) + `0]}`)},
	}
	for _, e := range examples() {
		for format, codec := range codecs {
			tests = append(tests, struct {
				name, format string
				payload      []byte
			}{e.name, format, encoded(t, codec, e.m)})
		}
	}
	for _, test := range tests {
		t.Run(test.name+" in "+test.format, func(t *testing.T) {
			got := allocated(func() { codecs[test.format].Decode(test.payload) })
			if limit := decodeLimit[test.format](len(test.payload)); got > limit {
				t.Errorf("allocated %d bytes for %d, %.1f times as many, want at most %d",
					got, len(test.payload), float64(got)/float64(len(test.payload)), limit)
			}
		})
	}
}

// A message neither changes with the bytes it was decoded from nor keeps them alive.
func TestDecode_LetsGoOfPayload(t *testing.T) {
	for _, e := range examples() {
		t.Run(e.name, func(t *testing.T) {
			payload := encoded(t, Msgpack, e.m)
			m, err := Msgpack.Decode(payload)
			if err != nil {
				t.Fatal(err)
			}
			clear(payload)
			if !equal(m, e.m) {
				t.Error("the message changed with the bytes it was decoded from")
			}
			kept := weak.Make(unsafe.SliceData(payload))
			payload = nil
			runtime.GC()
			if kept.Value() != nil {
				t.Error("the bytes are still in memory")
			}
			runtime.KeepAlive(m)
		})
	}
}
