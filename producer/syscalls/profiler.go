package syscalls

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/proctape/proctape/schema"
)

// Config sets a Profiler. The zero value of each field works.
type Config struct {
	Enabled  bool          // if not, every request is refused
	Tracer   Tracer        // default Strace{}
	Duration time.Duration // of one trace; default 2 s
	Spacing  time.Duration // from one suggestion that is followed to the next; default 1 min
	Log      *slog.Logger  // default slog.Default()
}

func (c Config) withDefaults() Config {
	if c.Tracer == nil {
		c.Tracer = Strace{}
	}
	c.Duration = cmp.Or(c.Duration, 2*time.Second)
	c.Spacing = cmp.Or(c.Spacing, time.Minute)
	c.Log = cmp.Or(c.Log, slog.Default())
	return c
}

// Why a request is refused, besides the reasons for which a process cannot be traced.
var (
	ErrOff     = errors.New("tracing of system calls is off")
	ErrBusy    = errors.New("another process is being traced")
	ErrTooSoon = errors.New("the trace before was suggested too short a time ago")
)

// resultAge is how old a result may get that nobody takes, for instance because its process ended.
const resultAge = 10 * time.Minute

// Profiler traces processes, one at a time. Run does it; the other methods may be called at any time, and do not wait
// for a trace.
type Profiler struct {
	cfg      Config
	requests chan target // holds one; there is none in it unless busy

	mu      sync.Mutex
	busy    bool           // from a request until its trace has ended
	stopped bool           // Run has returned
	next    time.Time      // no suggestion is followed before this
	results map[int]result // by pid
	stats   Stats
}

// Stats counts since the start.
type Stats struct {
	Traced uint64 // processes of which there was a result
	Failed uint64 // requests that were taken and came to nothing
}

// result is what became known of a process.
type result struct {
	start uint64 // of the process, in ticks
	calls []schema.Syscall
	when  time.Time
}

// NewProfiler returns a profiler. Run traces.
func NewProfiler(cfg Config) *Profiler {
	return &Profiler{cfg: cfg.withDefaults(), requests: make(chan target, 1), results: map[int]result{}}
}

// Request asks for a trace of a process, for someone who wants to know. It returns once the request is taken, or says
// why not: an error of this package, for pid or for the profiler. Why a trace failed later is logged. A process
// of which another is the tracer, and this process, are refused; and since nothing is taken during a trace, so is the
// tracer that the profiler started.
func (p *Profiler) Request(pid int) error { return p.request(pid, false) }

// Suggest is Request for a rule rather than a person: it is refused with ErrTooSoon also when the last suggestion that
// was followed is less than Config.Spacing ago.
func (p *Profiler) Suggest(pid int) error { return p.request(pid, true) }

func (p *Profiler) request(pid int, suggested bool) error {
	if !p.cfg.Enabled {
		return ErrOff
	}
	t, err := readTraceable(pid)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch now := time.Now(); {
	case p.stopped:
		return ErrOff
	case p.busy:
		return ErrBusy
	case err != nil:
		return err
	case suggested && now.Before(p.next):
		return ErrTooSoon
	case suggested:
		p.next = now.Add(p.cfg.Spacing)
	}
	p.busy = true
	p.requests <- t
	return nil
}

// Run traces what is asked for until ctx ends. It returns nil, once the tracer has detached.
func (p *Profiler) Run(ctx context.Context) error {
	defer p.stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case t := <-p.requests:
			profile, err := p.trace(ctx, t)
			p.storeResult(t, profile, err)
			p.logResult(ctx, t, profile, err)
		}
	}
}

func (p *Profiler) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
}

// trace traces a process if it is the one that was asked for. If it is so afterwards too, no other can have had the
// pid in between.
func (p *Profiler) trace(ctx context.Context, t target) (Profile, error) {
	if err := t.isSame(); err != nil {
		return Profile{}, err
	}
	profile, err := p.cfg.Tracer.Trace(ctx, t.pid, p.cfg.Duration)
	if err != nil {
		return Profile{}, err
	}
	return profile, t.isSame()
}

// isSame returns an error unless the process is the same and has not ended.
func (t target) isSame() error {
	now, err := readTarget(t.pid)
	switch {
	case err != nil:
		return err
	case now.start != t.start:
		return fmt.Errorf("pid %d: %w: another has its pid", t.pid, ErrGone)
	case now.ended():
		return fmt.Errorf("pid %d: %w: it has ended", t.pid, ErrGone)
	}
	return nil
}

// storeResult keeps a result and makes room for the next request.
func (p *Profiler) storeResult(t target, profile Profile, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy = false
	now := time.Now()
	maps.DeleteFunc(p.results, func(_ int, r result) bool { return now.Sub(r.when) > resultAge })
	if err != nil {
		p.stats.Failed++
		return
	}
	p.stats.Traced++
	p.results[t.pid] = result{t.start, profile.Calls, now}
}

func (p *Profiler) logResult(ctx context.Context, t target, profile Profile, err error) {
	switch tracer := p.cfg.Tracer.Name(); {
	case ctx.Err() != nil:
	case err != nil:
		p.cfg.Log.Warn("system calls not traced", "tracer", tracer, "pid", t.pid, "error", err)
	default:
		p.cfg.Log.Info("system calls traced", "tracer", tracer, "pid", t.pid, "duration", profile.Duration, "names", len(profile.Calls))
	}
}

// Take hands over the newest result for the process of that pid and start, schema.Process.StartTicks, if there is one
// that was not handed over before. A process that made no system calls has a result without any.
func (p *Profiler) Take(pid int, startTicks uint64) (calls []schema.Syscall, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r, ok := p.results[pid]
	if !ok || r.start != startTicks {
		return nil, false
	}
	delete(p.results, pid)
	return r.calls, true
}

// Stats returns the counts so far.
func (p *Profiler) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stats
}
