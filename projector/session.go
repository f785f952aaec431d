package projector

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/projector/fold"
	"github.com/proctape/proctape/projector/ndjson"
	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

// session is the work between one opening of the database and its close: what it remembers is what the database holds.
// After any error it is thrown away.
type session struct {
	cfg      Config
	progress *progress
	poisoned map[store.GapKey]*fold.Poison

	output
	fold    *fold.Fold
	streams *streams
	reader  *reader
	last    map[string]uint64 // where each stream ended when the session began
	doubled *doubled
	wal     walTrimmer
	writes  chan pendingWrite // what retention has to write
	reopen  <-chan struct{}   // asks for the files to be opened anew
	goesOn  func()            // is called when something was committed, or there is nothing to fold and the log answers
}

// openSession opens the database, finds its place in every stream and brings the files to it.
func openSession(ctx context.Context, js jetstream.JetStream, cfg Config, progress *progress, poisoned map[store.GapKey]*fold.Poison, doubled *doubled) (*session, error) {
	db, err := store.Open(cfg.DB)
	if err != nil {
		return nil, err
	}
	if err = store.LimitCache(db, cfg.Memory.Writer); err == nil {
		cfg.Hosts, err = store.ClaimHosts(db, cfg.Hosts)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s := &session{cfg: cfg, progress: progress, poisoned: poisoned, doubled: doubled, output: output{store: db, batch: store.NewBatch()},
		streams: newStreams(js, cfg.Trouble), reader: newReader(js, cfg, db.ID()), last: map[string]uint64{}, wal: walTrimmer{store: db, path: cfg.DB, report: cfg.Trouble, beat: cfg.Beat},
		writes: make(chan pendingWrite), goesOn: func() {}}
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *session) prepare(ctx context.Context) error {
	if s.store.SumsMended() {
		s.cfg.Log.Warn("the file with the sums of the database's pages was damaged and is mended; the pages are checked all the same", "db", s.cfg.DB)
	}
	if s.cfg.Once {
		if err := s.store.BeginReplay(); err != nil {
			return err
		}
	}
	checkpoints, found := map[string]*store.Checkpoint{}, map[string]bool{}
	for _, name := range schema.DataStreams {
		var err error
		if checkpoints[name], found[name], err = s.store.Tables().Checkpoint(name); err != nil {
			return err
		}
	}
	s.fold = fold.New(s.store.Tables(), checkpoints, s.cfg.Rules)
	if s.cfg.NDJSON != "" {
		var err error
		if s.files, err = ndjson.LockFiles(s.cfg.layout()); err != nil {
			return err
		}
		if err := s.openFiles(); err != nil {
			return err
		}
	}
	for name, at := range checkpoints {
		if err := s.locate(ctx, at, found[name]); err != nil {
			return fmt.Errorf("find the place in stream %s: %w", name, err)
		}
	}
	s.progress.update(Stats{}, checkpoints, s.last)
	return s.noteRebuilt()
}

// noteRebuilt tells of a database that was made anew, as a gap, once.
func (s *session) noteRebuilt() error {
	note, err := s.store.Note()
	if err != nil || note == "" || s.cfg.Once {
		return err
	}
	if err := tellRebuilt(note, s.fold, s.batch); err != nil {
		return err
	}
	s.appendLines()
	return s.write()
}

// openFiles brings the files to where the database is. Lines that are gone are a gap.
func (s *session) openFiles() error {
	lost, err := openFiles(s.store, s.files, s.cfg.Log)
	if err != nil {
		return err
	}
	return noteLostLines(s, lost)
}

// noteLostLines tells of lines that are gone from files, as gaps.
func noteLostLines(s *session, lost []string) error {
	if len(lost) == 0 {
		return nil
	}
	for _, details := range lost {
		s.fold.NoteLostLines(details, s.batch)
	}
	s.appendLines()
	return s.write()
}

// locate compares a checkpoint with its stream. A stream that is not what it was, or no longer holds what was folded
// from it, starts a new epoch: it is read again from its beginning, and what was folded before is known by its
// producers' numbers. A stream that was deleted is left out until somebody makes it again.
func (s *session) locate(ctx context.Context, at *store.Checkpoint, found bool) error {
	stream, err := s.streams.openAt(ctx, at, s.cfg.Beat)
	if errors.Is(err, jetstream.ErrStreamNotFound) && (found && !s.cfg.Once || s.cfg.LackStreams) {
		if s.streams.gone[at.Stream] = true; !s.cfg.Once {
			s.streams.setGone(at.Stream)
		}
		s.last[at.Stream] = at.Seq
		return nil
	} else if err != nil {
		return err
	}
	info := stream.CachedInfo()
	if !found {
		at.Epoch, at.Created = 1, info.Created.UnixNano()
		if from := s.cfg.From[at.Stream]; from > 0 {
			at.Seq = from - 1
		}
	} else if change, err := changed(ctx, stream, at); err != nil {
		return err
	} else if change != "" {
		s.cfg.Log.Warn("the stream is not what it was, reading it again", "stream", at.Stream, "gap", change)
		s.fold.NewEpoch(at.Stream, change, info.Created.UnixNano(), s.batch)
		s.appendLines()
		if err := s.write(); err != nil {
			return err
		}
	}
	s.last[at.Stream], err = lastStored(ctx, stream, info.State.LastSeq)
	return err
}

// run folds until ctx ends and all is folded that the log then holds, or until a replay is at its end. housekeeping runs
// beside it.
func (s *session) run(ctx context.Context, housekeeping ...func(context.Context, *session) error) error {
	target, err := s.target(ctx)
	if err != nil {
		return err
	}
	reading, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	messages := make(chan *received, readAhead)
	var beside sync.WaitGroup
	for _, name := range schema.DataStreams {
		if s.streams.gone[name] {
			continue
		}
		from := s.fold.Checkpoints()[name].Seq + 1
		beside.Go(func() {
			if err := s.reader.read(reading, name, from, target, messages); err != nil {
				stop(fmt.Errorf("read stream %s: %w", name, err))
			}
		})
	}
	keeping, stopKeeping := context.WithCancel(reading)
	defer context.AfterFunc(ctx, stopKeeping)() // what is left to fold does not wait for it
	for _, keep := range housekeeping {
		beside.Go(func() {
			if err := keep(keeping, s); err != nil {
				stop(err)
			}
		})
	}
	err = s.work(ctx, reading, target, messages)
	stopKeeping()
	stop(nil)
	beside.Wait()
	return err
}

// target is where a replay ends; nil for a projection, which goes on.
func (s *session) target(ctx context.Context) (map[string]uint64, error) {
	switch {
	case !s.cfg.Once:
		return nil, nil
	case s.cfg.Until == nil:
		return s.last, nil
	}
	return s.streams.lastUpTo(ctx, s.cfg.Until)
}

// checkInterval is how often a session compares the streams with its checkpoints.
const checkInterval = 5 * time.Second

// work folds what comes until ctx ends and all is folded that the log then holds.
func (s *session) work(ctx, reading context.Context, target map[string]uint64, messages <-chan *received) error {
	done := ctx.Done()
	var overtime <-chan time.Time
	check := time.NewTicker(checkInterval)
	defer check.Stop()
	for target == nil || !s.reached(target) {
		s.cfg.Beat()
		var err error
		select {
		case m := <-messages:
			err = s.take(reading, gather(m, messages))
		case w := <-s.writes:
			err = s.writePending(w)
		case <-s.reopen:
			err = s.files.Reopen(s.writeFileState)
		case <-check.C:
			if err := s.check(reading); err != nil {
				return cmp.Or(context.Cause(reading), err) // prefer the reader's error
			}
			continue
		case <-reading.Done():
			return context.Cause(reading)
		case <-overtime:
			return fmt.Errorf("not all of the log was folded within %s of the stop", s.cfg.Drain)
		case <-done:
			if s.cfg.Once {
				return ctx.Err() // an unfinished replay goes on where it was
			}
			if target, err = s.streams.ends(context.WithoutCancel(ctx), s.cfg.Drain); err != nil {
				return err
			}
			done, overtime = nil, time.After(s.cfg.Drain)
			continue
		}
		if err != nil {
			return err
		}
		if err := s.wal.bound(reading, ctx.Done()); err != nil {
			return err
		}
	}
	if s.cfg.Once {
		return s.store.EndReplay()
	}
	return nil
}

// pendingWrite is a piece of writing that is not folding. The session does it between two batches.
type pendingWrite struct {
	do   func() error
	done chan<- error
}

// writePending does a piece of writing. A failure is the session's too: what the database refused once, it may refuse
// the fold.
func (s *session) writePending(w pendingWrite) error {
	err := w.do()
	w.done <- err
	return err
}

func (s *session) reached(target map[string]uint64) bool {
	for name, seq := range target {
		if s.fold.Checkpoints()[name].Seq < seq {
			return false
		}
	}
	return true
}

// check ends the session when the database is another file, or a stream is no longer the one that is being folded: the
// next session finds its place.
func (s *session) check(ctx context.Context) error {
	s.doubled.check()
	if err := s.store.CheckFile(); err != nil {
		return err
	}
	answered, err := s.streams.check(ctx, s.fold.Checkpoints())
	if answered {
		noteGoesOn(s)
	}
	return err
}

// noteGoesOn says that there is no trouble, unless a stream is not read yet: what it is read by may be what fails.
func noteGoesOn(s *session) {
	if int(s.reader.begun.Load()) >= len(schema.DataStreams)-len(s.streams.gone) {
		s.goesOn()
	}
}

// take folds a batch of messages, commits it, and acknowledges it.
func (s *session) take(ctx context.Context, batch []*received) error {
	if err := s.streams.confirmHoles(ctx, s.fold.Checkpoints(), batch); err != nil {
		return err
	}
	if err := s.commit(batch); err != nil {
		return err
	}
	s.reader.release(batch)
	noteGoesOn(s)
	return acknowledge(batch)
}

// commit folds a batch of messages, in one transaction or, where a file is rotated in between, in several.
func (s *session) commit(batch []*received) error {
	for len(batch) > 0 {
		if err := s.files.Rotate(s.store.RotateFile); err != nil {
			return err
		}
		n, err := s.fill(batch)
		if err != nil {
			return err
		}
		s.fold.SaveCheckpoints(s.batch)
		if err := s.write(); err != nil {
			return err
		}
		batch = batch[n:]
	}
	return nil
}

// fill folds messages into the session's batch until a file is full, and returns how many.
func (s *session) fill(messages []*received) (n int, err error) {
	for n < len(messages) {
		if err := s.apply(&messages[n].Delivery); err != nil {
			return n, err
		}
		n++
		if s.files.Full() {
			break
		}
	}
	return n, nil
}

// apply folds one message. A panic costs that message, not the line: the session ends, and the next one puts the
// message into quarantine when it comes again.
func (s *session) apply(d *fold.Delivery) (err error) {
	key := store.GapKey{Stream: d.Stream, Seq: d.Seq, Epoch: s.fold.Checkpoints()[d.Stream].Epoch}
	defer func() {
		if r := recover(); r != nil {
			s.poisoned[key] = &fold.Poison{Reason: fold.ReasonPanic, Err: fmt.Errorf("%v", r)}
			err = fmt.Errorf("message %d of %s made the projector panic: %v", d.Seq, d.Stream, r)
		}
	}()
	if p := s.poisoned[key]; p != nil {
		d.Poison = p
	}
	if err := s.fold.Apply(d, s.batch); err != nil {
		return fmt.Errorf("message %d of %s: %w", d.Seq, d.Stream, err)
	}
	s.appendLines()
	return nil
}

// write commits what is folded, and tells those who wait for it.
func (s *session) write() error {
	if !s.cfg.Once {
		s.doubled.note(s.batch.Doubled)
	}
	began := time.Now()
	committed, err := s.flush()
	if err != nil {
		return err
	}
	s.progress.commits.Observe(time.Since(began))
	s.progress.update(committed, s.fold.Checkpoints(), s.last)
	return nil
}
