package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/charmbracelet/x/vt"
	"golang.org/x/sys/unix"
)

// terminal is a terminal on which a program runs, and what it shows.
type terminal struct {
	*child
	near, far *os.File
	read      chan struct{} // closed when all is read that the program wrote

	mu    sync.Mutex
	shown *vt.Emulator
}

// onTerminal starts a program on a terminal of 120 × 40.
func (b *bench) onTerminal(program string, args ...string) (*terminal, error) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("open /dev/ptmx", err)
	}
	s := &terminal{near: os.NewFile(uintptr(fd), "ptmx"), read: make(chan struct{}), shown: vt.NewEmulator(120, 40)}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Col: 120, Row: 40})
	}
	if err == nil {
		s.far, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("make a terminal: %w", err)
	}
	s.child = &child{cmd: exec.CommandContext(b.ctx, program, args...), lines: make(chan string), input: s.far}
	close(s.lines)
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = s.far, s.far, s.far
	s.cmd.Env = append(os.Environ(), "TERM=xterm-256color", "LC_ALL=C.UTF-8")
	s.cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Setctty: true}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	b.children = append(b.children, s.child)
	go func() { _, _ = io.Copy(s.near, s.shown) }() // what a terminal answers; it ends with the emulator's input
	go s.take()
	return s, nil
}

// take shows what the program writes, until it has ended.
func (s *terminal) take() {
	defer close(s.read)
	buffer := make([]byte, 1<<16)
	for {
		n, err := s.near.Read(buffer)
		s.mu.Lock()
		_, _ = s.shown.Write(buffer[:n])
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// screen is what the terminal shows.
func (s *terminal) screen() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown.String()
}

// title is the first line of the screen.
func (s *terminal) title() string {
	line, _, _ := strings.Cut(s.screen(), "\n")
	return line
}

// press types a key and returns how long it took until the screen satisfies ok, looked at each millisecond.
func (s *terminal) press(key string, ok func() bool) (time.Duration, error) {
	began := time.Now()
	if _, err := s.near.WriteString(key); err != nil {
		return 0, err
	}
	for !ok() {
		if time.Since(began) > 30*time.Second {
			return 0, fmt.Errorf("%q was not answered in 30 s:\n%s", key, s.screen())
		}
		time.Sleep(time.Millisecond)
	}
	return time.Since(began), nil
}

// end ends the program by a key, and frees the terminal.
func (s *terminal) end() error {
	if _, err := s.near.WriteString("q"); err != nil {
		return err
	}
	err := s.wait()
	<-s.read
	s.near.Close()
	s.shown.InputPipe().(io.Closer).Close()
	return err
}
