package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

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

// sweep stops the programs that a failed section left running.
func (b *bench) sweep() {
	for _, c := range b.children {
		_ = c.stop() // the reason of the failure is known already
	}
	b.children = nil
}

// ran is the result of a program that ran to its end.
type ran struct {
	out  []byte
	cpu  time.Duration
	took time.Duration
}

// run runs a program to its end. It returns what the program printed also with an error.
func (b *bench) run(program string, args ...string) (ran, error) {
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = 20 * time.Second // for children that it did not end
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
