package projector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/trouble"
)

// streams compares the streams of the log with what was folded of them.
type streams struct {
	js      jetstream.JetStream
	stalled map[string]stalledSince // where each stream was at the last check, while it had more
	gone    map[string]bool         // streams that the server does not have: the others are folded without them
	report  *trouble.Reporter
}

// stalledSince is since when a stream's fold has not moved.
type stalledSince struct {
	seq uint64
	at  time.Time
}

// stallLimit is how long messages that a stream has may not come before the session asks for them anew.
const stallLimit = time.Minute

// checkTime is how long a check waits for an answer, and nothing is folded meanwhile.
const checkTime = time.Second

func newStreams(js jetstream.JetStream, report *trouble.Reporter) *streams {
	return &streams{js: js, stalled: map[string]stalledSince{}, gone: map[string]bool{}, report: report}
}

// staleTime is how long a stream on several servers may end below what was read of it before that is believed: a server that was cut off from the others takes itself for its
// leader for ten seconds (lostQuorumInterval in nats-server's raft.go), and one that leads since now may have to catch up.
const staleTime = 30 * time.Second

// errBehind says that a server has less of a stream than was read. One that knows of no leader answers for the stream with what it has (jsStreamInfoRequest in nats-server).
var errBehind = errors.New("its server has less than was read of it, as one that was cut off from the others; it is asked again")

// open finds a stream. Of one on several servers the messages come from the server that leads it: the others may not have all yet, and would say that there is no such message.
func (s *streams) open(ctx context.Context, name string) (jetstream.Stream, error) {
	stream, err := s.js.Stream(ctx, name)
	if err == nil && isReplicated(stream) {
		stream.CachedInfo().Config.AllowDirect = false
	}
	return stream, err
}

func isReplicated(stream jetstream.Stream) bool { return stream.CachedInfo().Config.Replicas > 1 }

// openAt is open, for who has read so far. It asks again and again while a stream on several servers ends below that, and returns [errBehind] when none of them leads it.
func (s *streams) openAt(ctx context.Context, at *store.Checkpoint, beat func()) (jetstream.Stream, error) {
	for deadline := time.Now().Add(staleTime); ; {
		stream, err := s.open(ctx, at.Stream)
		if err != nil || !endsBelow(stream, at) {
			return stream, err
		}
		if time.Now().After(deadline) {
			if c := stream.CachedInfo().Cluster; c == nil || c.Leader == "" {
				return nil, errBehind
			}
			return stream, nil
		}
		beat()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(checkTime):
		}
	}
}

// endsBelow reports whether a stream on several servers, the one that was read, ends below what was read.
func endsBelow(stream jetstream.Stream, at *store.Checkpoint) bool {
	info := stream.CachedInfo()
	return isReplicated(stream) && info.Created.UnixNano() == at.Created && info.State.LastSeq < at.Seq
}

// setGone notes that the server does not have a stream.
func (s *streams) setGone(stream string) {
	s.gone[stream] = true
	s.report.Begin(reporting, trouble.Trouble{Kind: trouble.StreamGone, About: stream, Reason: "the server does not have it; the others are projected"})
}

// check returns an error when a stream is no longer the one that is being folded. A server that is too busy to answer is
// asked again the next time, and folding goes on; that a server is gone, the readers notice. Answered says that it answered for
// every stream, and none is another.
func (s *streams) check(ctx context.Context, checkpoints map[string]*store.Checkpoint) (answered bool, err error) {
	brief, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	for name, at := range checkpoints {
		change, err := s.change(brief, name, at)
		switch {
		case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
			return false, nil
		case err != nil:
			return false, fmt.Errorf("check stream %s: %w", name, err)
		case change != "":
			return false, fmt.Errorf("stream %s: %s", name, change)
		}
	}
	return true, nil
}

// change says in which way a stream is another one than the one that is being folded, or nothing.
func (s *streams) change(ctx context.Context, name string, at *store.Checkpoint) (string, error) {
	stream, err := s.open(ctx, name)
	switch {
	case s.gone[name] && errors.Is(err, jetstream.ErrStreamNotFound):
		return "", nil
	case err != nil:
		return "", err
	case s.gone[name]:
		s.report.End(reporting, trouble.StreamGone, name, "what the stream held, as far as it was not projected")
		return "it is there again", nil
	case endsBelow(stream, at):
		return "", errBehind
	}
	kind, err := changed(ctx, stream, at)
	if err != nil {
		return "", err
	}
	if info, known := kind.Info(); known {
		return info.Doc, nil
	}
	return s.stall(ctx, stream, at)
}

// stall says that a stream has messages that do not come, for whatever reason: the next session sets the durable to
// where the database is.
func (s *streams) stall(ctx context.Context, stream jetstream.Stream, at *store.Checkpoint) (string, error) {
	since, ok := s.stalled[at.Stream]
	switch {
	case stream.CachedInfo().State.LastSeq <= at.Seq:
		delete(s.stalled, at.Stream)
		return "", nil
	case !ok || since.seq != at.Seq:
		s.stalled[at.Stream] = stalledSince{at.Seq, time.Now()}
		return "", nil
	case time.Since(since.at) < stallLimit:
		return "", nil
	}
	last, err := lastStored(ctx, stream, stream.CachedInfo().State.LastSeq)
	if err != nil || last <= at.Seq { // its end was deleted
		return "", err
	}
	return fmt.Sprintf("message %d and those before it do not come, though they are there", last), nil
}

