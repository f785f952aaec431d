package run

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// playWatcher names each signal that it receives, until SIGTERM.
func playWatcher() error {
	received := make(chan os.Signal, 256)
	for _, s := range forwardedSignals() {
		if s != unix.SIGTSTP { // it stops when it is told to
			signal.Notify(received, s)
		}
	}
	fmt.Println("ready")
	for s := range received {
		if _, err := fmt.Println(signalName(s.(unix.Signal))); err != nil || s == unix.SIGTERM {
			return err
		}
	}
	return nil
}

// playBurner uses as much processor time as its argument says and writes how much it was to the file that is named next.
func playBurner() error {
	want, err := time.ParseDuration(os.Args[1])
	if err != nil {
		return err
	}
	used := func() time.Duration {
		var ru unix.Rusage
		unix.Getrusage(unix.RUSAGE_SELF, &ru)
		return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
	}
	for used() < want {
	}
	return os.WriteFile(os.Args[2], []byte(strconv.FormatInt(int64(used()), 10)), 0o600)
}

// playCareless starts a command and has the kernel forget it when it ends, man wait(2).
func playCareless() error {
	signal.Ignore(unix.SIGCHLD)
	path, err := exec.LookPath(os.Args[1])
	if err != nil {
		return err
	}
	pid, err := syscall.ForkExec(path, os.Args[1:], &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, 1, 2}})
	if err != nil {
		return err
	}
	if _, err := unix.Wait4(pid, nil, 0, nil); err != unix.ECHILD { // once it has ended
		return fmt.Errorf("wait: %w", err)
	}
	return nil
}

// playShell does what an interactive shell does with a job at its terminal: it gives it a process group of its own and
// the foreground, and takes the terminal back when the job has stopped. Then it continues it in the foreground.
func playShell() error {
	signal.Ignore(unix.SIGTTOU) // so that it may take the terminal back
	const terminal = 0
	job := exec.Command(os.Args[1], os.Args[2:]...)
	job.Stdin, job.Stdout, job.Stderr = os.Stdin, os.Stdout, os.Stderr
	job.ExtraFiles = []*os.File{os.NewFile(reportFD, "report")}
	job.Env = append(os.Environ(), roleKey+"=engine")
	job.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Foreground: true, Ctty: terminal}
	if err := job.Start(); err != nil {
		return err
	}
	for {
		var ws unix.WaitStatus
		if _, err := unix.Wait4(job.Process.Pid, &ws, unix.WUNTRACED, nil); err != nil {
			return err
		}
		if !ws.Stopped() {
			fmt.Println("shell: job ended", ws.ExitStatus())
			return nil
		}
		if err := unix.IoctlSetPointerInt(terminal, unix.TIOCSPGRP, os.Getpid()); err != nil {
			return fmt.Errorf("take the terminal: %w", err)
		}
		fmt.Println("shell: job stopped")
		var order string
		fmt.Scanln(&order)
		if err := unix.IoctlSetPointerInt(terminal, unix.TIOCSPGRP, job.Process.Pid); err != nil {
			return fmt.Errorf("give the terminal: %w", err)
		}
		if err := unix.Kill(-job.Process.Pid, unix.SIGCONT); err != nil {
			return err
		}
	}
}
