// Command actor lives and dies in a way that its first argument names, for a recorder to see. It is a program of its own
// because few such lives can be led by a shell, and none under the race detector.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// init plays before any goroutine runs: in init the main goroutine holds the first thread.
func init() {
	if err := play(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "actor:", err)
		os.Exit(125)
	}
	os.Exit(0)
}

func main() {}

func play(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("no role")
	}
	switch role, args := args[0], args[1:]; role {
	case "leader-exits-first":
		return leaderExitsFirst()
	case "another-thread-executes":
		return anotherThreadExecutes(args)
	case "flood":
		return flood(args[0])
	case "usage":
		return usage(args[0], args[1:])
	default:
		return fmt.Errorf("no role %q", role)
	}
}

// leaderExitsFirst ends the first thread at once, and the process, with code 5, when standard input ends.
func leaderExitsFirst() error {
	go func() {
		os.Stdin.Read(make([]byte, 1))
		os.Exit(5)
	}()
	unix.RawSyscall(unix.SYS_EXIT, 0, 0, 0)
	return nil // never
}

// anotherThreadExecutes has a thread other than the first execute a program.
func anotherThreadExecutes(args []string) error {
	failed := make(chan error)
	go func() { // the main goroutine holds the first thread
		runtime.LockOSThread()
		failed <- syscall.Exec(args[0], args, os.Environ())
	}()
	return <-failed
}

// flood forks so many processes as fast as it can, of which the i-th ends with code i modulo 256, and waits for them all.
func flood(number string) error {
	n, err := strconv.Atoi(number)
	if err != nil {
		return err
	}
	const window = 64 // processes at one time
	for i := range n + window {
		if i < n {
			if err := fork(i % 256); err != nil {
				return err
			}
		}
		if i >= window {
			if _, err := unix.Wait4(-1, nil, 0, nil); err != nil {
				return fmt.Errorf("wait for child %d: %w", i-window, err)
			}
		}
	}
	return nil
}

// fork makes a process that ends with a code and does nothing else: after a fork in a program of many threads, there is
// little else that works.
func fork(code int) error {
	pid, _, errno := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if errno != 0 {
		return os.NewSyscallError("clone", errno)
	}
	if pid == 0 {
		for {
			unix.RawSyscall(unix.SYS_EXIT_GROUP, uintptr(code), 0, 0)
		}
	}
	return nil
}

// usage runs a command, writes to a file what it, its descendants and the actor used, in milliseconds of CPU and KiB of
// the largest resident memory, and ends with its exit code: it is the yardstick, man getrusage(2).
func usage(file string, args []string) error {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	if cmd.ProcessState == nil {
		return err
	}
	var used, own unix.Rusage
	if err := errors.Join(unix.Getrusage(unix.RUSAGE_CHILDREN, &used), unix.Getrusage(unix.RUSAGE_SELF, &own)); err != nil {
		return err
	}
	cpu := (used.Utime.Nano() + used.Stime.Nano() + own.Utime.Nano() + own.Stime.Nano()) / 1e6
	if err := os.WriteFile(file, fmt.Appendln(nil, cpu, used.Maxrss), 0o600); err != nil {
		return err
	}
	os.Exit(cmd.ProcessState.ExitCode())
	return nil // never
}
