package lifecycle

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// roleKey names the environment variable that makes the test binary play a part instead of running tests.
const roleKey = "LIFECYCLE_TEST_ROLE"

// init plays before any test runs: in init the main goroutine holds the first thread.
func init() {
	role := os.Getenv(roleKey)
	if role == "" {
		return
	}
	if err := play(role); err != nil {
		fmt.Fprintln(os.Stderr, role+":", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func play(role string) error {
	switch role {
	case "leader exits first":
		return leaderExitsFirst()
	case "another thread executes":
		return anotherThreadExecutes()
	case "forker":
		return forker()
	case "open":
		return printOpened()
	}
	return fmt.Errorf("no such role")
}

// leaderExitsFirst ends the first thread at once and the process, with code 5, when standard input ends.
func leaderExitsFirst() error {
	go func() {
		os.Stdin.Read(make([]byte, 1))
		os.Exit(5)
	}()
	unix.RawSyscall(unix.SYS_EXIT, 0, 0, 0)
	return nil // never
}

// anotherThreadExecutes has a thread other than the first execute a shell, which ends with code 6 when standard input
// does.
func anotherThreadExecutes() error {
	failed := make(chan error)
	go func() { // the main goroutine holds the first thread
		runtime.LockOSThread()
		failed <- syscall.Exec("/bin/sh", []string{"sh", "-c", "read x; exit 6"}, os.Environ())
	}()
	return <-failed
}

// forker reads a number, forks so many processes as fast as it can, of which the i-th ends with code i modulo 256, and
// waits for them all. A second number is how long it sleeps after each, in microseconds.
func forker() error {
	var n, pause int
	if _, err := fmt.Fscan(bufio.NewReader(os.Stdin), &n, &pause); err != nil {
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
				return fmt.Errorf("wait for child %s: %w", strconv.Itoa(i-window), err)
			}
		}
		time.Sleep(time.Duration(pause) * time.Microsecond)
	}
	return nil
}

// fork makes a process that ends with a code and does nothing else: after a fork in a program of many threads, there is
// little else that works.
//
//go:norace
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
