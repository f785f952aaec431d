package syscalls

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/proctape/proctape/schema"
)

// run runs a profiler until the test ends, or the function it returns is called.
func run(t *testing.T, cfg Config) (p *Profiler, stop func()) {
	t.Helper()
	cfg.Log = logTo(t)
	p = NewProfiler(cfg)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	stopped := false
	stop = func() {
		if cancel(); stopped {
			return
		}
		stopped = true
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
	t.Cleanup(stop)
	return p, stop
}

func start(t *testing.T, pid int) uint64 {
	t.Helper()
	target, err := readTarget(pid)
	if err != nil {
		t.Fatal(err)
	}
	return target.start
}

func TestProfiler_HandsTheResultOverOnce(t *testing.T) {
	needStrace(t)
	c := startChild(t, "busy")
	p, _ := run(t, Config{Enabled: true, Duration: 200 * time.Millisecond})
	if err := p.Request(c.pid()); err != nil {
		t.Fatal(err)
	}
	var calls []schema.Syscall
	eventually(t, "result", func() bool {
		var ok bool
		calls, ok = p.Take(c.pid(), start(t, c.pid()))
		return ok
	})
	if !slices.ContainsFunc(calls, func(s schema.Syscall) bool { return s.Name == "read" && s.Calls > 1 }) {
		t.Errorf("got %v, want reads", calls)
	}
	if _, ok := p.Take(c.pid(), start(t, c.pid())); ok {
		t.Error("the result was handed over twice")
	}
	if got, want := p.Stats(), (Stats{Traced: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := tracer(t, c.pid()); got != 0 {
		t.Errorf("process %d traces the child after the trace", got)
	}
}

// During a trace nothing else is traced, its tracer least of all.
func TestProfiler_OneTraceAtATime(t *testing.T) {
	needStrace(t)
	c := startChild(t, "busy")
	p, stop := run(t, Config{Enabled: true, Duration: time.Hour})
	if err := p.Request(c.pid()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "tracer", func() bool { return tracer(t, c.pid()) != 0 })
	for _, pid := range []int{c.pid(), tracer(t, c.pid()), startChild(t, "idle").pid()} {
		if err := p.Request(pid); !errors.Is(err, ErrBusy) {
			t.Errorf("request: got %v, want %v", err, ErrBusy)
		}
		if err := p.Suggest(pid); !errors.Is(err, ErrBusy) {
			t.Errorf("suggestion: got %v, want %v", err, ErrBusy)
		}
	}
	if calls, ok := p.Take(c.pid(), start(t, c.pid())); ok {
		t.Errorf("got %v before the end of the trace", calls)
	}
	stop()
	if got := tracer(t, c.pid()); got != 0 {
		t.Errorf("process %d traces the child after the end", got)
	}
	if err := p.Request(c.pid()); !errors.Is(err, ErrOff) {
		t.Errorf("after the end: got %v, want %v", err, ErrOff)
	}
}

func TestProfiler_Refuses(t *testing.T) {
	gone := startChild(t, "idle")
	gone.end(t)
	p, _ := run(t, Config{Enabled: true})
	for name, tt := range map[string]struct {
		pid  int
		want error
	}{"itself": {os.Getpid(), ErrOwn}, "gone": {gone.pid(), ErrGone}, "no pid": {0, ErrGone}} {
		if err := p.Request(tt.pid); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
		if err := p.Suggest(tt.pid); !errors.Is(err, tt.want) { // and counts for nothing
			t.Errorf("%s, suggested: got %v, want %v", name, err, tt.want)
		}
	}
	off, _ := run(t, Config{})
	if err := off.Request(startChild(t, "idle").pid()); !errors.Is(err, ErrOff) {
		t.Errorf("off: got %v, want %v", err, ErrOff)
	}
}

func TestProfiler_ProcessThatEndsMeanwhileHasNoResult(t *testing.T) {
	needStrace(t)
	c := startChild(t, "busy")
	pid, began := c.pid(), start(t, c.pid())
	p, _ := run(t, Config{Enabled: true, Duration: time.Hour})
	if err := p.Request(pid); err != nil {
		t.Fatal(err)
	}
	eventually(t, "tracer", func() bool { return tracer(t, pid) != 0 })
	c.kill(t)
	eventually(t, "failure", func() bool { return p.Stats() == Stats{Failed: 1} })
	if calls, ok := p.Take(pid, began); ok {
		t.Errorf("got %v of a process that ended", calls)
	}
}

// A stub is a tracer that traces nothing. What it stands for is tested with strace above; with it the profiler's own
// clock can be tested.
type stub struct{}

func (stub) Name() string { return "stub" }

func (stub) Trace(context.Context, int, time.Duration) (Profile, error) {
	return Profile{Calls: []schema.Syscall{{Name: "read", Calls: 1, TimeX100: 10000}}}, nil
}

// request makes a request and waits for its end.
func request(t *testing.T, do func(int) error, pid int, want error) {
	t.Helper()
	if err := do(pid); !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
	synctest.Wait()
}

func TestProfiler_SuggestionsAreRare(t *testing.T) {
	c := startChild(t, "idle")
	synctest.Test(t, func(t *testing.T) {
		p, stop := run(t, Config{Enabled: true, Tracer: stub{}})
		defer stop()
		request(t, p.Suggest, c.pid(), nil)
		request(t, p.Suggest, c.pid(), ErrTooSoon)
		request(t, p.Request, c.pid(), nil) // a person may ask at any time
		time.Sleep(time.Minute - time.Nanosecond)
		request(t, p.Suggest, c.pid(), ErrTooSoon)
		time.Sleep(time.Nanosecond)
		request(t, p.Suggest, c.pid(), nil)
		request(t, p.Suggest, c.pid(), ErrTooSoon)
		if got, want := p.Stats(), (Stats{Traced: 3}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}

func TestProfiler_ResultsAreForTheProcessThatWasTraced(t *testing.T) {
	c := startChild(t, "idle")
	began := start(t, c.pid())
	synctest.Test(t, func(t *testing.T) {
		p, stop := run(t, Config{Enabled: true, Tracer: stub{}})
		defer stop()
		request(t, p.Request, c.pid(), nil)
		if calls, ok := p.Take(c.pid(), began+1); ok {
			t.Errorf("got %v for another process of that pid", calls)
		}
		if calls, ok := p.Take(c.pid(), began); !ok || len(calls) != 1 {
			t.Errorf("got %v, %t, want the result", calls, ok)
		}
	})
}

func TestProfiler_ForgetsResultsThatNobodyTakes(t *testing.T) {
	c, other := startChild(t, "idle"), startChild(t, "idle")
	synctest.Test(t, func(t *testing.T) {
		p, stop := run(t, Config{Enabled: true, Tracer: stub{}})
		defer stop()
		request(t, p.Request, c.pid(), nil)
		time.Sleep(resultAge + time.Second)
		request(t, p.Request, other.pid(), nil)
		if _, ok := p.Take(c.pid(), start(t, c.pid())); ok {
			t.Error("an old result is still there")
		}
		if _, ok := p.Take(other.pid(), start(t, other.pid())); !ok {
			t.Error("the new result is not there")
		}
	})
}

// A process that is another one before or after a trace gets no result, whatever was traced.
func TestTarget_IsSameOnlyWithItsStart(t *testing.T) {
	c := startChild(t, "idle")
	target, err := readTraceable(c.pid())
	if err != nil {
		t.Fatal(err)
	}
	if err := target.isSame(); err != nil {
		t.Error(err)
	}
	target.start++
	if err := target.isSame(); !errors.Is(err, ErrGone) {
		t.Errorf("with another start: got %v, want %v", err, ErrGone)
	}
	target.start--
	c.stdin.Close()
	eventually(t, "zombie", func() bool { now, err := readTarget(c.pid()); return err == nil && now.state == "Z" })
	if err := target.isSame(); !errors.Is(err, ErrGone) {
		t.Errorf("ended, not waited for: got %v, want %v", err, ErrGone)
	}
}
