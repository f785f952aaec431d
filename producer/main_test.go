package producer

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/proctape/proctape/embedded-nats/logtest"
)

// roleKey names the environment variable that makes the test binary play a child process.
const roleKey = "PRODUCER_TEST_ROLE"

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
	os.Setenv("GORACE", "atexit_sleep_ms=0") // without which a child built with -race takes a second to end
	goleak.VerifyTestMain(m, logtest.Singletons()...)
}

// playRole says that it is ready and does what the role asks until standard input ends.
func playRole(role string) error {
	ended := make(chan struct{})
	switch role {
	case "produce":
		return produce(os.Getenv(dirKey))
	case "fork":
		return forkOnOrder()
	case "sleep":
	default:
		return fmt.Errorf("unknown role %q", role)
	}
	fmt.Println("ready")
	go func() {
		io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
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
	c, _ := startChildReading(t, role, env, args...)
	return c
}

// startChildReading is startChild; what else the child says can be read.
func startChildReading(t testing.TB, role string, env []string, args ...string) (*child, *bufio.Reader) {
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
	return c, lines
}

func (c *child) pid() int { return c.Process.Pid }

func (c *child) end(t testing.TB) {
	t.Helper()
	c.stdin.Close()
	if err := c.Wait(); err != nil {
		t.Errorf("child: %v", err)
	}
}
