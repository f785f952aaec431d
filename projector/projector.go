// Package projector folds the log into a SQLite database and rotating NDJSON files, and is the only writer of
// both: messages of the streams go in, rows and lines come out, each message's exactly once.
//
// A message's way is a line: the session reads it, package fold fills a batch, package store writes the batch, and
// package ndjson the lines. Package retention takes away what is too old.
package projector

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/projector/fold"
	"github.com/proctape/proctape/projector/retention"
	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema/durations"
)

// Projector folds the log into one database.
type Projector struct {
	cfg      Config
	js       jetstream.JetStream
	progress *progress
	poisoned map[store.GapKey]*fold.Poison // messages that made us panic
	doubled  *doubled
	first    *session                    // opened by Open, for Run to begin with
	ailment  *ailment                    // what keeps it from folding
	onePass  func(retention.Pass, error) // for Retain: told of the pass, after which Run is stopped
	damage   *store.DamagedError         // found by Open: Run begins with making the database anew
	anew     rebuilder
	askFiles chan struct{} // asks the session to open the files anew
}

// Open locks the database, brings its tables up to date and finds its place in the log. A database that another
// projector writes is a *[lockfile.HeldError]. Run, or Close when Run is never called, lets go of it. A database that is
// damaged is no error, but for a replay: Run makes it anew first.
func Open(ctx context.Context, js jetstream.JetStream, cfg Config) (*Projector, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	p := &Projector{cfg: cfg, js: js, progress: newProgress(), poisoned: map[store.GapKey]*fold.Poison{},
		askFiles: make(chan struct{}, 1), doubled: &doubled{report: cfg.Trouble, seen: map[string]time.Time{}},
		ailment: &ailment{report: cfg.Trouble, db: cfg.DB, kinds: map[string]bool{}}}
	p.anew = rebuilder{cfg: cfg, js: js, replay: func(ctx context.Context, cfg Config) error {
		q, err := Open(ctx, js, cfg)
		if err != nil {
			return err
		}
		return q.Run(ctx)
	}}
	p.first, err = p.open(ctx)
	if !cfg.Once && errors.As(err, &p.damage) {
		return p, nil
	}
	return p, err
}

func (p *Projector) open(ctx context.Context) (*session, error) {
	if err := finishExchange(p.cfg.DB); err != nil {
		return nil, err
	}
	s, err := openSession(ctx, p.js, p.cfg, p.progress, p.poisoned, p.doubled)
	if err == nil {
		s.goesOn, s.reopen = p.ailment.over, p.askFiles
	}
	return s, err
}

// ReopenFiles has the files opened anew that another program took away, as SIGHUP asks for. It does not wait for it.
func (p *Projector) ReopenFiles() {
	select {
	case p.askFiles <- struct{}{}:
	default: // asked for already
	}
}

// Close lets go of a database that Run was never called for.
func (p *Projector) Close() error {
	if p.first == nil {
		return nil
	}
	return p.first.close()
}

// Stats returns what has been committed so far.
func (p *Projector) Stats() Stats {
	stats, _ := p.progress.read()
	return stats
}

// Commits returns how long commits took so far, with the lines of files that go with them.
func (p *Projector) Commits() durations.Histogram { return p.progress.commits.Read() }

// Positions returns how far each stream has been folded, by name.
func (p *Projector) Positions() map[string]Position {
	_, positions := p.progress.read()
	return positions
}

// Run folds until ctx ends, and then until it has folded what the log holds by then, or Drain is over. Trouble
// that may pass, a full disk or a lost connection, it reports and waits out, and a damaged database it makes anew; it returns
// what does not pass.
func (p *Projector) Run(ctx context.Context) error {
	const first, last = 50 * time.Millisecond, 5 * time.Second
	wait := first
	s := p.first
	p.first = nil
	for {
		before := p.Stats().Commits
		var err error
		if s == nil {
			err = p.damage
		} else {
			err = p.runSession(ctx, s)
		}
		if err == nil || p.isFatal(err) {
			return err
		}
		if ctx.Err() != nil {
			return p.stoppedInTrouble(err)
		}
		if p.Stats().Commits > before {
			wait = first
		}
		damaged := errors.As(err, new(*store.DamagedError)) // what makes it anew says so
		if !damaged {
			p.ailment.begin(err)
		}
		p.cfg.Log.Debug("projection stopped, trying again", "err", err, "in", wait)
		for s = nil; s == nil; wait = min(2*wait, last) {
			p.cfg.Beat()
			if !damaged {
				select {
				case <-ctx.Done():
					return p.stoppedInTrouble(err)
				case <-time.After(wait):
				}
			}
			damaged = false
			var reopen error
			if s, reopen = p.reopen(ctx, err); p.isFatal(reopen) {
				return reopen
			} else if reopen != nil && ctx.Err() != nil {
				return nil // it was stopped; the next start goes on with it
			} else if reopen != nil {
				p.ailment.begin(reopen)
			}
		}
	}
}

