// Package run starts a command the way env(1) does, lets it have the terminal, its signals and its exit code, and
// returns what it and all its descendants used.
//
// It is made for a process that does nothing else. Start makes that process the reaper of all its orphaned
// descendants, Wait waits for any child whatever, and both take over all signals, also those that other code has asked
// for (a signal.NotifyContext no longer ends): in the meantime nothing else in the process may start a child, os/exec
// included, or use os/signal. One command at a time.
package run

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/schema"
)

// Start starts a command. It has our own standard input, output and error, our terminal and process group, and every
// other descriptor that we inherited. Signals that are for it are kept until Wait passes them on.
//
// The command has the signal dispositions that we were started with, as far as Go lets them be known: SIGHUP and SIGINT
// stay ignored (nohup(1)), as do the stop signals; every other is back at its default, SIGPIPE among them even if we
// ignore it. It also has our umask and working directory, which are the caller's to keep as they were.
//
// ExitCode says what to exit with after an error.
func Start(cfg Config) (*Command, error) {
	if len(cfg.Args) == 0 {
		return nil, errors.New("no command to run")
	}
	env := mergeEnv(os.Environ(), cfg.Env)
	file, err := lookUp(cfg.Args[0], searchPath(env))
	if err != nil {
		return nil, &CommandError{cfg.Args[0], err}
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("become the reaper of orphaned descendants: %w", err)
	}
	c := &Command{strangers: children()}
	if c.signals, err = takeSignals(); err != nil {
		return nil, err
	}
	if cfg.Cgroup != "" {
		c.leaf, c.NoCgroup = makeLeaf(cfg.Cgroup)
		c.legacy = makeLegacy("/", cfg.Cgroup)
	}
	c.Started = time.Now()
	c.legacy.enter()
	err = c.spawn(file, cfg.Args, env)
	if left := c.legacy.leave(); left != nil { // what this program uses would count as the command's
		c.NoCgroup = errors.Join(c.NoCgroup, fmt.Errorf("leave the control groups of the command: %w", left))
		c.legacy = nil
	}
	if err != nil {
		c.legacy.remove()
		c.signals.release()
		return nil, &CommandError{cfg.Args[0], err}
	}
	c.describe()
	return c, nil
}

// spawn starts the command in its control group, or without one when it cannot be started in it. The kernel does not say
// whether it refused the group or the command: only another attempt shows.
func (c *Command) spawn(file string, args, env []string) (err error) {
	if c.leaf != nil {
		attr := &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: c.leaf.fd}
		if c.PID, err = forkExec(file, args, env, attr); err == nil {
			return nil
		}
		c.NoCgroup = fmt.Errorf("start in control group %s: %w", c.leaf.path, err)
		c.leaf.remove(0)
		c.leaf = nil
	}
	c.PID, err = forkExec(file, args, env, nil)
	return err
}

// describe fills in what can be known of the command now that it runs.
func (c *Command) describe() {
	if s, err := readStat(c.PID); err == nil {
		c.StartTicks = schema.Some(s.start)
	}
	if c.leaf != nil {
		c.Cgroup = c.leaf.path
	}
	if own, err := readStatus(); err == nil {
		c.floorKiB = own.peakRSSKiB
	}
}

// forkExec starts a program with our standard files. One that has no format the kernel knows is a shell script, as it is
// for execvp(3).
func forkExec(file string, args, env []string, sys *syscall.SysProcAttr) (pid int, err error) {
	attr := &syscall.ProcAttr{Env: env, Files: []uintptr{0, 1, 2}, Sys: sys}
	pid, err = syscall.ForkExec(file, args, attr)
	if err == unix.ENOEXEC {
		const shell = "/bin/sh"
		pid, err = syscall.ForkExec(shell, append([]string{shell, file}, args[1:]...), attr)
	}
	return pid, err
}
