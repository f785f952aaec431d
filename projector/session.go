package projector

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/semaphore"

	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/lockfile"
)

// session is the work between one opening of the database and its close.
type session struct {
	p    *Projector
	fold *fold
	last map[string]uint64 // where each stream ended when the session began

	files *lockfile.Lock // of the NDJSON folder; nil without one

	memory *semaphore.Weighted // of decoded messages

	trimmed time.Time // when the write-ahead log was last asked to be short

	stands map[string]standing // where each stream was at the last look, while it had more

	chores chan chore // what retention has to write
}

// Limits of a transaction. What waits is taken up to them: a batch is one message when little comes, and many when
// the log is ahead, with no timer in between.
const (
	batchMessages = 512
	batchItems    = 20_000
	readAhead     = 512      // messages decoded and not yet taken
	decodedBytes  = 32 << 20 // what decoded messages may take in memory until they are folded, about
)

// trimInterval is how often readers that do not let the write-ahead log be cut are asked again, while it is not yet
// too long: each time costs a tenth of a second.
const trimInterval = 2 * time.Second

// standing is since when a stream's fold has not moved.
type standing struct {
	seq   uint64
	since time.Time
}

// stallLimit is how long messages that a stream has may not come before the session asks for them anew.
const stallLimit = time.Minute

// placeInterval is how often a session looks whether the streams are still what they were.
const placeInterval = 5 * time.Second

// lookTime is how long it waits for an answer, and nothing is folded meanwhile.
const lookTime = time.Second

// pullBytes bounds what the server sends ahead. It is above the largest message, or that one could never come.
// A bound on the number of messages too would save the client's 8 MB for each reader, and cost messages: its queue is
// just as long, heartbeats wait in it beside messages, and what does not fit is dropped.
const pullBytes = 16 << 20

// heartbeat is how often a server with nothing to send shows that it is there. Two that do not come end the session,
// and a server that waits for a busy disk may well be silent for some seconds.
const heartbeat = 5 * time.Second

func (s *session) run(ctx context.Context) error {
	target, err := s.target(ctx)
	if err != nil {
		return err
	}
	reading, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	deliveries := make(chan *delivery, readAhead)
	var readers sync.WaitGroup
	for _, name := range schema.DataStreams {
		from := s.fold.positions[name].seq + 1
		readers.Go(func() {
			if err := s.read(reading, name, from, target, deliveries); err != nil {
				stop(fmt.Errorf("read stream %s: %w", name, err))
			}
		})
	}
	retaining, rest := context.WithCancel(reading)
	defer context.AfterFunc(ctx, rest)() // what is left to fold does not wait for retention
	if s.p.cfg.Retention != nil && !s.p.cfg.Once {
		readers.Go(func() {
			if err := s.retain(retaining); err != nil {
				stop(fmt.Errorf("retention: %w", err))
			}
		})
	}
	err = s.work(ctx, reading, target, deliveries)
	rest()
	stop(nil)
	readers.Wait()
	return err
}

// work folds what comes until ctx ends and all is folded that the log then holds.
func (s *session) work(ctx, reading context.Context, target map[string]uint64, deliveries <-chan *delivery) error {
	done := ctx.Done()
	var overtime <-chan time.Time
	look := time.NewTicker(placeInterval)
	defer look.Stop()
	for target == nil || !s.reached(target) {
		select {
		case d := <-deliveries:
			batch := gather(d, deliveries)
			if err := s.confirmHoles(reading, batch); err != nil {
				return err
			}
			if err := s.commit(batch); err != nil {
				return err
			}
			for _, d := range batch {
				s.memory.Release(d.weight())
			}
			if err := s.boundWAL(reading, ctx.Done()); err != nil {
				return err
			}
		case c := <-s.chores:
			if err := s.chore(c); err != nil {
				return err
			}
			if err := s.boundWAL(reading, ctx.Done()); err != nil {
				return err
			}
		case <-look.C:
			if err := s.recheck(reading); err != nil {
				return cmp.Or(context.Cause(reading), err) // a reader that failed tells more
			}
		case <-reading.Done():
			return context.Cause(reading)
		case <-overtime:
			return fmt.Errorf("not all of the log was folded within %s of the stop", s.p.cfg.Drain)
		case <-done:
			if s.p.cfg.Once {
				return ctx.Err() // an unfinished replay goes on where it was
			}
			var err error
			if target, err = s.ends(context.WithoutCancel(ctx)); err != nil {
				return err
			}
			done, overtime = nil, time.After(s.p.cfg.Drain)
		}
	}
	if s.p.cfg.Once {
		return s.fold.db.endReplay()
	}
	return nil
}

