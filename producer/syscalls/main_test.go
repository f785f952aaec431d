package syscalls

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// roleKey names the environment variable that makes the test binary play another process.
const roleKey = "SYSCALLS_TEST_ROLE"

// patience is how long a test waits for what must happen, on a machine that may be busy with other work.
const patience = 5 * time.Minute

func TestMain(m *testing.M) {
	if role := os.Getenv(roleKey); role != "" {
		if err := play(role, os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// play says that it is ready and does what the role asks until standard input ends.
func play(role string, args []string) error {
	ended := make(chan struct{})
	go func() {
		io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	switch role {
	case "idle":
		fmt.Println("ready")
		<-ended
		return nil
	case "busy":
		return busy(args[0], ended)
	case "tracer":
		pid, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		fmt.Println("ready")
		_, err = Strace{grace: patience}.Trace(context.Background(), pid, time.Hour)
		return err
	}
	return fmt.Errorf("unknown role %q", role)
}

// busy reads and writes a byte at a time, as dd bs=1 does, and counts in the first 8 bytes of a file.
func busy(path string, ended <-chan struct{}) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	page, err := unix.Mmap(int(file.Fd()), 0, 8, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	counter := (*atomic.Uint64)(unsafe.Pointer(&page[0]))
	zero, err := unix.Open("/dev/zero", unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	null, err := unix.Open("/dev/null", unix.O_WRONLY, 0)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	var b [1]byte
	for {
		select {
		case <-ended:
			return nil
		default:
		}
		if _, err := unix.Read(zero, b[:]); err != nil {
			return err
		}
		if _, err := unix.Write(null, b[:]); err != nil {
			return err
		}
		counter.Add(1)
	}
}

// child is another process that plays a role until it is ended.
type child struct {
	*exec.Cmd
	stdin io.WriteCloser
	count string // file in which a busy one counts
}

// startChild starts one, waits until it is ready, and ends it with the test. A child that then does not end well
// fails the test.
func startChild(t *testing.T, role string, args ...string) *child {
	t.Helper()
	c := &child{count: filepath.Join(t.TempDir(), "count")}
	if role == "busy" {
		if err := os.WriteFile(c.count, make([]byte, 8), 0o600); err != nil {
			t.Fatal(err)
		}
		args = []string{c.count}
	}
	c.Cmd = exec.Command("/proc/self/exe", args...)
	c.Env = append(os.Environ(), roleKey+"="+role, "GORACE=atexit_sleep_ms=0")
	c.Stderr = t.Output()
	var err error
	if c.stdin, err = c.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if c.ProcessState == nil {
			c.end(t)
		}
	})
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "ready\n" {
		t.Fatalf("child said %q, %v", line, err)
	}
	return c
}

func (c *child) pid() int { return c.Process.Pid }

// end ends the child in good order.
func (c *child) end(t *testing.T) {
	t.Helper()
	c.stdin.Close()
	if err := c.Wait(); err != nil {
		t.Errorf("child: %v", err)
	}
}

// kill ends it at once.
func (c *child) kill(t *testing.T) {
	t.Helper()
	if err := c.Process.Kill(); err != nil {
		t.Error(err)
	}
	c.Wait() // says that it was killed
}

// rounds is how many reads and writes a busy child has made.
func (c *child) rounds(t *testing.T) uint64 {
	t.Helper()
	data, err := os.ReadFile(c.count)
	if err != nil || len(data) != 8 {
		t.Fatalf("read the count: %d bytes, %v", len(data), err)
	}
	return binary.NativeEndian.Uint64(data)
}

// tracer is the pid of the process that traces pid, 0 for none.
func tracer(t *testing.T, pid int) int {
	t.Helper()
	target, err := readTarget(pid)
	if err != nil {
		t.Fatal(err)
	}
	return target.tracer
}

// needStrace skips a test where there is no strace, or none may be used.
func needStrace(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("SKIPPED: it needs strace")
	}
	idle := startChild(t, "idle")
	if _, err := (Strace{grace: patience}).Trace(t.Context(), idle.pid(), time.Millisecond); errors.Is(err, ErrNotPermitted) {
		t.Skip("SKIPPED: ", err)
	}
}

// script writes a program that stands in for strace.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "strace")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %s within %s", what, patience)
		}
	}
}

func logTo(t *testing.T) *slog.Logger { return slog.New(slog.NewTextHandler(t.Output(), nil)) }

// alive reports whether a process exists and is not a zombie.
func alive(pid int) bool {
	target, err := readTarget(pid)
	return err == nil && !strings.Contains("ZX", target.state)
}
