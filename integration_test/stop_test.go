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

	"github.com/proctape/proctape/producer/publish/spool"
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

// keptIsFailure has a sampler whose log is away fail at its stop, though all is kept.
var keptIsFailure = withFault("kept-is-failure", "cmd/proctape/stages.go", "return ok && left.Kept", `return ok && left.Kept && !runsAs("kept-is-failure")`)

// TestStop_SamplerWithoutItsLog stops a sampler whose log never answered: when what it made waits on disk that is an end like any other, and
// when it is lost that is a failure.
func TestStop_SamplerWithoutItsLog(t *testing.T) {
	long(t)
	t.Parallel()
	stopped := func(program string, spoolMB int) (p *process, kept spool.Depth) {
		dir := t.TempDir()
		p = startProgram(t, program, "sample", "--data", dir, "--server", fmt.Sprintf("nats://127.0.0.1:%d", freePort(t)), "--host", "beta",
			"--interval", "100ms", "--events", "proc-diff", "--spool-mb", fmt.Sprint(spoolMB))
		p.awaitLine("is sampling")
		if spoolMB > 0 {
			await(t, "samples on disk", func() bool { return spool.DepthOf(filepath.Join(dir, "lives")).Items > 0 })
		}
		if err := p.cmd.Process.Signal(unix.SIGTERM); err != nil {
			t.Fatal(err)
		}
		p.wait()
		return p, spool.DepthOf(filepath.Join(dir, "lives"))
	}
	p, kept := stopped(proctape, 64)
	said := strings.Join(p.out(), "\n")
	if want := fmt.Sprintf("%d items wait on disk", kept.Items); p.err != nil || kept.Items == 0 || !strings.Contains(said, want) || !strings.Contains(said, " 0 lost.") || strings.Contains(p.stderr(), "error") {
		t.Errorf("all is kept: %v, and it says\n%s\n%s\nwant no error, %q, and that nothing is lost", p.err, said, p.stderr(), want)
	}
	if p, _ := stopped(proctape, 0); p.err == nil || !strings.Contains(p.stderr(), "not acknowledged") || strings.Contains(strings.Join(p.out(), "\n"), " 0 lost.") {
		t.Errorf("nothing is kept: %v, and it says\n%s\n%s\nwant a failure, and how much is lost", p.err, strings.Join(p.out(), "\n"), p.stderr())
	}
	if p, _ := stopped(keptIsFailure.program(t), 64); p.err == nil {
		t.Error("a sampler that fails though all is kept is not seen")
	}
}
