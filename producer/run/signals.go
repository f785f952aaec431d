package run

import (
	"fmt"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// forwardedSignals are the signals that are meant for the command when they are sent to us. Not among them: those that report
// our own faults, what Go uses itself (SIGURG, SIGPROF, 32 to 34), SIGPIPE and SIGCHLD, which are about us, and SIGTTIN
// and SIGTTOU, which the terminal sends to the whole process group.
func forwardedSignals() []unix.Signal {
	list := []unix.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGALRM, unix.SIGTERM,
		unix.SIGCONT, unix.SIGTSTP, unix.SIGXCPU, unix.SIGVTALRM, unix.SIGWINCH, unix.SIGIO, unix.SIGPWR}
	for s := unix.Signal(35); s <= 64; s++ { // real-time signals
		list = append(list, s)
	}
	return list
}

// signals are what this process receives for its command.
type signals struct {
	command chan os.Signal // to be passed on
	child   chan os.Signal // holds one SIGCHLD when a child may have changed; apart, so that no other crowds it out
	pipe    chan os.Signal // never read
}

// takeSignals catches the signals for the command, except those that this process ignores: the command ignores them
// as well. Caught signals are back at their default in the command.
func takeSignals() (*signals, error) {
	// What the caller asked for would hide what we were started with, and would end us before the command.
	signal.Reset()
	own, err := readStatus()
	if err != nil {
		return nil, fmt.Errorf("find out which signals are ignored: %w", err)
	}
	s := &signals{command: make(chan os.Signal, 128), child: make(chan os.Signal, 1), pipe: make(chan os.Signal, 1)}
	for _, sig := range forwardedSignals() {
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