// stoppedInTrouble is how a run ends that was stopped while something that passes stood in its way: well, for the next start goes on. A replay is not done.
func (p *Projector) stoppedInTrouble(err error) error {
	if p.cfg.Once {
		return err
	}
	p.cfg.Log.Warn("stopped before all of the log was in the database; the next start goes on with it", "err", err)
	return nil
}

// isFatal reports whether an error is one that does not pass. A database that could be written, and whose folder no longer can,
// may be again, whatever SQLite called it: a failed sync, or an error of the disk. A damaged database is made anew, but for a replay, which is begun anew by whoever wants it.
func (p *Projector) isFatal(err error) bool {
	var damage *store.DamagedError
	if !p.cfg.Once && errors.As(err, &damage) && !damage.Final {
		return false
	}
	return store.IsFatal(err) && !(isReadOnly(err, p.cfg.DB) && p.Stats().Commits > 0)
}

// reopen makes the next session after one that failed. SQLite calls a page that could not be read corrupt too, so
// the whole file is checked before that is believed.
func (p *Projector) reopen(ctx context.Context, failure error) (*session, error) {
	var damage *store.DamagedError
	if !errors.As(failure, &damage) || p.anew.mended == damage {
		s, err := p.open(ctx)
		if err == nil && store.IsCorrupt(failure) {
			stop := beatMeanwhile(p.cfg.Beat)
			err = s.store.CheckIntegrity()
			stop()
		}
		if err == nil || !errors.As(err, &damage) || p.cfg.Once {
			return s, err
		}
		if s != nil {
			if err := s.close(); err != nil {
				return nil, err
			}
		}
	}
	if err := p.anew.rebuild(ctx, damage); err != nil {
		return nil, err
	}
	return p.open(ctx)
}

// beatMeanwhile calls beat every second until stop is called: SQLite's check of a whole file does not say how far it is.
func beatMeanwhile(beat func()) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for tick := time.Tick(time.Second); ; {
			select {
			case <-done:
				return
			case <-tick:
				beat()
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}

func (p *Projector) runSession(ctx context.Context, s *session) error {
	beside := []func(context.Context, *session) error{p.retain, p.check}
	if p.cfg.Retention != nil && !p.cfg.Once && p.onePass == nil {
		for _, k := range keepersOf(p.cfg) {
			beside = append(beside, k.beside(p.cfg, p.js))
		}
	}
	return errors.Join(s.run(ctx, beside...), s.close())
}

// check checks what was written beside a session, until ctx ends.
func (p *Projector) check(ctx context.Context, s *session) error {
	if p.cfg.Once {
		return nil
	}
	return checkAll(ctx, s)
}

// retain runs retention beside a session, until ctx ends.
func (p *Projector) retain(ctx context.Context, s *session) error {
	if p.cfg.Retention == nil || p.cfg.Once {
		return nil
	}
	r, err := retention.Open(retention.Config{Path: p.cfg.DB, Settings: *p.cfg.Retention, JS: p.js, Log: p.cfg.Log, Trouble: p.cfg.Trouble,
		Cache: p.cfg.Memory.Reader}, database{s})
	if err != nil {
		return err
	}
	defer r.Close()
	if p.onePass == nil {
		return r.Run(ctx)
	}
	p.onePass(r.Pass(ctx, "command"))
	return nil
}

// Retain makes one pass over a database that no projector writes, having folded what the log has for it.
func Retain(ctx context.Context, js jetstream.JetStream, cfg Config) (retention.Pass, error) {
	cfg.Retention = cmp.Or(cfg.Retention, new(retention.Settings))
	p, err := Open(ctx, js, cfg)
	if err != nil {
		return retention.Pass{}, err
	}
	var done retention.Pass
	var failed error
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	p.onePass = func(pass retention.Pass, err error) {
		done, failed = pass, err
		stop()
	}
	err = p.Run(ctx)
	return done, errors.Join(failed, err)
}
