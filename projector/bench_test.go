package projector

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/projector/anomaly"
	"github.com/proctape/proctape/schema"
)

// The load of the benchmark: a host with 200 processes of which 15 in a hundred work between two looks and 1 in a
// hundred is replaced. Half of them belong to jobs.
const (
	benchSnapshots = 1000
	benchProcesses = 200
	benchBusy      = 15 // of a hundred
	benchChurn     = 1  // of a hundred
)

// benchCommand is a command line of 60 to 200 characters, another one for each process.
func benchCommand(roll dice, n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "/usr/lib/gcc/x86_64-linux-gnu/14/cc1plus -quiet -I include/%d", n)
	for length := 60 + roll(141); b.Len() < length; {
		fmt.Fprintf(&b, " -D FLAG_%d=%d", roll(1000), roll(1000))
		if b.Len() > length {
			s := b.String()[:length]
			b.Reset()
			b.WriteString(s)
		}
	}
	return b.String()
}

// benchDeliveries are the snapshots of the load, decoded.
func benchDeliveries(b *testing.B) []*received {
	b.Helper()
	roll := seeded(7)
	h, l := newHost("bench"), newLog()
	made := 0
	newProcess := func(pid int) {
		made++
		p := schema.Process{PID: pid, PPID: 1, Command: benchCommand(roll, made), CPUMillis: uint64(roll(1000)), CPUPermille: schema.Some[int64](0),
			RSS: schema.Some(int64(1000 + roll(1<<20))), VMS: schema.Some(int64(1<<20 + roll(1<<22))), Threads: 1 + roll(8),
			OpenFDs: schema.Some(int64(3 + roll(60))), UID: schema.Some[int64](1000), ReadKiB: schema.Some(int64(roll(1 << 16))),
			WriteKiB: schema.Some(int64(roll(1 << 16))), Cgroup: "/system.slice/build.service"}
		if made%2 == 0 {
			p.JobID, p.Sheet = fmt.Sprint("build-", made%10), schema.Some(int64(made%20))
		}
		h.start(p)
	}
	for pid := 1; pid <= benchProcesses; pid++ {
		newProcess(pid * 7)
	}
	var list []*received
	for range benchSnapshots {
		for pid := 7; pid <= benchProcesses*7; pid += 7 {
			p := h.procs[pid]
			switch n := roll(100); {
			case n < benchChurn:
				newProcess(pid)
			case n < benchChurn+benchBusy:
				ms := 1 + roll(900)
				p.State, p.CPUPermille = "R", schema.Some(int64(ms))
				p.CPUMillis += uint64(ms)
				p.RSS = schema.Some(max(0, p.RSS.V+int64(roll(2000)-900)))
				p.ReadKiB = schema.Some(p.ReadKiB.V + int64(roll(50)))
			default:
				p.State, p.CPUPermille = "S", schema.Some[int64](0)
			}
		}
		list = append(list, l.publish(h.snapshot()))
	}
	return list
}

// BenchmarkFold folds the load into a new database, with the syncs of a real one.
func BenchmarkFold(b *testing.B) {
	list := benchDeliveries(b)
	for _, files := range []bool{false, true} {
		for _, batch := range []int{1, 20} {
			b.Run(fmt.Sprintf("ndjson=%t/batch=%d", files, batch), func(b *testing.B) {
				limit := int64(-1)
				if files {
					limit = 0
				}
				b.ReportAllocs()
				var bytes, spent int64
				for b.Loop() {
					b.StopTimer()
					p := &tape{t: b, dir: b.TempDir(), limit: limit}
					p.open()
					before := cpuTime(b)
					b.StartTimer()
					for i := 0; i < len(list); i += batch {
						p.fold(list[i:min(i+batch, len(list))]...)
					}
					b.StopTimer()
					spent += cpuTime(b) - before
					p.rows(`PRAGMA wal_checkpoint(TRUNCATE)`)
					info, err := os.Stat(p.path())
					if err != nil {
						b.Fatal(err)
					}
					bytes = info.Size()
					p.close()
					b.StartTimer()
				}
				const rows = benchSnapshots * benchProcesses
				b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
				b.ReportMetric(float64(bytes)/rows, "bytes/row")
				b.ReportMetric(float64(spent)/float64(b.N)/rows, "cpu-ns/row") // which neighbours and disks leave alone
			})
		}
	}
}

// BenchmarkRules is the share of a projection's CPU that all built-in rules add: the median of pairs, as a busy machine disturbs one or the other.
func BenchmarkRules(b *testing.B) {
	log := troubledLog(b, 200, 15*time.Minute, "memory_spike")
	rules := builtInRules(b)
	var shares []float64
	for b.Loop() {
		for range 25 {
			without := costOf(b, log, nil)
			shares = append(shares, 100*float64(costOf(b, log, rules)-without)/float64(without))
		}
	}
	slices.Sort(shares)
	b.ReportMetric(shares[len(shares)/2], "rules-%")
}

// costOf is the CPU that it costs to project a log, in nanoseconds.
func costOf(t testing.TB, log []*received, rules *anomaly.Rules) int64 {
	t.Helper()
	p := newTape(t, -1)
	p.close()
	p.rules = rules
	p.open()
	defer p.close()
	runtime.GC()
	before := cpuTime(t)
	for part := range slices.Chunk(log, 64) {
		for _, d := range part {
			d.Decode() // as a projector does
		}
		p.fold(part...)
	}
	return cpuTime(t) - before
}

// cpuTime is the CPU that this process has used, in nanoseconds.
func cpuTime(b testing.TB) int64 {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
