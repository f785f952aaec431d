package bpf

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/producer/procfs"
)

// roleKey names the environment variable that makes the test binary play a child process.
const roleKey = "BPF_TEST_ROLE"

func init() {
	if os.Getenv(roleKey) == "headless" {
		runtime.LockOSThread() // main keeps the first thread
	}
}

func TestMain(m *testing.M) {
	role := os.Getenv(roleKey)
	if role == "" {
		os.Exit(m.Run())
	}
	if err := play(role); err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(1)
	}
}

// play does what a role does until standard input ends.
func play(role string) error {
	if how, talks := strings.CutPrefix(role, "talks "); talks {
		if err := talk(how); err != nil {
			return err
		}
		awaitEndOfInput()
		return nil
	}
	switch role {
	case "threads", "headless":
		for range 8 {
			go workLocked()
		}
	case "files":
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3333, Max: 4000}); err != nil {
			return err
		}
		for range 3000 {
			if _, err := unix.Open(os.DevNull, unix.O_RDONLY, 0); err != nil {
				return err
			}
		}
	case "memory":
		memory := make([]byte, 100<<20)
		for i := range memory {
			memory[i] = byte(i)
		}
		defer runtime.KeepAlive(memory)
	case "writes":
		go write()
	default:
		return fmt.Errorf("unknown role %q", role)
	}
	if role == "headless" {
		go func() {
			awaitEndOfInput()
			os.Exit(0)
		}()
		unix.Syscall(unix.SYS_EXIT, 0, 0, 0)
		select {} // this thread has ended
	}
	awaitEndOfInput()
	return nil
}

func awaitEndOfInput() {
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
}

// workLocked works for a while in a thread of its own and keeps it.
func workLocked() {
	runtime.LockOSThread()
	sum := 0
	for i := range 5_000_000 { // some milliseconds
		sum += i * i
	}
	runtime.KeepAlive(sum)
	select {}
}

// write writes and drops a file again and again.
func write() {
	for {
		f, err := os.CreateTemp("", "bpf")
		if err != nil {
			return
		}
		os.Remove(f.Name())
		f.Write(make([]byte, 1<<20))
		f.Close()
	}
}

// startRole starts a child that plays a role until the test ends, and waits until it is ready.
func startRole(t testing.TB, role string) int {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roleKey+"="+role)
	cmd.Stderr = os.Stderr
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		input.Close()
		cmd.Process.Kill()
		cmd.Wait()
	})
	if line, err := bufio.NewReader(output).ReadString('\n'); line != "ready\n" {
		t.Fatalf("child said %q, %v", line, err)
	}
	return cmd.Process.Pid
}

// startSleep starts a process that sleeps until the test ends.
func startSleep(t testing.TB, attr *syscall.SysProcAttr) int {
	t.Helper()
	cmd := exec.Command("sleep", "infinity")
	cmd.SysProcAttr = attr
	if err := cmd.Start(); err != nil {
		t.Skip("SKIPPED: no sleep command: ", err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd.Process.Pid
}

// openTable opens a table until the test ends, or skips the test.
func openTable(t testing.TB) *Table {
	t.Helper()
	fs := procfs.New("")
	table, err := OpenTable(fs)
	if err != nil {
		t.Skip("SKIPPED: the kernel does not let this process run programs: ", err)
	}
	t.Cleanup(func() {
		if err := table.Close(); err != nil {
			t.Error(err)
		}
		if err := fs.Close(); err != nil {
			t.Error(err)
		}
	})
	return table
}
