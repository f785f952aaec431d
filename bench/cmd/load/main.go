// Command load makes processes for a recorder to see: many that sleep or that do a little, or a storm of short ones.
//
//	load sleepers N   start N sleeping processes, print "ready", and end them when standard input ends
//	load busy N       the same of processes that do something twice a second
//	load storm N      fork N processes as fast as one process can, and print how long it took, as JSON
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("want: load sleepers N, load busy N, or load storm N")
	}
	n, err := strconv.Atoi(args[1])
	if err != nil || n < 1 {
		return fmt.Errorf("%q is no number of processes", args[1])
	}
	switch args[0] {
	case "sleepers":
		return sleepers(n)
	case "busy":
		return busy(n)
	case "storm":
		return storm(n)
	}
	return fmt.Errorf("no load %q", args[0])
}

// sleepers keeps n processes asleep until standard input ends; it also ends when the process that started us dies. The
// sleepers die with us in any case: the parent in PR_SET_PDEATHSIG(2const) is a thread, so this goroutine keeps its own.
func sleepers(n int) error {
	runtime.LockOSThread()
	signal.Ignore(unix.SIGINT) // a Ctrl-C ends whoever started us, and so our input
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		return err
	}
	attr := &syscall.ProcAttr{Sys: &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL}}
	return keep(n, func() (int, error) {
		pid, err := syscall.ForkExec(sleep, []string{"sleep", "infinity"}, attr) // not os/exec: a pidfd for each is not wanted
		if err != nil {
			return 0, fmt.Errorf("start %s: %w", sleep, err)
		}
		return pid, nil
	})
}

// busy keeps n processes that touch a page twice a second. A thousand of them take little of the machine, and yet every
// sample finds that each has run and has a new count of page faults.
func busy(n int) error {
	runtime.LockOSThread()
	signal.Ignore(unix.SIGINT)
	page, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return os.NewSyscallError("mmap", err)
	}
	return keep(n, func() (int, error) { return fork(func() { touch(page) }) })
}

// touch faults a page in, again and again. It runs after a fork: see fork.
//
//go:norace
//go:nosplit
func touch(page []byte) {
	unix.RawSyscall(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0)
	half := unix.Timespec{Nsec: 5e8}
	for {
		unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&half)), 0, 0)
		unix.RawSyscall(unix.SYS_MADVISE, uintptr(unsafe.Pointer(&page[0])), uintptr(len(page)), unix.MADV_DONTNEED)
		page[0] = 1
	}
}

// keep starts n processes, prints that they run, and ends them when standard input ends.
func keep(n int, start func() (pid int, err error)) error {
	pids := make([]int, 0, n)
	defer func() {
		for _, pid := range pids {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		for range pids {
			_, _ = unix.Wait4(-1, nil, 0, nil)
		}
	}()
	for range n {
		pid, err := start()
		if err != nil {
			return err
		}
		pids = append(pids, pid)
	}
	fmt.Println("ready")
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// window is how many processes of a storm run at one time.
const window = 64

// storm forks n processes that end at once, and waits for them all.
func storm(n int) error {
	began := time.Now()
	for i := range n + window {
		if i < n {
			if _, err := fork(exit); err != nil {
				return err
			}
		}
		if i >= window && i-window < n {
			if _, err := unix.Wait4(-1, nil, 0, nil); err != nil {
				return fmt.Errorf("wait for a child: %w", err)
			}
		}
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{"pid": os.Getpid(), "made": n, "seconds": time.Since(began).Seconds()})
}

// fork makes a process that calls do, which does not return. do may only make system calls: after a fork in a program of
// many threads, little else works.
//
//go:norace
func fork(do func()) (pid int, err error) {
	child, _, errno := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if errno != 0 {
		return 0, os.NewSyscallError("clone", errno)
	}
	if child == 0 {
		do()
	}
	return int(child), nil
}

// exit ends the process.
//
//go:norace
//go:nosplit
func exit() {
	for {
		unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
	}
}
