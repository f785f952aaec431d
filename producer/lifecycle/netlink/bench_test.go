package netlink

import (
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// With nobody else about, what reading an event costs.
func BenchmarkConnector_Read(b *testing.B) {
	c := openConnector(b, 0)
	benchmarkRead(b, func() int {
		events, overrun, err := c.Read(nil, 1<<20)
		if overrun || err != nil {
			b.Fatalf("got %t, %v", overrun, err)
		}
		return len(events)
	})
}

func BenchmarkTaskstats_Read(b *testing.B) {
	s := openTaskstats(b, 0)
	benchmarkRead(b, func() int {
		records, overrun, err := s.Read(nil, 1<<20)
		if overrun || err != nil {
			b.Fatalf("got %t, %v", overrun, err)
		}
		return len(records)
	})
}

// benchmarkRead has 500 processes come and go an iteration, and times reading of them alone.
func benchmarkRead(b *testing.B, read func() int) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	read()
	var cpu, n = time.Duration(0), 0
	for b.Loop() {
		b.StopTimer()
		for range 500 {
			run(b, "/bin/true")
		}
		b.StartTimer()
		before := threadCPU(b)
		n += read()
		cpu += threadCPU(b) - before
	}
	b.ReportMetric(float64(cpu.Nanoseconds())/float64(n), "cpu-ns/message")
	b.ReportMetric(float64(n)/float64(b.N), "messages/op")
}

// threadCPU is the CPU time of this thread, which the benchmark holds while it reads.
func threadCPU(b *testing.B) time.Duration {
	b.Helper()
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		b.Fatal(err)
	}
	return time.Duration(ts.Nano())
}