// target is where a replay ends; nil for a projection, which goes on.
func (s *session) target(ctx context.Context) (map[string]uint64, error) {
	if !s.p.cfg.Once || s.p.cfg.Until == nil {
		if s.p.cfg.Once {
			return s.last, nil
		}
		return nil, nil
	}
	target := map[string]uint64{}
	for name := range s.fold.positions {
		stream, err := s.p.js.Stream(ctx, name)
		if err == nil {
			target[name], err = end(ctx, stream, s.p.cfg.Until[name])
		}
		if err != nil {
			return nil, fmt.Errorf("where to end in stream %s: %w", name, err)
		}
	}
	return target, nil
}

// recheck ends the session when a stream is no longer the one that is being folded: the next one finds its place. A
// server that is too busy to answer is asked again the next time, and folding goes on; that a server is gone, the readers
// notice.
func (s *session) recheck(ctx context.Context) error {
	if err := s.fold.db.inPlace(); err != nil {
		return err
	}
	brief, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	for name, pos := range s.fold.positions {
		change, err := s.look(brief, name, pos)
		switch {
		case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
			return nil
		case err != nil:
			return fmt.Errorf("look at stream %s: %w", name, err)
		case change != "":
			return fmt.Errorf("stream %s: %s", name, change)
		}
	}
	return nil
}

// look says in which way a stream is another one than the one that is being folded, or nothing.
func (s *session) look(ctx context.Context, name string, pos *position) (string, error) {
	stream, err := s.p.js.Stream(ctx, name)
	if err != nil {
		return "", err
	}
	change, err := changed(ctx, stream, pos)
	if err != nil || change != "" {
		return change, err
	}
	return s.stalled(ctx, stream, pos)
}

// stalled says that a stream has messages that do not come, for whatever reason: the next session sets the durable to
// where the database is.
func (s *session) stalled(ctx context.Context, stream jetstream.Stream, pos *position) (string, error) {
	stood, ok := s.stands[pos.stream]
	switch {
	case stream.CachedInfo().State.LastSeq <= pos.seq:
		delete(s.stands, pos.stream)
		return "", nil
	case !ok || stood.seq != pos.seq:
		s.stands[pos.stream] = standing{pos.seq, time.Now()}
		return "", nil
	case time.Since(stood.since) < stallLimit:
		return "", nil
	}
	last, err := end(ctx, stream, stream.CachedInfo().State.LastSeq)
	if err != nil || last <= pos.seq { // its end was deleted
		return "", err
	}
	return fmt.Sprintf("message %d and those before it do not come, though they are there", last), nil
}

