package simulate

import (
	"testing"
	"time"

	"github.com/proctape/proctape/schema"
)

// BenchmarkStep is one step of one of a thousand hosts of 200 processes. At 40 000 rows a second there are 200 steps a
// second: core_% is what they take of a core.
func BenchmarkStep(b *testing.B) {
	cfg := Config{Hosts: 1000, Processes: 200, Interval: 5 * time.Second, Churn: 0.1, Jobs: 2, Start: start}
	b.Run("make", func(b *testing.B) {
		benchmarkSteps(b, cfg, func(*schema.Message) error { return nil })
	})
	b.Run("make and encode", func(b *testing.B) {
		var payload []byte
		benchmarkSteps(b, cfg, func(m *schema.Message) (err error) {
			payload, _, err = schema.Encode(payload, m)
			return err
		})
	})
}

func benchmarkSteps(b *testing.B, cfg Config, each func(*schema.Message) error) {
	f, err := NewFleet(cfg)
	if err != nil {
		b.Fatal(err)
	}
	for i := range f.Len() {
		f.Host(i).Step()
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		for _, m := range f.Host(n % f.Len()).Step() {
			if err := each(&m); err != nil {
				b.Fatal(err)
			}
		}
		n++
	}
	perStep := b.Elapsed().Seconds() / float64(b.N)
	b.ReportMetric(float64(cfg.Processes)/perStep, "rows/s")
	b.ReportMetric(100*perStep*float64(cfg.Hosts)/cfg.Interval.Seconds(), "core_%")
}
