package procfs

import (
	"fmt"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkProcesses measures one scan of the real process table, with many sleeping children in it. It reports the
// scanning process's own CPU time per process that the scan found.
func BenchmarkProcesses(b *testing.B) {
	for _, n := range []int{200, 1000} {
		b.Run(fmt.Sprintf("children=%d", n), func(b *testing.B) {
			startSleepers(b, n)
			fs := New("")
			fs.sleepAge = 0 // as if there were some time between the scans
			defer fs.Close()
			scan, err := fs.Processes(nil, Options{})
			if err != nil {
				b.Fatal(err)
			}

			b.ReportAllocs()
			before := cpuTime(b)
			for b.Loop() {
				if scan, err = fs.Processes(scan.Processes, Options{}); err != nil {
					b.Fatal(err)
				}
			}
			spent := cpuTime(b) - before
			visits := float64(b.N) * float64(len(scan.Processes))
			b.ReportMetric(float64(spent.Microseconds())/visits, "cpu-us/process")
			b.ReportMetric(float64(b.Elapsed().Microseconds())/visits, "us/process")
			b.ReportMetric(float64(len(scan.Processes)), "processes")
		})
	}
}

// BenchmarkFirstScan measures the scan that meets every process for the first time.
func BenchmarkFirstScan(b *testing.B) {
	startSleepers(b, 1000)
	b.ReportAllocs()
	processes := 0
	for b.Loop() {
		fs := New("")
		scan, err := fs.Processes(nil, Options{EnvKeys: []string{"PATH"}})
		if err != nil {
			b.Fatal(err)
		}
		processes += len(scan.Processes)
		fs.Close()
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(processes), "us/process")
}

func BenchmarkHost(b *testing.B) {
	fs := New("")
	defer fs.Close()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := fs.Host(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseStat(b *testing.B) {
	data := []byte(statLine(1234, "cat", 'S', 567))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parseStat(data); err != nil {
			b.Fatal(err)
		}
	}
}

// startSleepers starts n processes that sleep until the benchmark ends.
func startSleepers(b *testing.B, n int) {
	b.Helper()
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		b.Skip("SKIPPED: no sleep command: ", err)
	}
	for range n {
		cmd := exec.Command(sleep, "600")
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() {
			cmd.Process.Kill()
			cmd.Wait()
		})
	}
}

// cpuTime returns the user and system time this process has spent.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