// boundWAL keeps the database's write-ahead log short. When readers do not let it, it waits for them until stopped:
// what is not folded yet stays in the log, and nobody's reading is cut off.
func (s *session) boundWAL(ctx context.Context, stop <-chan struct{}) error {
	db := s.fold.db
	for waited := false; db.walSize() > walTrim; waited = true {
		if db.walSize() < walStop && time.Since(s.trimmed) < trimInterval {
			return nil
		}
		s.trimmed = time.Now()
		short, err := db.trimWAL()
		if err != nil || short || db.walSize() < walStop {
			return err
		}
		if !waited {
			s.p.cfg.Log.Warn("a reader holds a transaction open; folding waits for it, the log keeps what comes", "wal_bytes", db.walSize())
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-stop:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// gather takes what waits behind the first delivery, up to the limits of a transaction.
func gather(first *delivery, deliveries <-chan *delivery) []*delivery {
	batch := []*delivery{first}
	items := first.items()
	for len(batch) < batchMessages && items < batchItems {
		select {
		case d := <-deliveries:
			batch = append(batch, d)
			items += d.items()
		default:
			return batch
		}
	}
	return batch
}

// weight is about what a delivery takes in memory, and at most what there is for all of them.
func (d *delivery) weight() int64 {
	n := int64(len(d.payload)) + 512 + 512*int64(d.items()) // with their text, and the system calls of some
	return min(n, decodedBytes)
}

// items is how many rows, about, a delivery comes to.
func (d *delivery) items() int {
	if d.msg == nil {
		return 0
	}
	m := d.msg
	n := len(m.Events) + len(m.Gaps) + len(m.Jobs)
	if m.Snapshot != nil {
		n += len(m.Snapshot.Processes)
	}
	if m.Rollup != nil {
		n += len(m.Rollup.Processes)
	}
	return n
}

// ends is where each stream ends now.
func (s *session) ends(ctx context.Context) (map[string]uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, s.p.cfg.Drain)
	defer cancel()
	ends := map[string]uint64{}
	for _, name := range schema.DataStreams {
		stream, err := s.p.js.Stream(ctx, name)
		if err == nil {
			ends[name], err = end(ctx, stream, stream.CachedInfo().State.LastSeq)
		}
		if err != nil {
			return nil, fmt.Errorf("where stream %s ends: %w", name, err)
		}
	}
	return ends, nil
}

func (s *session) reached(target map[string]uint64) bool {
	for name, seq := range target {
		if s.fold.positions[name].seq < seq {
			return false
		}
	}
	return true
}

// commit folds a batch, in one transaction or, where a file is rotated in between, in several, and acknowledges it.
func (s *session) commit(batch []*delivery) error {
	for i := 0; i < len(batch); {
		if s.fold.full() {
			if err := s.fold.rotate(); err != nil {
				return err
			}
		}
		err := s.fold.db.transact(func() error {
			for ; i < len(batch); i++ {
				if err := s.apply(batch[i]); err != nil {
					return err
				}
				if s.fold.full() {
					i++
					break
				}
			}
			return s.fold.flush()
		})
		if err != nil {
			return err
		}
	}
	s.p.committed(s.fold, s.last)
	return acknowledge(batch)
}

// apply folds one message. A panic costs that message, not the line: the session ends, and the next one puts the
// message into quarantine when it comes again.
func (s *session) apply(d *delivery) (err error) {
	key := gapKey{stream: d.stream, seq: d.seq, epoch: s.fold.positions[d.stream].epoch}
	defer func() {
		if r := recover(); r != nil {
			s.p.poisoned[key] = &poison{reasonPanic, fmt.Errorf("%v", r)}
			err = fmt.Errorf("message %d of %s made the projector panic: %v", d.seq, d.stream, r)
		}
	}()
	if p := s.p.poisoned[key]; p != nil {
		d.poison = p
	}
	if err := s.fold.apply(d); err != nil {
		return fmt.Errorf("message %d of %s: %w", d.seq, d.stream, err)
	}
	return nil
}

// confirmHoles looks, where a batch jumps over sequences, whether the stream really does not have them. When it has the
// next one, the messages went elsewhere: to another reader of the same durable.
func (s *session) confirmHoles(ctx context.Context, batch []*delivery) error {
	at := map[string]uint64{}
	for name, pos := range s.fold.positions {
		at[name] = pos.seq
	}
	for _, d := range batch {
		next := at[d.stream] + 1
		at[d.stream] = d.seq
		if d.seq <= next {
			continue
		}
		stream, err := s.p.js.Stream(ctx, d.stream)
		if err != nil {
			return err
		}
		_, err = stream.GetMsg(ctx, next)
		switch {
		case err == nil:
			return fmt.Errorf("message %d of %s is there and was not delivered: does another projector read for this database?", next, d.stream)
		case !errors.Is(err, jetstream.ErrMsgNotFound):
			return err
		}
	}
	return nil
}

// acknowledge tells the server how far each stream is committed. It is advice: the position that counts is in the
// database.
func acknowledge(batch []*delivery) error {
	last := map[string]*delivery{}
	for _, d := range batch {
		last[d.stream] = d
	}
	var errs []error
	for _, d := range last {
		if d.ack != nil {
			errs = append(errs, d.ack())
		}
	}
	return errors.Join(errs...)
}

// read passes a stream's messages on, decoded, until ctx ends. It decodes beside the one who writes.
func (s *session) read(ctx context.Context, name string, from uint64, target map[string]uint64, out chan<- *delivery) error {
	consumer, err := s.consumer(ctx, name, from)
	if err != nil {
		return err
	}
	messages, err := consumer.Messages(jetstream.PullMaxBytes(pullBytes), jetstream.PullExpiry(15*time.Second),
		jetstream.PullHeartbeat(heartbeat))
	if err != nil {
		return err
	}
	defer stopReading(messages)
	for {
		msg, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		d, err := newDelivery(name, msg)
		if err != nil {
			return err
		}
		if target != nil && d.seq > target[name] {
			return nil // beyond what is wanted
		}
		if !s.p.cfg.Once {
			d.ack = msg.Ack
		}
		d.decode()
		if s.memory.Acquire(ctx, d.weight()) != nil {
			return nil
		}
		select {
		case out <- d:
		case <-ctx.Done():
			return nil
		}
	}
}

// stopReading ends a reader, and waits until the server has been told. The client tells it some time after Stop, and what
// the server sends to a reader that nobody listens to is lost to the next one until AckWait is over.
func stopReading(messages jetstream.MessagesContext) {
	messages.Stop()
	reader, ok := messages.(interface{ Closed() <-chan struct{} })
	for deadline := time.Now().Add(time.Second); ok && time.Now().Before(deadline); {
		select {
		case <-reader.Closed(): // already closed when the subscription is gone, and else never
			return
		case <-time.After(time.Millisecond):
		}
	}
}

func newDelivery(stream string, msg jetstream.Msg) (*delivery, error) {
	meta, err := msg.Metadata()
	if err != nil {
		return nil, err
	}
	return &delivery{stream: stream, seq: meta.Sequence.Stream, stored: meta.Timestamp, subject: msg.Subject(),
		header: msg.Headers(), payload: msg.Data()}, nil
}

// consumer is where the session reads a stream: the database's durable, set to where the database is, or for a
// replay a consumer that nothing is left of.
func (s *session) consumer(ctx context.Context, name string, from uint64) (jetstream.Consumer, error) {
	if s.p.cfg.Once {
		return s.p.js.OrderedConsumer(ctx, name, jetstream.OrderedConsumerConfig{
			DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: from})
	}
	cfg := schema.Consumer(s.fold.db.id)
	consumer, err := s.p.js.CreateOrUpdateConsumer(ctx, name, cfg)
	if err != nil {
		return nil, err
	}
	if _, err := s.p.js.ResetConsumerToSequence(ctx, name, cfg.Durable, from); err != nil {
		return nil, fmt.Errorf("set the durable to %d (nats-server 2.14 or later can): %w", from, err)
	}
	return consumer, nil
}

func (s *session) close() error {
	err := errors.Join(s.fold.closeFiles(), s.fold.db.close())
	if s.files != nil {
		err = errors.Join(err, s.files.Release())
	}
	return err
}
