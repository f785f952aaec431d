package procfs

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// Each target checks that a parser returns an error, or a value that reads back the same once written as the kernel
// writes it.

func FuzzParseStat(f *testing.F) {
	f.Add([]byte(statLine(42, "a) S 1 (\nb", 'R', 700)))
	f.Add([]byte("1 (x) S"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := parseStat(data)
		if err != nil {
			return
		}
		line := fmt.Sprintf("%d (%s) %c %d 0 0 0 0 %d %d 0 %d 0 %d %d 0 0 0 0 %d 0 %d 0 0 0 %d 0 %d"+strings.Repeat(" 0", 24), s.pid, s.comm,
			s.state, s.ppid, s.flags, s.MinorFaults, s.MajorFaults, s.utime, s.stime, s.threads, s.start, s.startCode, s.startStack)
		again, err := parseStat([]byte(line))
		if err != nil || !equalStat(again, s) {
			t.Errorf("got %+v, %v, want %+v", again, err, s)
		}
	})
}

func FuzzParseStatm(f *testing.F) {
	f.Add([]byte("2000 700 300 10 0 400 0\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		roundTrip(t, data, func(data []byte) (MemoryValues, error) { return parseStatm(data, 1) }, func(m MemoryValues) string {
			return fmt.Sprintf("%d %d 0 0 0 0 0\n", m.VMSKiB, m.RSSKiB)
		})
	})
}

func FuzzParseIO(f *testing.F) {
	f.Add([]byte("rchar: 1\nread_bytes: 4096\nwrite_bytes: 8192\ncancelled_write_bytes: 512\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		roundTrip(t, data, parseIO, func(s IOValues) string {
			return fmt.Sprintf("read_bytes: %d\nwrite_bytes: %d\ncancelled_write_bytes: %d\n", s.ReadBytes, s.WriteBytes, s.CancelledBytes)
		})
	})
}

func FuzzParseSchedstat(f *testing.F) {
	f.Add([]byte("178617574 10136853 365\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		roundTrip(t, data, parseSchedstat, func(r runs) string { return fmt.Sprintf("%d %d %d\n", r.time, r.delay, r.count) })
	})
}

func FuzzParseCgroup(f *testing.F) {
	f.Add([]byte("4:cpu,cpuacct:/first\n1:name=systemd:/a:b\n0::/c\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		roundTrip(t, data, parseCgroup, func(path string) string { return "0::" + path + "\n" })
	})
}

func FuzzParseMeminfo(f *testing.F) {
	f.Add([]byte("MemTotal:       100 kB\nMemFree: 5 kB\nMemAvailable:    40 kB\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		roundTrip(t, data, parseMeminfo, func(m Memory) string {
			return fmt.Sprintf("MemTotal: %d kB\nMemAvailable: %d kB\n", m.TotalKiB, m.AvailableKiB)
		})
	})
}

func FuzzParsePressure(f *testing.F) {
	f.Add([]byte("some avg10=1.53 avg60=1.20 avg300=0.80 total=2000000\nfull avg10=0.05 avg60=0.00 avg300=0.00 total=7\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		roundTrip(t, data, parsePressure, func(s PressureStall) string {
			var text strings.Builder
			write := func(label string, line PressureLine) {
				if line.Known {
					fmt.Fprintf(&text, "%s avg10=%v total=%d\n", label, line.Avg10, line.Total/time.Microsecond)
				}
			}
			write("some", s.Some)
			write("full", s.Full)
			return text.String()
		})
	})
}

func FuzzParseHostStat(f *testing.F) {
	f.Add([]byte("cpu  10 20 30 40 50 60 70 80 90 100\ncpu0 1 2 3 4 5 6 7 8 9 10\nintr 5\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if times, cpus, err := parseHostStat(data); err != nil && (times != CPUTimes{} || cpus != 0) {
			t.Errorf("got %+v and %d with error %v", times, cpus, err)
		}
	})
}

// roundTrip parses data and, when that succeeds, what write makes of the value.
func roundTrip[T comparable](t *testing.T, data []byte, parse func([]byte) (T, error), write func(T) string) {
	t.Helper()
	value, err := parse(data)
	if err != nil {
		return
	}
	again, err := parse([]byte(write(value)))
	if err != nil || again != value {
		t.Errorf("got %+v, %v, want %+v", again, err, value)
	}
}

func equalStat(a, b stat) bool {
	sameComm := string(a.comm) == string(b.comm)
	a.comm, b.comm = nil, nil
	return sameComm && reflect.DeepEqual(a, b)
}
