package integration_test

import (
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// stopIsFailure has a stop that comes while a command starts be a failure.
var stopIsFailure = withFault("stop-is-failure", "cmd/proctape/stages.go", "!onlyStopped(err) {", "true {")

// stopAfter starts a command, stops it after a time, and says what was wrong with its end. A signal that comes before the program can
// take one ends it, as it ends any.
func stopAfter(t *testing.T, d time.Duration, program string, args ...string) string {
	t.Helper()
	p := startProgram(t, program, args...)
	time.Sleep(d) // the moment is what the test is about
	if err := p.cmd.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.wait()
	if strings.Contains(p.stderr(), "they wait on disk, and the next recorder") { // it had begun to sample without its server
		return ""
	}
	var ended *exec.ExitError
	if errors.As(p.err, &ended) && ended.ExitCode() != -1 || strings.Contains(p.stderr(), "error:") {
		return fmt.Sprintf("%s after %s: %v\n%s", args[0], d, p.err, p.stderr())
	}
	return ""
}

// TestStop_WhileStarting stops recorders at moments of their start, and a sampler and a projector that wait for their server: a service
// manager that stops a service which has just been started sees no failure.
func TestStop_WhileStarting(t *testing.T) {
	long(t)
	t.Parallel()
	silent := must(net.Listen("tcp", "127.0.0.1:0"))(t) // accepts connections and says nothing
	defer silent.Close()
	server := "nats://" + silent.Addr().String()
	wrong := func(t *testing.T, program string) (all []string) {
		dir := t.TempDir()
		up := []string{"up", "--data", dir, "--host", "here", "--events", "proc-diff"}
		began := time.Now()
		first := startProgram(t, program, up...)
		first.awaitLine("is recording")
		took := time.Since(began)
		first.stop()
		const moments = 24
		for i := range moments {
			all = append(all, stopAfter(t, took*time.Duration(i)/moments, program, up...))
		}
		for _, waiting := range [][]string{{"sample"}, {"project", "--db", filepath.Join(dir, "second.db")}} {
			all = append(all, stopAfter(t, took, program, append(waiting, "--server", server, "--data", dir)...))
		}
		return all
	}
	if all := strings.TrimSpace(strings.Join(wrong(t, proctape), "")); all != "" {
		t.Error(all)
	}
	if all := strings.Join(wrong(t, stopIsFailure.program(t)), ""); all == "" {
		t.Error("a stop that is a failure is not seen")
	}
}
