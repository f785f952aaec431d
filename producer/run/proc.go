package run

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/schema"
)

// stat is what we need of /proc/PID/stat, man proc_pid_stat(5).
type stat struct {
	state      byte   // T: stopped
	group      int    // its process group
	foreground int    // the foreground process group of its terminal, -1 without a terminal
	start      uint64 // as procfs.Process.StartTicks
}

func readStat(pid int) (stat, error) {
	path := fmt.Sprintf("/proc/%d/stat", pid)
	data, err := os.ReadFile(path)
	if err != nil {
		return stat{}, err
	}
	s, err := parseStat(string(data))
	if err != nil {
		return stat{}, fmt.Errorf("read %s: %w", path, err)
	}
	return s, nil
}

// parseStat reads the line that follows the name, which may hold anything, a closing parenthesis too.
func parseStat(line string) (stat, error) {
	fields := strings.Fields(line[strings.LastIndexByte(line, ')')+1:])
	const first, state, group, foreground, start = 3, 3, 5, 8, 22 // numbers as in the man page
	if len(fields) <= start-first {
		return stat{}, fmt.Errorf("%d fields after the name", len(fields))
	}
	s := stat{state: fields[state-first][0]}
	var errs [3]error
	s.group, errs[0] = strconv.Atoi(fields[group-first])
	s.foreground, errs[1] = strconv.Atoi(fields[foreground-first])
	s.start, errs[2] = strconv.ParseUint(fields[start-first], 10, 64)
	return s, errors.Join(errs[:]...)
}

// status is what we need of our own /proc/self/status, man proc_pid_status(5).
type status struct {
	ignored    uint64 // bit s-1: signal s is ignored
	peakRSSKiB schema.Opt[uint64]
}

func (s status) ignores(sig unix.Signal) bool { return s.ignored>>(sig-1)&1 == 1 }

func readStatus() (status, error) {
	const path = "/proc/self/status"
	data, err := os.ReadFile(path)
	if err != nil {
		return status{}, err
	}
	s, err := parseStatus(data)
	if err != nil {
		return status{}, fmt.Errorf("read %s: %w", path, err)
	}
	return s, nil
}

func parseStatus(data []byte) (s status, err error) {
	found := false
	for line := range bytes.Lines(data) {
		name, value, _ := strings.Cut(string(line), ":")
		value = strings.TrimSpace(value)
		switch name {
		case "VmHWM":
			if kib, err := strconv.ParseUint(strings.TrimSuffix(value, " kB"), 10, 64); err == nil {
				s.peakRSSKiB = schema.Some(kib)
			}
		case "SigIgn":
			found = true
			if s.ignored, err = strconv.ParseUint(value, 16, 64); err != nil {
				return status{}, err
			}
		}
	}
	if !found {
		return status{}, errors.New("no SigIgn")
	}
	return s, nil
}

// children are the processes whose parent is this one, where the kernel lists them (CONFIG_PROC_CHILDREN). A shell script
// that starts a process and then executes us leaves us one.
func children() map[int]bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/children", os.Getpid()))
	if err != nil {
		return nil
	}
	pids := map[int]bool{}
	for _, field := range strings.Fields(string(data)) {
		if pid, err := strconv.Atoi(field); err == nil {
			pids[pid] = true
		}
	}
	return pids
}

// countDescendants counts the processes of the table below root that have not ended, without those below strangers.
func countDescendants(table []procfs.Process, root int, strangers map[int]bool) int {
	below := map[int][]*procfs.Process{}
	for i := range table {
		p := &table[i]
		below[p.PPID] = append(below[p.PPID], p)
	}
	take := func(parent int) []*procfs.Process { // once only: a table read while it changes could hold a ring
		defer delete(below, parent)
		return below[parent]
	}
	count := 0
	for todo := take(root); len(todo) > 0; {
		p := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if p.PPID == root && strangers[p.PID] {
			continue
		}
		if p.State != 'Z' && p.State != 'X' {
			count++
		}
		todo = append(todo, take(p.PID)...)
	}
	return count
}
