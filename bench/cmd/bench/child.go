package main

import (
	"bufio"
	"bytes"
	"context"
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

// patience is how long anything may take that is waited for and usually comes at once.
const patience = 5 * time.Minute

// child is a program that runs until it is stopped.
type child struct {
	cmd   *exec.Cmd
	input io.Closer // what it reads ends with it
	lines chan string
	last  bytes.Buffer // what it said on stderr
	ended bool         // and has been waited for
}

// start starts a program and returns when it has printed a line with the marker.
func (b *bench) start(marker, program string, args ...string) (*child, error) {
	c := &child{cmd: exec.CommandContext(b.ctx, program, args...), lines: make(chan string, 1000)}
	c.cmd.Cancel = func() error { return c.cmd.Process.Signal(unix.SIGTERM) }
	c.cmd.WaitDelay = 20 * time.Second
	c.cmd.Stderr = &c.last
	stdin, err := c.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	c.input = stdin
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	b.children = append(b.children, c)
	go func() {
		defer close(c.lines)
		for s := bufio.NewScanner(stdout); s.Scan(); {
			c.lines <- s.Text()
		}
	}()
	late := time.After(patience)
	for {
		select {
		case line, ok := <-c.lines:
			if !ok {
				return nil, errors.Join(fmt.Errorf("%s ended before it was ready", c), c.wait())
			}
			if strings.Contains(line, marker) {
				return c, nil
			}
		case <-late:
			return nil, errors.Join(fmt.Errorf("%s was not ready after %s", c, patience), c.stop())
		}
	}
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

// sweep stops what a section that failed has left.
func (b *bench) sweep() {
	for _, c := range b.children {
		_ = c.stop() // why it failed is known already
	}
	b.children = nil
}

// cpu is the CPU time that it has used. The clock is the one of clock_getcpuclockid(3), which glibc makes of the pid in
// this way; it counts nanoseconds, where /proc counts hundredths.
func (c *child) cpu() (time.Duration, error) {
	const scheduled = 2 // CPUCLOCK_SCHED, include/linux/posix-timers.h
	var ts unix.Timespec
	err := unix.ClockGettime(int32(^c.pid()<<3|scheduled), &ts)
	return time.Duration(ts.Nano()), os.NewSyscallError("clock_gettime", err)
}

// memory is a line of its proc_pid_status(5), such as VmRSS or VmHWM, in MiB.
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

// ran is what became of a program that ran to its end.
type ran struct {
	out  []byte
	cpu  time.Duration
	took time.Duration
}

// run runs a program to its end. What it printed comes with an error too.
func (b *bench) run(program string, args ...string) (ran, error) {
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = 20 * time.Second // for what it has started itself and not ended
	began := time.Now()
	err := cmd.Run()
	r := ran{out: stdout.Bytes(), took: time.Since(began)}
	if cmd.ProcessState != nil {
		r.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	if err != nil {
		err = fmt.Errorf("%s %s: %w\n%s", filepath.Base(program), strings.Join(args, " "), err, tail(append(stdout.Bytes(), stderr.Bytes()...)))
	}
	return r, err
}

// tail is the end of what a program said.
func tail(b []byte) []byte { return b[max(0, len(b)-500):] }

// await polls until done, and fails when it takes too long.
func (b *bench) await(what string, done func() (bool, error)) error {
	for deadline := time.Now().Add(patience); ; {
		if ok, err := done(); err != nil || ok {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("waited %s for %s", patience, what)
		}
		select {
		case <-b.ctx.Done():
			return b.ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}
