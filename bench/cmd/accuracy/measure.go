package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// truth is what the parent of a workload knows of it, by wait4(2) and getrusage(2).
type truth struct {
	CPU       float64 // seconds, of all that was waited for and of the parent itself
	PeakMiB   float64 // of the largest process
	Processes int     // of a storm: how many it has started, itself and the parent included; 0 where the parent cannot know
	Failed    int     // of a storm: how many of them ended with another code than 0
	Exit      int
}

// measure runs a command as its parent, and writes down what the kernel says of it.
func measure(file string, args []string) error {
	signal.Ignore(unix.SIGTERM) // the command ends by itself
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return err
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	var t truth
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		} else if err != nil {
			break // ECHILD: all have ended
		}
		if pid == cmd.Process.Pid {
			t.Exit = status.ExitStatus()
		}
	}
	var children, own unix.Rusage
	if err := errors.Join(unix.Getrusage(unix.RUSAGE_CHILDREN, &children), unix.Getrusage(unix.RUSAGE_SELF, &own)); err != nil {
		return err
	}
	t.CPU, t.PeakMiB = cpuOf(&children)+cpuOf(&own), float64(children.Maxrss)/1024
	b, err := json.Marshal(t)
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(file, b, 0o644), exitWith(t.Exit))
}

func exitWith(code int) error {
	if code == 0 {
		return nil
	}
	return fmt.Errorf("the workload ended with %d", code)
}

func cpuOf(u *unix.Rusage) float64 {
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// storm starts processes that live for a while, one after the other, and end with codes 0, 1 and 2 in turn.
func storm(args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for i := range n {
		cmd := exec.Command(self, "burn", args[1], strconv.Itoa(i%3))
		if err := cmd.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
			return err
		}
	}
	return nil
}

// burn uses a CPU for so many microseconds, and ends with a code.
func burn(args []string) error {
	micros, err1 := strconv.Atoi(args[0])
	code, err2 := strconv.Atoi(args[1])
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	for began := time.Now(); time.Since(began) < time.Duration(micros)*time.Microsecond; {
	}
	os.Exit(code)
	return nil
}
