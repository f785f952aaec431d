package lifecycle

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/schema"
)

// within is how long a test waits for what takes a second or two on a machine at rest.
const within = 5 * time.Minute

// rig is a source that watches this machine, and what it has told so far.
type rig struct {
	Source
	t    testing.TB
	fs   *procfs.FS
	told []schema.KindedEvent
	gaps []schema.Gap
}

// newRig returns a rig that knows who is there.
func newRig(t testing.TB, open func(cfg Config) (Source, error)) *rig {
	t.Helper()
	r := &rig{t: t, fs: procfs.New("")}
	source, err := open(Config{Describe: r.describe, Command: func(comm string, args []string) string { return command(&procfs.Process{Comm: comm, Args: args}) }})
	if err != nil {
		t.Skipf("SKIPPED: not on this machine: %v", err)
	}
	r.Source = source
	t.Cleanup(func() {
		if err := source.Close(); err != nil {
			t.Error(err)
		}
		r.fs.Close()
	})
	r.observe()
	return r
}

// openOne opens one kind.
func openOne(kind SourceKind) func(Config) (Source, error) {
	return func(cfg Config) (Source, error) {
		source, _, err := Open(cfg, []SourceKind{kind})
		return source, err
	}
}

func (r *rig) describe(pid int) (Description, bool) {
	p, err := r.fs.Process(pid, procfs.Options{})
	return Description{
		PPID: p.PPID, StartTicks: p.StartTicks, UID: schema.Opt[int64]{V: int64(p.UID), Known: p.UIDKnown},
		Command: command(&p),
	}, err == nil
}

func command(p *procfs.Process) string {
	if len(p.Args) == 0 {
		return "[" + p.Comm + "]"
	}
	return strings.Join(p.Args, " ")
}

// observe shows the source a scan of /proc, with a poll in between.
func (r *rig) observe() {
	r.t.Helper()
	scan, err := r.fs.Processes(nil, procfs.Options{})
	if err != nil {
		r.t.Fatal(err)
	}
	c, err := readClocks() // after the scan, as the sampler does
	if err != nil {
		r.t.Fatal(err)
	}
	l := Scan{Wall: c.boot + c.epochStart, Boot: c.boot}
	for i := range scan.Processes {
		p := &scan.Processes[i]
		l.Processes = append(l.Processes, schema.Process{
			PID: p.PID, PPID: p.PPID, StartTicks: p.StartTicks, State: string(rune(p.State)), Threads: p.Threads,
			UID: schema.Opt[int64]{V: int64(p.UID), Known: p.UIDKnown}, Command: command(p), CPUMillis: p.CPUTicks * 10,
		})
	}
	r.poll()
	r.Observe(l)
}

func (r *rig) poll() {
	r.t.Helper()
	if _, err := r.Poll(); err != nil {
		r.t.Fatal(err)
	}
}

// take takes what happened up to the boot time until.
func (r *rig) take(until int64) {
	occurred, gaps := r.Take(until)
	r.told, r.gaps = append(r.told, occurred...), append(r.gaps, gaps...)
}

// await polls until an event of a kind and a process comes. It scans where the source lives by scans, and once a second
// elsewhere too, as a sampler does: what the kernel reported in vain is found so.
func (r *rig) await(kind schema.Kind, pid int) schema.Event {
	r.t.Helper()
	scanned := time.Now()
	for deadline := time.Now().Add(within); ; {
		if got := r.of(kind, pid); len(got) > 0 {
			return got[0]
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("no %s of %d within %s", kind, pid, within)
		}
		if r.Kind() == KindDiff || time.Since(scanned) > time.Second {
			r.observe()
			scanned = time.Now()
		} else {
			time.Sleep(time.Millisecond) // or it takes a whole core to look
			r.poll()
		}
		r.take(r.now() - int64(EventDelay))
	}
}

func (r *rig) now() int64 {
	r.t.Helper()
	c, err := readClocks()
	if err != nil {
		r.t.Fatal(err)
	}
	return c.boot
}

// pollLonger polls for longer than anything may be waited for, so that what would come twice has come.
func (r *rig) pollLonger() {
	r.t.Helper()
	for deadline := time.Now().Add(EventDelay + EventDelay/2); time.Now().Before(deadline); time.Sleep(EventDelay / 10) {
		r.poll()
	}
	for range 2 {
		r.observe()
	}
	r.take(math.MaxInt64)
}

// of returns what was told of a process.
func (r *rig) of(kind schema.Kind, pid int) []schema.Event {
	var out []schema.Event
	for i := range r.told {
		if o := &r.told[i]; o.Kind == kind && o.Event.PID == pid {
			out = append(out, o.Event)
		}
	}
	return out
}

// lost is how many things of a kind are told to be lost.
func (r *rig) lost(kind schema.GapKind) (n int64) {
	for _, g := range r.gaps {
		if g.Kind == kind {
			n += g.Count.Or(0)
		}
	}
	return n
}

// actor is a process that waits for its cue, which is the end of its standard input.
type actor struct {
	t     testing.TB
	cmd   *exec.Cmd
	stdin io.WriteCloser
	out   *bufio.Reader

	headless bool // its first thread ends at once
}

// start starts a shell with a script.
func start(t testing.TB, script string) *actor {
	return startCommand(t, exec.Command("/bin/sh", "-c", script))
}

// startRole starts this test binary in a role.
func startRole(t testing.TB, role string) *actor {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roleKey+"="+role)
	a := startCommand(t, cmd)
	a.headless = role == "leader exits first"
	return a
}

func startCommand(t testing.TB, cmd *exec.Cmd) *actor {
	t.Helper()
	cmd.Stderr = os.Stderr // a file: what writes to another keeps Wait waiting
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	a := &actor{t: t, cmd: cmd, stdin: stdin, out: bufio.NewReader(stdout)}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		cmd.Process.Kill()
		cmd.Wait()
	})
	return a
}

func (a *actor) pid() int { return a.cmd.Process.Pid }

// proceed lets the actor go on and waits until it has ended.
func (a *actor) proceed() {
	a.t.Helper()
	a.stdin.Close()
	a.wait()
}

// number reads a number that the actor writes in a line.
func (a *actor) number() (n int) {
	a.t.Helper()
	if _, err := fmt.Fscanln(a.out, &n); err != nil {
		a.t.Fatal(err)
	}
	return n
}

func (a *actor) wait() {
	a.t.Helper()
	if err := a.cmd.Wait(); a.cmd.ProcessState == nil {
		a.t.Fatal(err)
	}
}

// ending is how a process ended: a code, or a signal and whether it is one that dumps core.
func ending(e schema.Event) string {
	switch {
	case e.Signal.Known:
		return fmt.Sprintf("signal %d core %t", e.Signal.V, e.Core)
	case e.ExitCode.Known:
		return fmt.Sprintf("code %d", e.ExitCode.V)
	}
	return "unknown"
}
