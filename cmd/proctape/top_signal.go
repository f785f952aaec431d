package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/query/term"
	"github.com/proctape/proctape/query/top"
)

// bootID is this machine's boot, /proc/sys/kernel/random/boot_id; empty where it cannot be read.
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}

// sendSignal sends a signal to each process that is still the same, and says of which it could not.
func sendSignal(ask top.AskSignal) error {
	var failed []error
	for _, to := range ask.To {
		if err := signalTarget(to, ask.Signal); err != nil {
			failed = append(failed, fmt.Errorf("%s %d did not get %s: %w", term.Safe(to.Name), to.PID, unix.SignalName(ask.Signal), err))
		}
	}
	return errors.Join(failed...)
}

// signalTarget signals a process through a descriptor of it, so that no process that has the pid meanwhile gets the signal.
func signalTarget(to top.Target, signal unix.Signal) error {
	fd, err := unix.PidfdOpen(int(to.PID), 0)
	if err != nil {
		return ended(err)
	}
	defer unix.Close(fd)
	start, err := startTicks(to.PID)
	if err != nil || start != to.Start {
		return errors.New("it has ended, or this terminal does not see the processes that the recorder sees")
	}
	return ended(unix.PidfdSendSignal(fd, signal, nil, 0))
}

// ended says in words that there is no such process.
func ended(err error) error {
	if errors.Is(err, unix.ESRCH) {
		return errors.New("it has ended")
	}
	return err
}

// startTicks is when a process started, in hundredths of a second after boot: field 22 of /proc/PID/stat, man proc_pid_stat(5).
func startTicks(pid int64) (int64, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 20 {
		return 0, errors.New("/proc/PID/stat is cut off")
	}
	return strconv.ParseInt(fields[19], 10, 64)
}
