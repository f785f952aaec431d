// Package projector folds the log into a SQLite database and rotating NDJSON files, and is the only writer of
// both: messages of the streams go in, rows and lines come out, each message's exactly once.
package projector

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/semaphore"
	"modernc.org/sqlite"
	sqlitelib "modernc.org/sqlite/lib"

	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/lockfile"
)

// Config sets a projector. The zero value of each field but DB works.
type Config struct {
	DB        string // path of the database
	NDJSON    string // folder of the NDJSON files; empty for none
	FileLimit int64  // bytes from which a file is rotated; default 50 MiB
	// Once makes Run end when all is folded that the log held when it began. Nothing is acknowledged and no durable
	// is made then: the log does not wait for such a database.
	Once  bool
	From  map[string]uint64 // for Once: the sequence to begin with, by stream; default the first
	Until map[string]uint64 // for Once: the sequence to end with, by stream; default the last when Run begins
	Drain time.Duration     // how long Run goes on, after its context ended, to fold what the log holds; default 5 s
	// Retention takes away what is too old; nil for nothing, and for Once nothing ever.
	Retention *Retention
	Log       *slog.Logger

	now func() (reading, error) // for tests: retention's clocks
}

// Projector folds the log into one database.
type Projector struct {
	cfg Config
	js  jetstream.JetStream

	mu        sync.Mutex
	stats     Stats
	positions map[string]Position
	poisoned  map[gapKey]*poison // messages that made us panic
	first     *session           // opened by Open, for Run to begin with
	onePass   func(Pass, error)  // for Retain: told of the pass, after which Run is stopped
}

// Position is how far a stream has been folded, and how far it goes.
type Position struct {
	Folded uint64 // sequence
	Last   uint64 // the stream's last sequence when the session began
}

// Open locks the database, brings its tables up to date and finds its place in the log. A database that another
// projector writes is a *[lockfile.HeldError]. Run, or Close when Run is never called, lets go of it.
func Open(ctx context.Context, js jetstream.JetStream, cfg Config) (*Projector, error) {
	cfg.Drain = cmp.Or(cfg.Drain, 5*time.Second)
	cfg.Log = cmp.Or(cfg.Log, slog.Default())
	var err error
	if cfg.DB, err = filepath.Abs(cfg.DB); err != nil {
		return nil, err
	}
	if cfg.NDJSON != "" {
		if cfg.NDJSON, err = filepath.Abs(cfg.NDJSON); err != nil {
			return nil, err
		}
	}
	p := &Projector{cfg: cfg, js: js, positions: map[string]Position{}, poisoned: map[gapKey]*poison{}}
	p.first, err = p.open(ctx, Stats{})
	return p, err
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
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stats
}

// Positions returns how far each stream has been folded, by name.
func (p *Projector) Positions() map[string]Position {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make(map[string]Position, len(p.positions))
	for name, pos := range p.positions {
		out[name] = pos
	}
	return out
}

// Run folds until ctx ends, and then until it has folded what the log holds by then, or Drain is over. Trouble
// that may pass, a full disk or a lost connection, it waits out; it returns what does not pass.
func (p *Projector) Run(ctx context.Context) error {
	const first, last = 50 * time.Millisecond, 5 * time.Second
	wait := first
	s := p.first
	p.first = nil
	for {
		before := p.Stats().Commits
		err := p.runSession(ctx, s)
		if err == nil || isFatal(err) || ctx.Err() != nil {
			return err
		}
		if p.Stats().Commits > before {
			wait = first
		}
		p.cfg.Log.Error("projection stopped, trying again", "err", err, "in", wait)
		for s = nil; s == nil; wait = min(2*wait, last) {
			select {
			case <-ctx.Done():
				return err
			case <-time.After(wait):
			}
			var reopen error
			if s, reopen = p.reopen(ctx, err); isFatal(reopen) {
				return reopen
			} else if reopen != nil {
				p.cfg.Log.Error("projection still stopped", "err", reopen, "in", min(2*wait, last))
			}
		}
	}
}

