package bpf

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Usage is what the programs take that a process has in the kernel.
type Usage struct {
	Programs int
	Memory   int64         // bytes, of programs and maps
	RunTime  time.Duration // of the programs, on all processors
	Counted  bool          // the kernel counts RunTime: the sysctl kernel.bpf_stats_enabled
}

// ReadUsage reads what a process takes, by its folder of /proc: the kernel tells of each program and map in the fdinfo of its
// descriptor, bpf_prog_show_fdinfo and bpf_map_show_fdinfo of Linux kernel/bpf/syscall.c. It needs no right beyond that of reading the folder.
func ReadUsage(proc string) (Usage, error) {
	var u Usage
	descriptors, err := os.ReadDir(filepath.Join(proc, "fd"))
	if err != nil {
		return u, fmt.Errorf("read what programs in the kernel take: %w", err)
	}
	for _, d := range descriptors {
		target, err := os.Readlink(filepath.Join(proc, "fd", d.Name()))
		if err != nil || target != "anon_inode:bpf-prog" && target != "anon_inode:bpf-map" {
			continue // what was closed meanwhile is not asked about either
		}
		info, err := os.ReadFile(filepath.Join(proc, "fdinfo", d.Name()))
		if err == nil {
			u.add(string(info))
		}
	}
	enabled, err := os.ReadFile("/proc/sys/kernel/bpf_stats_enabled")
	u.Counted = err == nil && strings.TrimSpace(string(enabled)) == "1"
	return u, nil
}

// add adds what the fdinfo of a program or a map says.
func (u *Usage) add(info string) {
	for line := range strings.Lines(info) {
		name, text, _ := strings.Cut(line, ":")
		n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		switch {
		case name == "prog_type":
			u.Programs++
		case err != nil:
		case name == "memlock":
			u.Memory += n
		case name == "run_time_ns":
			u.RunTime += time.Duration(n)
		}
	}
}
