package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// patience is the longest wait for things that usually come at once.
const patience = 5 * time.Minute

// child is a program that runs until it is stopped.
type child struct {
	cmd   *exec.Cmd
	input io.Closer // its standard input
	lines chan string
	last  bytes.Buffer // its standard error
	ended bool         // it has been waited for
}

func (c *child) String() string {
	return filepath.Base(c.cmd.Path) + " " + strings.Join(c.cmd.Args[1:], " ")
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// stop asks it to end, and waits.
func (c *child) stop() error {
	if !c.ended {
		_ = c.cmd.Process.Signal(os.Interrupt) // it may have ended by itself
	}
	return c.wait()
}

func (c *child) wait() error {
	if c.ended {
		return nil
	}
	c.ended = true
	err := c.input.Close()
	for range c.lines {
	}
	if e := c.cmd.Wait(); e != nil {
		return errors.Join(err, fmt.Errorf("%s: %w\n%s", c, e, tail(c.last.Bytes())))
	}
	return err
}

// cpu returns the CPU time that the program has used. The clock is that of clock_getcpuclockid(3); glibc computes its number
// from the pid in this way. It counts nanoseconds, and /proc only hundredths of a second.
func (c *child) cpu() (time.Duration, error) {
	const scheduled = 2 // CPUCLOCK_SCHED, include/linux/posix-timers.h
	var ts unix.Timespec
	err := unix.ClockGettime(int32(^c.pid()<<3|scheduled), &ts)
	return time.Duration(ts.Nano()), os.NewSyscallError("clock_gettime", err)
}

// memory returns a line of the program's proc_pid_status(5), such as VmRSS or VmHWM, in MiB.
func (c *child) memory(name string) (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.pid()))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(b), name+":")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0, fmt.Errorf("no %s in the status of process %d", name, c.pid())
	}
	kib, err := strconv.ParseFloat(fields[0], 64)
	return kib / 1024, err
}

// tail returns the last bytes of what a program printed.
func tail(b []byte) []byte { return b[max(0, len(b)-500):] }