// reopen makes the next session after one that failed. SQLite calls a page that could not be read corrupt too, so
// the whole file is looked at before that is believed.
func (p *Projector) reopen(ctx context.Context, failure error) (*session, error) {
	s, err := p.open(ctx, p.Stats())
	if err != nil || !isCode(failure, sqlitelib.SQLITE_CORRUPT) {
		return s, err
	}
	v, err := s.fold.db.verdict()
	switch {
	case err != nil:
		v = err.Error()
	case v == "ok":
		return s, nil
	}
	return nil, errors.Join(&DamagedError{Path: p.cfg.DB, Verdict: v}, s.close())
}

func (p *Projector) runSession(ctx context.Context, s *session) error {
	err := s.run(ctx)
	return errors.Join(err, s.close())
}

// isFatal reports whether trying again cannot help.
func isFatal(err error) bool {
	var held *lockfile.HeldError
	var damaged *DamagedError
	if errors.As(err, &held) || errors.As(err, &damaged) || errors.Is(err, ErrNotFresh) || isSync(err) {
		return true
	}
	for _, code := range []int{
		sqlitelib.SQLITE_NOTADB, sqlitelib.SQLITE_READONLY,
		sqlitelib.SQLITE_ERROR, sqlitelib.SQLITE_CONSTRAINT, sqlitelib.SQLITE_MISMATCH, // statements and tables do not agree
	} {
		if isCode(err, code) {
			return true
		}
	}
	return false
}

// isSync reports whether the disk refused to sync the database. What is on it then, nobody knows, and the kernel
// says that all is well when it is asked again: only a new start, from what can be read, is safe.
func isSync(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code() == sqlitelib.SQLITE_IOERR_FSYNC
}

// isCode reports whether SQLite failed with a primary result code.
func isCode(err error, code int) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == code
}

// DamagedError says that a database is damaged. Nothing of it was changed.
type DamagedError struct {
	Path    string
	Verdict string // SQLite's
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("database %s is damaged: %s", e.Path, e.Verdict)
}

// ErrNotFresh is returned by Open for a replay into a database that holds something else.
var ErrNotFresh = errors.New("the database is not new, and not an unfinished replay")

// committed publishes what a session has committed.
func (p *Projector) committed(f *fold, last map[string]uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stats = f.stats
	for name, pos := range f.positions {
		p.positions[name] = Position{Folded: pos.seq, Last: max(last[name], pos.seq)}
	}
}

// open makes a session: one opening of the database, from which on all that is remembered agrees with it.
func (p *Projector) open(ctx context.Context, stats Stats) (*session, error) {
	db, err := openStore(p.cfg.DB)
	if err != nil {
		return nil, err
	}
	s := &session{p: p, fold: newFold(db), last: map[string]uint64{}, stands: map[string]standing{}, chores: make(chan chore), memory: semaphore.NewWeighted(decodedBytes)}
	s.fold.stats = stats
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// prepare finds the database's place in every stream and brings the files to it.
func (s *session) prepare(ctx context.Context) error {
	if s.p.cfg.Once {
		if err := s.fold.db.beginReplay(); err != nil {
			return err
		}
	}
	found := map[string]bool{}
	for _, name := range schema.DataStreams {
		pos, ok, err := s.fold.loadPosition(name)
		if err != nil {
			return fmt.Errorf("read the place in stream %s: %w", name, err)
		}
		s.fold.positions[name], found[name] = pos, ok
	}
	if s.p.cfg.NDJSON != "" {
		var err error
		if s.files, err = lockfile.Acquire(FilesLock(s.p.cfg.NDJSON)); err != nil {
			return fmt.Errorf("lock the files: %w", err)
		}
		if err := s.fold.openFiles(s.p.cfg.NDJSON, s.p.cfg.FileLimit, s.p.cfg.Log); err != nil {
			return err
		}
	}
	for name, pos := range s.fold.positions {
		last, err := s.locate(ctx, pos, found[name])
		if err != nil {
			return fmt.Errorf("find the place in stream %s: %w", name, err)
		}
		s.last[name] = last
	}
	s.p.committed(s.fold, s.last)
	return nil
}
