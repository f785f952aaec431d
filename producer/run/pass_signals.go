package run

import (
	"os"

	"golang.org/x/sys/unix"
)

// pass hands a signal that we received on to the command, unless it came to the command in the same way as to us.
func (c *Command) pass(s unix.Signal) {
	if reachesGroup(s) && foreground(c.PID) {
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

// reachesGroup reports whether a signal is one that goes to the whole process group in the foreground of a terminal: keys and
// the window's size send it, man termios(3), and SIGCONT the shell that puts a job there.
func reachesGroup(s unix.Signal) bool {
	switch s {
	case unix.SIGINT, unix.SIGQUIT, unix.SIGTSTP, unix.SIGWINCH, unix.SIGCONT:
		return true
	}
	return false
}
