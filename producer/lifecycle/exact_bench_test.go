package lifecycle

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/schema"
)

// What seeing a process from its fork to its exit costs, polled every 20 ms: of a flood, as fast as one process forks,
// and at some 300 a second.
func BenchmarkExact(b *testing.B) {
	for _, see := range kindsSee[:2] {
		for name, load := range map[string]struct{ children, pause int }{"flood": {20_000, 0}, "paced": {1500, 3000}} {
			b.Run(string(see.kind)+"/"+name, func(b *testing.B) {
				r := newRig(b, openOne(see.kind))
				r.pollLonger()
				var cpu, wall time.Duration
				for b.Loop() {
					f := startRole(b, "forker")
					r.told = nil
					before, began := ownCPU(b), time.Now()
					fmt.Fprintln(f.stdin, load.children, load.pause)
					for len(r.of(schema.KindExit, f.pid())) == 0 {
						time.Sleep(20 * time.Millisecond)
						r.poll()
						r.told = r.told[:0]
						r.take(r.now() - int64(EventDelay))
					}
					cpu, wall = cpu+ownCPU(b)-before, wall+time.Since(began)
					f.wait()
				}
				processes := float64(b.N * load.children)
				b.ReportMetric(float64(cpu.Microseconds())/processes, "cpu-µs/process")
				b.ReportMetric(processes/wall.Seconds(), "processes/s")
				b.ReportMetric(100*cpu.Seconds()/wall.Seconds(), "%core")
				b.ReportMetric(float64(r.lost(schema.GapEventsLost)), "lost")
			})
		}
	}
}

// ownCPU is the CPU time of this process, without its children.
func ownCPU(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
