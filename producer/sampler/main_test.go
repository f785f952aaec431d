package sampler

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// roleKey names the environment variable that makes the test binary play a child process.
const roleKey = "SAMPLER_TEST_ROLE"

// testTimeout is how long a test waits for what must happen, on a machine that may be busy with other work.
const testTimeout = 5 * time.Minute

func TestMain(m *testing.M) {
	if role := os.Getenv(roleKey); role != "" {
		if err := playRole(role); err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// playRole says that it is ready and does what the role asks until standard input ends.
func playRole(role string) error {
	ended := make(chan struct{})
	switch role {
	case "sleep", "burn":
	case "odd": // a name of bytes that no text is made of
		if err := os.WriteFile("/proc/self/comm", []byte("\xff\x1b)\x01 (\xc3"), 0); err != nil {
			return err
		}
	default:
		return fmt.Errorf("unknown role %q", role)
	}
	fmt.Println("ready")
	go func() {
		io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	for role == "burn" {
		select {
		case <-ended:
			return nil
		default:
		}
	}
	<-ended
	return nil
}

// child is another process that plays a role until it is ended.
type child struct {
	*exec.Cmd
	stdin io.WriteCloser
}

// startChild starts one and waits until it is ready. Args, when there are any, are its whole command line.
func startChild(t testing.TB, role string, env []string, args ...string) *child {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	if len(args) > 0 {
		cmd.Args = args
	}
	cmd.Env = append(append(os.Environ(), env...), roleKey+"="+role)
	cmd.Stderr = t.Output()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &child{cmd, stdin}
	t.Cleanup(func() {
		if c.ProcessState == nil {
			c.end(t)
		}
	})
	lines := bufio.NewReader(stdout)
	if line, err := lines.ReadString('\n'); line != "ready\n" {
		t.Fatalf("child said %q, %v", line, err)
	}
	return c
}

func (c *child) pid() int { return c.Process.Pid }

func (c *child) end(t testing.TB) {
	t.Helper()
	c.stdin.Close()
	if err := c.Wait(); err != nil {
		t.Errorf("child: %v", err)
	}
}
