package wire

import (
	"fmt"
	"testing"

	"github.com/proctape/proctape/schema"
)

// sizes are how many processes the messages have.
var sizes = []int{20, 200, 2000}

// sized returns messages of n processes: of a simulated host of 200, and of the recorded one that builds.
func sized(b *testing.B, n int) map[string]*schema.Message {
	b.Helper()
	m := fleet(b, 1)()
	text, err := schema.JSON.Append(nil, m)
	must(b, err)
	return map[string]*schema.Message{
		"simulate": lineOf(b, text).resized(b, n),
		"real":     recording(b, "building")[0].resized(b, n),
	}
}

// each runs a benchmark for every size and kind of message.
func each(b *testing.B, run func(b *testing.B, m *schema.Message)) {
	for _, n := range sizes {
		for _, kind := range []string{"simulate", "real"} {
			m := sized(b, n)[kind]
			b.Run(fmt.Sprintf("%s/processes=%d", kind, n), func(b *testing.B) { run(b, m) })
		}
	}
}

func BenchmarkWireEncode(b *testing.B) {
	each(b, func(b *testing.B, m *schema.Message) {
		payload, err := schema.Msgpack.Append(nil, m)
		must(b, err)
		b.ReportAllocs()
		for b.Loop() {
			payload, err = schema.Msgpack.Append(payload[:0], m)
			must(b, err)
		}
		b.ReportMetric(float64(len(payload))/float64(processesIn(b, m)), "payload-B/process")
	})
}

// BenchmarkWireDecode decodes as far as the fold needs it.
func BenchmarkWireDecode(b *testing.B) {
	each(b, func(b *testing.B, m *schema.Message) {
		decodeAgain(b, m, func(*schema.Message) {})
	})
}

// rower are the processes of a version that decodes columns. In older ones a decoded message has rows already.
type rower interface{ Rows() []schema.Process }

// BenchmarkWireDecodeRows decodes to a list of processes.
func BenchmarkWireDecodeRows(b *testing.B) {
	each(b, func(b *testing.B, m *schema.Message) {
		decodeAgain(b, m, func(m *schema.Message) {
			if columns, ok := any(&m.Snapshot.Processes).(rower); ok {
				columns.Rows()
			}
		})
	})
}

func decodeAgain(b *testing.B, m *schema.Message, and func(*schema.Message)) {
	payload, err := schema.Msgpack.Append(nil, m)
	must(b, err)
	b.ReportAllocs()
	for b.Loop() {
		m, err := schema.Msgpack.Decode(payload)
		must(b, err)
		and(m)
	}
}
