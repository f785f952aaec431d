package run

import (
	"fmt"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// passedOn are the signals that are meant for the command when they are sent to us. Not among them: those that tell of
// our own faults, what Go uses itself (SIGURG, SIGPROF, 32 to 34), SIGPIPE and SIGCHLD, which are about us, and SIGTTIN
// and SIGTTOU, which the terminal sends to the whole process group.
func passedOn() []unix.Signal {
	list := []unix.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGALRM, unix.SIGTERM,
		unix.SIGCONT, unix.SIGTSTP, unix.SIGXCPU, unix.SIGVTALRM, unix.SIGWINCH, unix.SIGIO, unix.SIGPWR}
	for s := unix.Signal(35); s <= 64; s++ { // real-time signals
		list = append(list, s)
	}
	return list
}

// forGroup reports whether a signal is one that goes to the whole process group in the foreground of a terminal: keys and
// the window's size send it, man termios(3), and SIGCONT the shell that puts a job there.
func forGroup(s unix.Signal) bool {
	switch s {
	case unix.SIGINT, unix.SIGQUIT, unix.SIGTSTP, unix.SIGWINCH, unix.SIGCONT:
		return true
	}
	return false
}

// signals are what this process receives for its command.
type signals struct {
	command chan os.Signal // to be passed on
	child   chan os.Signal // holds one SIGCHLD when a child may have changed; apart, so that no other crowds it out
	pipe    chan os.Signal // never read
}

// takeSignals catches the signals for the command, those excepted that we were told to ignore: the command ignores them
// as well. Caught signals are back at their default in the command.
func takeSignals() (*signals, error) {
	// What the caller asked for would hide what we were started with, and would end us before the command.
	signal.Reset()
	own, err := readStatus()
	if err != nil {
		return nil, fmt.Errorf("find out which signals are ignored: %w", err)
	}
	s := &signals{command: make(chan os.Signal, 128), child: make(chan os.Signal, 1), pipe: make(chan os.Signal, 1)}
	for _, sig := range passedOn() {
		if !own.ignores(sig) {
			signal.Notify(s.command, sig)
		}
	}
	signal.Notify(s.child, unix.SIGCHLD)
	signal.Notify(s.pipe, unix.SIGPIPE) // a Go program that ignores it would have the command ignore it too
	return s, nil
}

// release gives the signals back when there is no command. SIGPIPE stays caught: a write to a broken pipe is an error then,
// and no end.
func (s *signals) release() {
	signal.Stop(s.command)
	signal.Stop(s.child)
}

// pass hands a signal that we received on to the command, unless it came to the command in the same way as to us.
func (c *Command) pass(s unix.Signal) {
	if forGroup(s) && foreground(c.PID) {
		return
	}
	if err := unix.Kill(c.PID, s); err != nil {
		c.result.Undelivered++ // it became another user's process
	}
}

// stop stops us because the command has stopped, so that a shell which waits for us at the terminal takes over as it
// would have done without us. It returns when we are continued. When no shell waits we go on: whoever stopped the
// command may continue it alone.
func (c *Command) stop() {
	if s, err := readStat(c.PID); err != nil || s.state != 'T' {
		return // continued meanwhile
	}
	if foreground(os.Getpid()) {
		unix.Kill(os.Getpid(), unix.SIGSTOP) // nothing can keep us from stopping ourselves
	}
}

// foreground reports whether a process is in the foreground process group of its terminal.
func foreground(pid int) bool {
	s, err := readStat(pid)
	return err == nil && s.group == s.foreground
}
