package wire

import (
	"fmt"
	"iter"
	"syscall"
	"testing"
	"time"

	"github.com/proctape/proctape/schema"
)

// sizes are how many processes the messages have.
var sizes = []int{20, 200, 2000}

// kinds are the messages: of a simulated host, and of a recorded one that builds.
var kinds = []string{"simulate", "real"}

// firstLines are the first snapshots of the kinds.
var firstLines = map[string]*line{}

// sized returns a message of n processes.
func sized(b *testing.B, kind string, n int) *schema.Message {
	b.Helper()
	if firstLines[kind] == nil {
		var l line
		if kind == "real" {
			l = recording(b, "building", 1)[0]
		} else {
			text, err := schema.JSON.Append(nil, fleet(b, 1, 1)())
			must(b, err)
			l = lineOf(b, text)
		}
		firstLines[kind] = &l
	}
	return firstLines[kind].resized(b, n)
}

// each runs a benchmark for every size and kind of message.
func each(b *testing.B, run func(b *testing.B, m *schema.Message)) {
	for _, n := range sizes {
		for _, kind := range kinds {
			b.Run(fmt.Sprintf("%s/processes=%d", kind, n), func(b *testing.B) { run(b, sized(b, kind, n)) })
		}
	}
}

func BenchmarkWireEncode(b *testing.B) {
	each(b, func(b *testing.B, m *schema.Message) {
		payload, err := schema.Msgpack.Append(nil, m)
		must(b, err)
		b.ReportAllocs()
		began := cpuTime(b)
		for b.Loop() {
			payload, err = schema.Msgpack.Append(payload[:0], m)
			must(b, err)
		}
		reportCPU(b, began)
		b.ReportMetric(float64(len(payload))/float64(processesIn(b, m)), "payload-B/process")
	})
}

// BenchmarkWireDecode decodes as far as the fold needs it, and as the fold does: it lets go of what it has used.
func BenchmarkWireDecode(b *testing.B) {
	each(b, func(b *testing.B, m *schema.Message) { decodeAgain(b, m, release) })
}

// BenchmarkWireDecodeKept decodes for a reader that keeps what it reads.
func BenchmarkWireDecodeKept(b *testing.B) {
	each(b, func(b *testing.B, m *schema.Message) { decodeAgain(b, m, func(*schema.Message) {}) })
}

// release lets go of a message where a version has that.
func release(m *schema.Message) {
	if m, ok := any(m).(interface{ Release() }); ok {
		m.Release()
	}
}

// rower are the processes of a version that decodes columns. In older ones a decoded message has rows already.
type rower interface{ Rows() []schema.Process }

// eacher are those of a version that makes rows one after another too.
type eacher interface {
	Each() iter.Seq[*schema.Process]
}

// BenchmarkWireDecodeRows decodes to a list of processes.
func BenchmarkWireDecodeRows(b *testing.B) {
	each(b, func(b *testing.B, m *schema.Message) {
		decodeAgain(b, m, func(m *schema.Message) {
			if columns, ok := any(&m.Snapshot.Processes).(rower); ok {
				columns.Rows()
			}
			release(m)
		})
	})
}

// BenchmarkWireDecodeEach decodes and goes through all processes, of which it keeps none.
func BenchmarkWireDecodeEach(b *testing.B) {
	each(b, func(b *testing.B, m *schema.Message) {
		threads := 0
		decodeAgain(b, m, func(m *schema.Message) {
			switch ps := any(&m.Snapshot.Processes).(type) {
			case eacher:
				for p := range ps.Each() {
					threads += p.Threads
				}
			case *[]schema.Process:
				for i := range *ps {
					threads += (*ps)[i].Threads
				}
			}
			release(m)
		})
	})
}

func decodeAgain(b *testing.B, m *schema.Message, and func(*schema.Message)) {
	payload, err := schema.Msgpack.Append(nil, m)
	must(b, err)
	b.ReportAllocs()
	began := cpuTime(b)
	for b.Loop() {
		m, err := schema.Msgpack.Decode(payload)
		must(b, err)
		and(m)
	}
	reportCPU(b, began)
}

// cpuTime is the CPU that the process has used, collections of garbage included: what other programs take does not count.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func reportCPU(b *testing.B, began time.Duration) {
	b.ReportMetric(float64(cpuTime(b)-began)/float64(b.N), "cpu-ns/op")
}
