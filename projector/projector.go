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
)

// Projector folds the log into one database.
type Projector struct {
	cfg      Config
	js       jetstream.JetStream
	progress *progress
	poisoned map[store.GapKey]*fold.Poison // messages that made us panic
	first    *session                      // opened by Open, for Run to begin with
	ailment  *ailment                      // what keeps it from folding
	onePass  func(retention.Pass, error)   // for Retain: told of the pass, after which Run is stopped
}

// Open locks the database, brings its tables up to date and finds its place in the log. A database that another
// projector writes is a *[lockfile.HeldError]. Run, or Close when Run is never called, lets go of it.
func Open(ctx context.Context, js jetstream.JetStream, cfg Config) (*Projector, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	p := &Projector{cfg: cfg, js: js, progress: newProgress(), poisoned: map[store.GapKey]*fold.Poison{},
		ailment: &ailment{report: cfg.Trouble, db: cfg.DB, kinds: map[string]bool{}}}
	p.first, err = p.open(ctx)
	return p, err
}

func (p *Projector) open(ctx context.Context) (*session, error) {
	s, err := openSession(ctx, p.js, p.cfg, p.progress, p.poisoned)
	if err == nil {
		s.goesOn = p.ailment.over
	}
	return s, err
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

// Positions returns how far each stream has been folded, by name.
func (p *Projector) Positions() map[string]Position {
	_, positions := p.progress.read()
	return positions
}

// Run folds until ctx ends, and then until it has folded what the log holds by then, or Drain is over. Trouble
// that may pass, a full disk or a lost connection, it reports and waits out; it returns what does not pass.
func (p *Projector) Run(ctx context.Context) error {
	const first, last = 50 * time.Millisecond, 5 * time.Second
	wait := first
	s := p.first
	p.first = nil
	for {
		before := p.Stats().Commits
		err := p.runSession(ctx, s)
		if err == nil || p.isFatal(err) || ctx.Err() != nil {
			return err
		}
		if p.Stats().Commits > before {
			wait = first
		}
		p.ailment.begin(err)
		p.cfg.Log.Debug("projection stopped, trying again", "err", err, "in", wait)
		for s = nil; s == nil; wait = min(2*wait, last) {
			select {
			case <-ctx.Done():
				return err
			case <-time.After(wait):
			}
			var reopen error
			if s, reopen = p.reopen(ctx, err); p.isFatal(reopen) {
				return reopen
			} else if reopen != nil {
				p.ailment.begin(reopen)
			}
		}
	}
}

// isFatal reports whether an error is one that does not pass. A database that could be written, and whose folder no longer can,
// may be again.
func (p *Projector) isFatal(err error) bool {
	return store.IsFatal(err) && !(store.IsReadOnly(err) && p.Stats().Commits > 0)
}

// reopen makes the next session after one that failed. SQLite calls a page that could not be read corrupt too, so
// the whole file is checked before that is believed.
func (p *Projector) reopen(ctx context.Context, failure error) (*session, error) {
	s, err := p.open(ctx)
	if err != nil || !store.IsCorrupt(failure) {
		return s, err
	}
	if err := s.store.CheckIntegrity(); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (p *Projector) runSession(ctx context.Context, s *session) error {
	err := s.run(ctx, p.retain)
	return errors.Join(err, s.close())
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
