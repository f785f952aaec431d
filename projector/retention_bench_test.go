package projector

import (
	"testing"

	"github.com/proctape/proctape/projector/retention"
	"github.com/proctape/proctape/schema"
)

// BenchmarkRetention makes one pass over the load of the benchmark of the fold, most of which has left full resolution:
// 200,000 samples, one every five seconds of 200 processes.
func BenchmarkRetention(b *testing.B) {
	var snapshots, samples, spent int64
	for b.Loop() {
		b.StopTimer()
		w := newWorld(b)
		var made []*schema.Message
		for i, d := range benchDeliveries(b) {
			d.Msg.Wall += int64(i) * 4 * second
			d.Msg.Boot += int64(i) * 4 * second
			d.Msg.Snapshot.Interval = 5 * second
			made = append(made, d.Msg)
		}
		w.publish(made...)
		w.set(func(r *retention.Reading) { r.Wall = made[len(made)-1].Wall })
		d := w.open("live", short)
		d.settle()
		before := cpuTime(b)
		b.StartTimer()
		removed := d.retain()
		b.StopTimer()
		spent += cpuTime(b) - before
		snapshots, samples = snapshots+removed.Snapshots, samples+removed.Samples
		d.stop()
		b.StartTimer()
	}
	if snapshots == 0 {
		b.Fatal("nothing was removed")
	}
	b.ReportMetric(float64(samples)/b.Elapsed().Seconds(), "samples/s")
	b.ReportMetric(float64(spent)/float64(samples), "cpu-ns/sample")
}
