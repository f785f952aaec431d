package procfs

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// roleKey names the environment variable that makes the test binary play a child process.
const roleKey = "PROCFS_TEST_ROLE"

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

func play(role string) error {
	switch role {
	case "obey":
		return obey()
	case "headless":
		return obeyHeadless()
	case "unprivileged":
		return scanUnprivileged(os.Args[1], os.Args[2])
	default:
		return fmt.Errorf("unknown role %q", role)
	}
}

func init() {
	if os.Getenv(roleKey) == "headless" {
		runtime.LockOSThread() // main keeps the first thread
	}
}

// obeyHeadless ends the first thread of the process, and obeys in another.
func obeyHeadless() error {
	memory := bytes.Repeat([]byte{1}, headlessBytes) // that is resident
	go func() {
		for first := fmt.Sprintf("/proc/self/task/%d/stat", os.Getpid()); ; runtime.Gosched() {
			data, err := os.ReadFile(first)
			if s, parseErr := parseStat(data); err != nil || parseErr == nil && s.ended() {
				break
			}
		}
		err := obey()
		runtime.KeepAlive(memory)
		if err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
		}
		os.Exit(5)
	}()
	unix.Syscall(unix.SYS_EXIT, 0, 0, 0)
	select {} // this thread has ended
}

const headlessBytes = 64 << 20

// obey does what it reads from standard input, one line at a time, until the input ends, and says when it is ready.
func obey() error {
	fmt.Println("ready")
	for {
		order, err := readLine(os.Stdin)
		if err != nil {
			return nil
		}
		switch order {
		case "exec":
			return syscall.Exec("/proc/self/exe", []string{"second", "life"}, []string{roleKey + "=obey", "JOB_ID=two"})
		case "open":
			if _, err := unix.Open(os.DevNull, unix.O_RDONLY, 0); err != nil {
				return err
			}
			fmt.Println("opened")
		}
	}
}

// readLine reads a line without reading ahead, so that a program executed next finds the rest.
func readLine(r io.Reader) (string, error) {
	var line []byte
	for {
		var b [1]byte
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return "", err
		}
		if b[0] == '\n' {
			return string(line), nil
		}
		line = append(line, b[0])
	}
}

// scanUnprivileged mounts a proc file system at dir that hides processes in the given way, gives up all privileges, scans
// and prints the scan. It runs in a mount namespace of its own.
func scanUnprivileged(dir, hidepid string) error {
	if err := unix.Mount("proc", dir, "proc", 0, "hidepid="+hidepid); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	fs := New(dir)
	if err := fs.open(); err != nil { // while we may pass the directories above it
		return err
	}
	const nobody = 65534
	if err := syscall.Setgroups(nil); err != nil {
		return err
	}
	if err := syscall.Setgid(nobody); err != nil {
		return err
	}
	if err := syscall.Setuid(nobody); err != nil {
		return err
	}
	scan, err := fs.Processes(nil, Options{EnvKeys: []string{"PATH"}})
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(scan)
}

// child is a process that obeys.
type child struct {
	cmd    *exec.Cmd
	input  io.WriteCloser
	output *bufio.Reader
}

// startChild starts a child with the given arguments and environment, and waits until it is ready.
func startChild(t *testing.T, args, env []string) *child {
	t.Helper()
	return startRole(t, "obey", args, env)
}

func startRole(t *testing.T, role string, args, env []string) *child {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Args = args
	cmd.Env = append(env, roleKey+"="+role)
	cmd.Stderr = t.Output()
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
	c := &child{cmd: cmd, input: input, output: bufio.NewReader(output)}
	c.expect(t, "ready")
	return c
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// order sends an order and waits for the answer.
func (c *child) order(t *testing.T, order, answer string) {
	t.Helper()
	if _, err := io.WriteString(c.input, order+"\n"); err != nil {
		t.Fatal(err)
	}
	c.expect(t, answer)
}

func (c *child) expect(t *testing.T, answer string) {
	t.Helper()
	line, err := c.output.ReadString('\n')
	if err != nil || line != answer+"\n" {
		t.Fatalf("child said %q, %v, want %q", line, err, answer)
	}
}
