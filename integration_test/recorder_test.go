// Package integration_test runs the real program: real processes, a real server, real files.
package integration_test

import (
	"bufio"
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	_ "modernc.org/sqlite"

	"github.com/proctape/proctape/schema"
)

// proctape is the program under test, built once.
var proctape string

// patience is how long a test waits for what must happen, on a machine that may be busy with other work.
const patience = 5 * time.Minute

func TestMain(m *testing.M) {
	if role := os.Getenv(roleEnv); role != "" {
		os.Exit(play(role))
	}
	os.Setenv("GORACE", "atexit_sleep_ms=0") // without which an actor built with -race takes a second to end
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "proctape-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	proctape = filepath.Join(dir, "proctape")
	if err := buildProgram(proctape); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() {
		for i := range atEnd {
			atEnd[len(atEnd)-1-i]()
		}
	}()
	return m.Run()
}

// atEnd is done when all tests have run, the last first.
var atEnd []func()

// buildProgram builds the program under test, with the race detector if these tests have it.
func buildProgram(program string, flags ...string) error {
	return build(program, "../cmd/proctape", raceEnv, slices.Concat(raceFlags, flags)...)
}

// build builds a program without what only a debugger reads, which is a third of the work.
func build(program, from, env string, flags ...string) error {
	cmd := exec.Command("go", slices.Concat([]string{"build", "-ldflags=-s -w", "-o", program}, flags, []string{from})...)
	cmd.Env = append(os.Environ(), env)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", from, err, out)
	}
	return nil
}

// long is at the head of a campaign, which make test-short leaves out.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED: a long campaign, which make test runs")
	}
}

// process is a running proctape whose output is kept.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended and err is set
	err  error

	mu    sync.Mutex
	lines []string
	more  chan struct{} // closed and replaced when a line comes
	errs  bytes.Buffer
}

// start runs the program with args and returns at once. The test waits for its end.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	return startProgram(t, proctape, args...)
}

// startProgram is start for another build of the program, or for what wraps it.
func startProgram(t *testing.T, program string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(program, args...), done: make(chan struct{}), more: make(chan struct{})}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stderr = &lockedWriter{&p.mu, &p.errs}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.read(stdout)
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.done
	})
	return p
}

type lockedWriter struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

func (p *process) read(r io.Reader) {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		p.mu.Lock()
		if line != "" {
			p.lines = append(p.lines, strings.TrimSuffix(line, "\n"))
		}
		close(p.more)
		p.more = make(chan struct{})
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// out is what the process has printed so far.
func (p *process) out() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lines[:len(p.lines):len(p.lines)]
}

func (p *process) stderr() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.errs.String()
}

// await waits until what the process printed satisfies ok.
func (p *process) await(what string, ok func(lines []string) bool) {
	p.t.Helper()
	limit := time.After(patience)
	for {
		p.mu.Lock()
		more, lines := p.more, p.lines
		p.mu.Unlock()
		if ok(lines) {
			return
		}
		select {
		case <-more:
		case <-p.done:
			if ok(p.out()) {
				return
			}
			p.t.Fatalf("ended before %s: %v\n%s\n%s", what, p.err, strings.Join(p.out(), "\n"), p.stderr())
		case <-limit:
			p.t.Fatalf("no %s within %s\n%s\n%s", what, patience, strings.Join(p.out(), "\n"), p.stderr())
		}
	}
}

// awaitLine waits for a line that contains s.
func (p *process) awaitLine(s string) {
	p.t.Helper()
	p.await(fmt.Sprintf("line with %q", s), func(lines []string) bool {
		for _, l := range lines {
			if strings.Contains(l, s) {
				return true
			}
		}
		return false
	})
}

// stop asks the process to end, as Ctrl-C does, and waits for it.
func (p *process) stop() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(unix.SIGINT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatal(err)
	}
	p.wait()
	if p.err != nil {
		p.t.Fatalf("%v: %v\n%s\n%s", p.cmd.Args, p.err, strings.Join(p.out(), "\n"), p.stderr())
	}
}

func (p *process) wait() {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatalf("%v did not end within %s\n%s", p.cmd.Args, patience, p.stderr())
	}
}

// run runs the program to its end and returns what it printed.
func run(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command(proctape, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, stderr.String())
	}
	return string(out)
}

// readOnly opens a database as any reader would.
func readOnly(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", schema.ReaderDSN(path))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// writable opens a database to damage it.
func writable(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", schema.WriterDSN(path))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// await waits until ok, for what no process prints. To ask takes the machine's time, so what takes long is asked for
// less often.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	const first, last = 10 * time.Millisecond, 100 * time.Millisecond
	deadline := time.After(patience)
	for wait := first; !ok(); wait = min(wait*5/4, last) {
		select {
		case <-time.After(wait):
		case <-deadline:
			t.Fatalf("no %s within %s", what, patience)
		}
	}
}