// changed says in which way the stream is another one than the one that was folded, as a kind of gap, or nothing.
func changed(ctx context.Context, stream jetstream.Stream, at *store.Checkpoint) (schema.GapKind, error) {
	info := stream.CachedInfo()
	switch {
	case info.Created.UnixNano() != at.Created:
		return schema.GapStreamRecreated, nil
	case info.State.LastSeq < at.Seq:
		return schema.GapStreamLostEnd, nil
	case at.Seq == 0 || at.Stored == 0 || at.Seq < info.State.FirstSeq: // nothing was folded, or it is trimmed
		return "", nil
	}
	msg, err := stream.GetMsg(ctx, at.Seq)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound): // deleted since; nothing to compare
		return "", nil
	case err != nil:
		return "", err
	case msg.Time.UnixNano() != at.Stored:
		return schema.GapStreamRegrown, nil
	}
	return "", nil
}

// lastStored returns the highest sequence up to limit of which the stream has a message, or 0: what a fold up to limit
// will come to.
func lastStored(ctx context.Context, stream jetstream.Stream, limit uint64) (uint64, error) {
	state := stream.CachedInfo().State
	if state.Msgs == 0 {
		return 0, nil
	}
	for seq := min(limit, state.LastSeq); seq >= state.FirstSeq && seq > 0; seq-- {
		_, err := stream.GetMsg(ctx, seq)
		if err == nil {
			return seq, nil
		} else if !errors.Is(err, jetstream.ErrMsgNotFound) {
			return 0, err
		}
	}
	return 0, nil
}

// ends is where each stream ends now. The streams are to answer within a time.
func (s *streams) ends(ctx context.Context, within time.Duration) (map[string]uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	ends := map[string]uint64{}
	for _, name := range schema.DataStreams {
		if s.gone[name] {
			continue
		}
		stream, err := s.open(ctx, name)
		if err == nil {
			ends[name], err = lastStored(ctx, stream, stream.CachedInfo().State.LastSeq)
		}
		if err != nil {
			return nil, fmt.Errorf("where stream %s ends: %w", name, err)
		}
	}
	return ends, nil
}

// lastUpTo is the last message of each stream up to a sequence.
func (s *streams) lastUpTo(ctx context.Context, until map[string]uint64) (map[string]uint64, error) {
	last := map[string]uint64{}
	for _, name := range schema.DataStreams {
		if s.gone[name] {
			continue
		}
		stream, err := s.open(ctx, name)
		if err == nil {
			last[name], err = lastStored(ctx, stream, until[name])
		}
		if err != nil {
			return nil, fmt.Errorf("where to end in stream %s: %w", name, err)
		}
	}
	return last, nil
}

// confirmHoles checks, where a batch jumps over sequences, whether the stream really does not have them. When it has the
// next one, the messages went elsewhere: to another reader of the same durable.
func (s *streams) confirmHoles(ctx context.Context, checkpoints map[string]*store.Checkpoint, batch []*received) error {
	at := map[string]uint64{}
	for name, c := range checkpoints {
		at[name] = c.Seq
	}
	for _, m := range batch {
		next := at[m.Stream] + 1
		at[m.Stream] = m.Seq
		if m.Seq <= next {
			continue
		}
		stream, err := s.open(ctx, m.Stream)
		if err != nil {
			return err
		}
		_, err = stream.GetMsg(ctx, next)
		switch {
		case err == nil:
			return &hole{m.Stream, next}
		case !errors.Is(err, jetstream.ErrMsgNotFound):
			return err
		}
	}
	return nil
}

// SequencesAt returns, for each stream, the sequence of the first message that the log took at or after a time; one
// beyond the last when there is none.
func SequencesAt(ctx context.Context, js jetstream.JetStream, at time.Time) (map[string]uint64, error) {
	seqs := map[string]uint64{}
	for _, name := range schema.DataStreams {
		var err error
		if seqs[name], err = sequenceAt(ctx, js, name, at); err != nil {
			return nil, fmt.Errorf("stream %s: %w", name, err)
		}
	}
	return seqs, nil
}

func sequenceAt(ctx context.Context, js jetstream.JetStream, name string, at time.Time) (uint64, error) {
	stream, err := js.Stream(ctx, name)
	if err != nil {
		return 0, err
	}
	state := stream.CachedInfo().State
	if state.Msgs == 0 || at.After(state.LastTime) {
		return state.LastSeq + 1, nil
	}
	consumer, err := stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{HeadersOnly: true,
		DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &at})
	if err != nil {
		return 0, err
	}
	msg, err := consumer.Next(jetstream.FetchMaxWait(5 * time.Second))
	if err != nil {
		return 0, fmt.Errorf("find the first message of %s: %w", at.Format(time.RFC3339), err)
	}
	meta, err := msg.Metadata()
	if err != nil {
		return 0, err
	}
	return meta.Sequence.Stream, nil
}
