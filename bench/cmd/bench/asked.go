package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// answer is what an answer cost: how long it took and its CPU, in milliseconds, and the most memory that it had, in MiB. A command that is stopped at its
// first line has the first alone.
type answer struct{ took, cpu, peak float64 }

// asked runs a command to its first line, or to its end.
func asked(b *bench, dir string, args []string, first bool) (a answer, err error) {
	ctx, cancel := context.WithTimeout(b.ctx, 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, b.proctape, append(args[:len(args):len(args)], "--data", dir)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return a, err
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return a, err
	}
	lines := bufio.NewReader(out)
	_, err = lines.ReadString('\n')
	a.took = milliseconds(time.Since(began))
	if errors.Is(err, io.EOF) { // there is nothing to say
		err = nil
	} else if first {
		_ = out.Close() // it ends by that
		_ = cmd.Wait()
		return a, err
	}
	if err == nil {
		_, err = io.Copy(io.Discard, lines)
	}
	if e := cmd.Wait(); err == nil {
		err = e
	}
	a.took = milliseconds(time.Since(began))
	a.cpu = milliseconds(cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime())
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		a.peak = float64(usage.Maxrss) / 1024
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", strings.Join(args, " "), err)
	}
	return a, err
}
