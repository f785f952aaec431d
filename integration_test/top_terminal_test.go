package integration_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/charmbracelet/x/vt"
	"golang.org/x/sys/unix"
)

// A screenTerminal is a terminal on which a program runs, and what it shows.
type screenTerminal struct {
	t         *testing.T
	near, far *os.File
	cmd       *exec.Cmd
	before    unix.Termios  // the terminal's mode before the program began
	done      chan struct{} // closed when the program has ended and err is set
	drained   chan struct{} // closed when all that was written has been read
	err       error

	mu      sync.Mutex
	shown   *vt.Emulator
	written strings.Builder // all that the program wrote
	more    chan struct{}   // closed and replaced when the program has written
}

// onScreen starts the program on a terminal of a size, with more in its environment.
func onScreen(t *testing.T, program string, width, height int, env []string, args ...string) *screenTerminal {
	t.Helper()
	near, far := openPTY(t)
	races := filepath.Join(t.TempDir(), "races")
	s := &screenTerminal{t: t, near: near, far: far, cmd: exec.Command(program, args...), done: make(chan struct{}), drained: make(chan struct{}), shown: vt.NewEmulator(width, height), more: make(chan struct{})}
	s.size(width, height)
	s.before = s.mode()
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = far, far, far
	s.cmd.Env = append(append(os.Environ(), "TERM=xterm-256color", "COLORTERM=", "NO_COLOR=", "LC_ALL=C.UTF-8", "TZ=UTC", "GORACE=exitcode=0 atexit_sleep_ms=0 log_path="+races), env...)
	s.cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Setctty: true}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	answered := make(chan struct{})
	go func() { // what a terminal answers when it is asked
		defer close(answered)
		_, _ = io.Copy(near, s.shown)
	}()
	go s.read()
	go func() {
		s.err = s.cmd.Wait()
		close(s.done)
	}()
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill()
		<-s.done
		s.shown.InputPipe().(io.Closer).Close() // Close of the terminal itself races with who reads it
		far.Close()
		near.Close()
		<-answered
		<-s.drained
		checkRaces(t, races)
	})
	return s
}

// checkRaces reads what the race detector reported in a program that was built with it. The reader of keys that bubbletea uses is
// closed under its last read when the program ends: that is no fault of ours, and every other report is one.
func checkRaces(t *testing.T, path string) {
	t.Helper()
	files, err := filepath.Glob(path + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		for report := range strings.SplitSeq(string(must(os.ReadFile(file))(t)), "==================") {
			if strings.Contains(report, "DATA RACE") && !strings.Contains(report, "cancelreader") {
				t.Error(report)
			}
		}
	}
}

// read shows what the program writes.
func (s *screenTerminal) read() {
	defer close(s.drained)
	b := make([]byte, 1<<16)
	for {
		n, err := s.near.Read(b)
		s.mu.Lock()
		_, _ = s.shown.Write(b[:n])
		s.written.Write(b[:n])
		close(s.more)
		s.more = make(chan struct{})
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// size sets the terminal's size, and tells the program.
func (s *screenTerminal) size(width, height int) {
	s.t.Helper()
	s.mu.Lock()
	s.shown.Resize(width, height) // first, as a terminal does: what the program draws for the new size is to find it
	s.mu.Unlock()
	if err := unix.IoctlSetWinsize(int(s.near.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: uint16(width), Row: uint16(height)}); err != nil {
		s.t.Fatal(err)
	}
}

// press types keys.
func (s *screenTerminal) press(keys ...string) {
	s.t.Helper()
	for _, k := range keys {
		if code, ok := keyCodes[k]; ok {
			k = code
		}
		if _, err := s.near.WriteString(k); err != nil {
			s.t.Fatal(err)
		}
	}
}

// click clicks on the first text on the screen, as a terminal tells it: xterm's control sequences, Mouse Tracking, SGR.
func (s *screenTerminal) click(text string) {
	s.t.Helper()
	s.awaitText(text)
	for y, line := range strings.Split(s.screen(), "\n") {
		if before, _, found := strings.Cut(line, text); found {
			x := len([]rune(before)) + 2
			s.press(fmt.Sprintf("\x1b[<0;%d;%dM\x1b[<0;%d;%dm", x, y+1, x, y+1))
			return
		}
	}
}

// keyCodes are what a terminal sends for keys that are no characters.
var keyCodes = map[string]string{
	"up": "\x1b[A", "down": "\x1b[B", "right": "\x1b[C", "left": "\x1b[D", "pgup": "\x1b[5~", "pgdown": "\x1b[6~", "home": "\x1b[H", "end": "\x1b[F", "enter": "\r", "esc": "\x1b",
	"space": " ", "backspace": "\x7f", "tab": "\t", "shift+tab": "\x1b[Z", "ctrl+c": "\x03", "ctrl+l": "\x0c", "ctrl+u": "\x15", "ctrl+z": "\x1a",
	"f1": "\x1bOP", "f2": "\x1bOQ", "f3": "\x1bOR", "f4": "\x1bOS", "f5": "\x1b[15~", "f6": "\x1b[17~", "f9": "\x1b[20~", "f10": "\x1b[21~",
}

// screen is what the terminal shows, line by line.
func (s *screenTerminal) screen() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	lines := strings.Split(s.shown.String(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " \r")
	}
	return strings.Join(lines, "\n")
}

// await waits until the screen satisfies ok.
func (s *screenTerminal) await(what string, ok func(screen string) bool) string {
	s.t.Helper()
	limit := time.After(patience)
	for {
		s.mu.Lock()
		more := s.more
		s.mu.Unlock()
		shown := s.screen()
		if ok(shown) {
			return shown
		}
		select {
		case <-more:
		case <-s.done:
			s.t.Fatalf("it ended before %s: %v\n%s", what, s.err, s.screen())
		case <-limit:
			s.t.Fatalf("no %s within %s:\n%s", what, patience, s.screen())
		}
	}
}

// awaitText waits until the screen has a text.
func (s *screenTerminal) awaitText(text string) string {
	s.t.Helper()
	return s.await("screen with "+text, func(screen string) bool { return strings.Contains(screen, text) })
}

// ended waits for the program's end.
func (s *screenTerminal) ended() {
	s.t.Helper()
	select {
	case <-s.done:
	case <-time.After(patience):
		s.t.Fatalf("it did not end:\n%s", s.screen())
	}
}
