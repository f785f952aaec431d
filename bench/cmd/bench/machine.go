package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// machine is where and when a run was made, and how much other programs used.
type machine struct {
	model, kernel, load string
	memory              uint64 // bytes
	began               time.Time
	busy, stolen        time.Duration // of all CPUs since boot, when the run began
}

func thisMachine() machine {
	m := machine{model: cpuModel(), began: time.Now(), load: firstLine("/proc/loadavg")}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		m.kernel = unix.ByteSliceToString(u.Release[:])
	}
	var s unix.Sysinfo_t
	if unix.Sysinfo(&s) == nil {
		m.memory = s.Totalram * uint64(s.Unit)
	}
	m.busy, m.stolen = cpuTotals()
	return m
}

// describe returns the machine, the time, and the share of the CPU that other programs took.
func (m *machine) describe() string {
	busy, stolen := cpuTotals()
	took := time.Since(m.began)
	cores := took.Seconds() * float64(runtime.NumCPU())
	others := (busy - m.busy - ownTree()).Seconds()
	load, _, _ := strings.Cut(m.load, " ")
	return fmt.Sprintf("%s, %d CPUs, %d GiB, Linux %s, %s, %s, in %s. Load average at the start %s; of the CPU time other programs had %.0f %% and the hypervisor %.0f %%.",
		m.model, runtime.NumCPU(), (m.memory+1<<29)>>30, m.kernel, runtime.Version(), m.began.Format("2006-01-02 15:04"), took.Round(time.Second), load,
		100*max(0, others)/cores, 100*(stolen-m.stolen).Seconds()/cores)
}

func cpuModel() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for lines := bufio.NewScanner(bytes.NewReader(b)); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// cpuTotals returns the times since boot that the CPUs were busy and that the hypervisor kept, from the first line of
// proc_stat(5): user, nice, system, idle, iowait, irq, softirq, steal, in hundredths of a second.
func cpuTotals() (busy, stolen time.Duration) {
	fields := strings.Fields(firstLine("/proc/stat"))
	if len(fields) < 9 {
		return 0, 0
	}
	at := func(i int) time.Duration {
		n, _ := strconv.ParseInt(fields[i], 10, 64)
		return time.Duration(n) * 10 * time.Millisecond
	}
	return at(1) + at(2) + at(3) + at(6) + at(7), at(8)
}

// ownTree returns the CPU time of this process and of all children that it has waited for.
func ownTree() time.Duration {
	var sum time.Duration
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var u unix.Rusage
		if unix.Getrusage(who, &u) == nil {
			sum += time.Duration(u.Utime.Nano() + u.Stime.Nano())
		}
	}
	return sum
}

func firstLine(path string) string {
	b, _ := os.ReadFile(path)
	line, _, _ := strings.Cut(string(b), "\n")
	return line
}
