package run

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal is a pseudo-terminal, man pts(4): what is written to it is typed, what is read from it is on the screen.
type terminal struct {
	*os.File
	far    *os.File // what programs have as their terminal
	screen *bufio.Reader
}

func openTerminal(t *testing.T) *terminal {
	t.Helper()
	near, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close() })
	var number int
	control(t, near, func(fd int) (err error) {
		if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
			return err
		}
		number, err = unix.IoctlGetInt(fd, unix.TIOCGPTN)
		return err
	})
	far, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { far.Close() })
	control(t, far, func(fd int) error {
		settings, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		if err != nil {
			return err
		}
		settings.Lflag &^= unix.ECHO
		return unix.IoctlSetTermios(fd, unix.TCSETS, settings)
	})
	near.SetReadDeadline(time.Now().Add(patience))
	return &terminal{near, far, bufio.NewReader(near)}
}

// control calls f with a file's descriptor, which stays non-blocking.
func control(t *testing.T, f *os.File, call func(fd int) error) {
	t.Helper()
	raw, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if cerr := raw.Control(func(fd uintptr) { err = call(int(fd)) }); cerr != nil || err != nil {
		t.Fatal(cerr, err)
	}
}

func (term *terminal) typeIn(t *testing.T, keys string) {
	t.Helper()
	if _, err := term.WriteString(keys); err != nil {
		t.Fatal(err)
	}
}

// wantLine reads the next line of the screen.
func (term *terminal) wantLine(t *testing.T, want string) {
	t.Helper()
	line, err := term.screen.ReadString('\n')
	if err != nil {
		t.Fatalf("waiting for %q: %v", want, err)
	}
	if got := strings.TrimRight(line, "\r\n"); got != want {
		t.Fatalf("the screen shows %q, want %q", got, want)
	}
}

const (
	ctrlC         = "\x03"
	ctrlBackslash = "\x1c"
	ctrlZ         = "\x1a"
)

// onTerminal starts an engine as the first process of a terminal's session.
func onTerminal(t *testing.T, e *engine) *terminal {
	t.Helper()
	term := openTerminal(t)
	e.Stdin, e.Stdout = term.far, term.far
	e.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	e.start(t)
	return term
}

// TestWait_TerminalSignalsComeOnce: the terminal sends them to the command as well as to us. One more signal follows
// each, so that a second one would be seen.
func TestWait_TerminalSignalsComeOnce(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Config{Args: self(t, "watcher")})
	term := onTerminal(t, e)
	e.next(t)
	term.wantLine(t, "ready")
	for range 20 {
		for key, want := range map[string]string{ctrlC: "SIGINT", ctrlBackslash: "SIGQUIT"} {
			term.typeIn(t, key)
			term.wantLine(t, want)
			e.Process.Signal(unix.SIGUSR1)
			term.wantLine(t, "SIGUSR1")
		}
	}
	e.Process.Signal(unix.SIGTERM)
	term.wantLine(t, "SIGTERM")
	if code := e.end(t); code != 0 {
		t.Errorf("exit %d, want 0", code)
	}
}

// TestWait_InterruptReachesACommandOutsideTheForeground: the terminal does not reach it there.
func TestWait_InterruptReachesACommandOutsideTheForeground(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Config{Args: append([]string{"setsid"}, self(t, "watcher")...)})
	term := onTerminal(t, e)
	e.next(t)
	term.wantLine(t, "ready")
	term.typeIn(t, ctrlC)
	term.wantLine(t, "SIGINT")
	e.Process.Signal(unix.SIGTERM)
	term.wantLine(t, "SIGTERM")
	e.end(t)
}

func TestWait_CtrlCEndsTheCommandAndNotUs(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Config{Args: sh("echo ready; exec sleep 1000")})
	term := onTerminal(t, e)
	term.wantLine(t, "ready")
	term.typeIn(t, ctrlC)
	e.next(t)
	if r := e.next(t).Result; r.Signal != unix.SIGINT {
		t.Errorf("result %+v", r)
	}
	if code := e.end(t); code != 130 {
		t.Errorf("exit %d, want 130", code)
	}
}

// TestWait_JobControl stops the command in several ways under a shell, which must notice and be able to continue it.
func TestWait_JobControl(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Config{Args: self(t, "watcher")})
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	e.Args = []string{"shell", exe}
	e.Env = append(e.Env, roleKey+"=shell")
	term := onTerminal(t, e)
	command := e.next(t).Command.PID
	engine := parent(t, command)
	term.wantLine(t, "ready")

	for name, stop := range map[string]func(){
		"Ctrl-Z":                         func() { term.typeIn(t, ctrlZ) },
		"stop signal to the command":     func() { unix.Kill(command, unix.SIGSTOP) },
		"stop request to the command":    func() { unix.Kill(command, unix.SIGTSTP) },
		"stop signal to the whole group": func() { unix.Kill(-engine, unix.SIGSTOP) },
	} {
		stop()
		term.wantLine(t, "shell: job stopped")
		waitState(t, command, 'T')
		waitState(t, engine, 'T')
		term.typeIn(t, "fg\n")
		term.wantLine(t, "SIGCONT")
		unix.Kill(engine, unix.SIGUSR1)
		term.wantLine(t, "SIGUSR1")
		if t.Failed() {
			t.Fatal(name)
		}
	}
	unix.Kill(engine, unix.SIGTERM)
	term.wantLine(t, "SIGTERM")
	term.wantLine(t, "shell: job ended 0")
	e.end(t)
}

// TestWait_JobControlLeavesItToTheCommand: a command that does not stop at Ctrl-Z keeps us, and so the terminal.
func TestWait_JobControlLeavesItToTheCommand(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Config{Args: sh(`trap '' TSTP; echo ready; read line; echo "read $line"`)})
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	e.Args = []string{"shell", exe}
	e.Env = append(e.Env, roleKey+"=shell")
	term := onTerminal(t, e)
	term.wantLine(t, "ready")
	term.typeIn(t, ctrlZ)
	term.typeIn(t, "more\n")
	term.wantLine(t, "read more")
	term.wantLine(t, "shell: job ended 0")
	e.end(t)
}

func parent(t *testing.T, pid int) int {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	var ppid int
	var state string
	line := string(data)
	if _, err := fmt.Sscan(line[strings.LastIndexByte(line, ')')+1:], &state, &ppid); err != nil {
		t.Fatal(err)
	}
	return ppid
}
