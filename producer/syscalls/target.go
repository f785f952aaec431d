package syscalls

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// target is a process as far as it matters to a tracer.
type target struct {
	pid    int
	start  uint64 // field 22 of stat, man proc_pid_stat(5); with the pid it is one process
	state  string // field 3 of stat
	tgid   int    // the process that the thread pid belongs to
	tracer int    // the process that traces it, 0 for none
}

// ended reports whether the process has ended, though its parent has not asked how.
func (t target) ended() bool { return t.state == "Z" || t.state == "X" }

// readTraceable reads a process, and returns an error if it cannot be traced, as far as that is known beforehand.
func readTraceable(pid int) (target, error) {
	t, err := readTarget(pid)
	if err != nil {
		return target{}, err
	}
	self, err := readTarget(os.Getpid())
	if err != nil {
		return target{}, err
	}
	switch {
	case t.ended():
		return target{}, fmt.Errorf("pid %d: %w: it has ended", pid, ErrGone)
	case t.tgid == self.pid || t.tgid == self.tracer:
		return target{}, fmt.Errorf("pid %d: %w", pid, ErrOwn)
	case t.tgid != pid:
		return target{}, fmt.Errorf("pid %d: %w: it is a thread of %d", pid, ErrGone, t.tgid)
	case t.tracer != 0:
		return target{}, fmt.Errorf("pid %d: %w: %d", pid, ErrTraced, t.tracer)
	}
	return t, nil
}

// readTarget reads what the kernel says of a process or thread.
func readTarget(pid int) (target, error) {
	if pid <= 0 {
		return target{}, fmt.Errorf("pid %d: %w", pid, ErrGone)
	}
	dir := fmt.Sprintf("/proc/%d/", pid)
	stat, err := os.ReadFile(dir + "stat")
	if err != nil {
		return target{}, readError(pid, err)
	}
	status, err := os.ReadFile(dir + "status")
	if err != nil {
		return target{}, readError(pid, err)
	}
	t, err := parseTarget(stat, status)
	if err != nil {
		return target{}, readError(pid, err)
	}
	t.pid = pid
	return t, nil
}

// readError distinguishes that a process has ended from other failures.
func readError(pid int, err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		err = ErrGone
	}
	return fmt.Errorf("pid %d: %w", pid, err)
}

// parseTarget parses the files stat and status of a process, man proc_pid_stat(5) and proc_pid_status(5).
func parseTarget(stat, status []byte) (target, error) {
	var t target
	// The name, field 2, ends at the last parenthesis. State is field 3 and the start field 22.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 20 {
		return target{}, errors.New("stat is cut short")
	}
	t.state = fields[0]
	var err error
	if t.start, err = strconv.ParseUint(fields[19], 10, 64); err != nil {
		return target{}, fmt.Errorf("stat: field 22 (start time) is %.40q", fields[19])
	}
	if t.tgid, err = labelled(status, "Tgid:"); err != nil {
		return target{}, err
	}
	if t.tracer, err = labelled(status, "TracerPid:"); err != nil {
		return target{}, err
	}
	return t, nil
}

// labelled returns the number in the line of status that begins with label.
func labelled(status []byte, label string) (int, error) {
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, label); ok {
			n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 31)
			if err != nil {
				return 0, fmt.Errorf("status: %s is %.40q", label, strings.TrimSpace(value))
			}
			return int(n), nil
		}
	}
	return 0, fmt.Errorf("status has no line %s", label)
}
