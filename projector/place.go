package projector

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/schema"
)

// locate compares what the database knows of a stream with the stream itself. A stream that is not what it was, or
// no longer holds what was folded from it, starts a new epoch: it is read again from its beginning, and what was
// folded before is known by its producers' numbers.
func (s *session) locate(ctx context.Context, name string) (*position, uint64, error) {
	stream, err := s.p.js.Stream(ctx, name)
	if err != nil {
		return nil, 0, err
	}
	info := stream.CachedInfo()
	pos, found, err := s.loadPosition(name)
	if err != nil {
		return nil, 0, err
	}
	last := info.State.LastSeq
	if info.State.Msgs == 0 { // whatever it once held
		last = 0
	}
	if !found {
		pos.epoch, pos.created = 1, info.Created.UnixNano()
		if from := s.p.cfg.From[name]; from > 0 {
			pos.seq = from - 1
		}
		return pos, last, nil
	}
	change, err := changed(ctx, stream, pos)
	if err != nil {
		return nil, 0, err
	}
	if change != "" {
		s.p.cfg.Log.Warn("the stream is not what it was, reading it again", "stream", name, "reason", change)
		if err := s.newEpoch(pos, change, info.Created.UnixNano()); err != nil {
			return nil, 0, err
		}
	}
	return pos, last, nil
}

func (s *session) loadPosition(name string) (pos *position, found bool, err error) {
	pos = &position{stream: name}
	err = s.fold.db.query(`SELECT epoch, created, id_base, seq, message_time, process_id FROM checkpoints WHERE stream=?`,
		func(r *sql.Rows) error {
			found = true
			return r.Scan(&pos.epoch, &pos.created, &pos.idBase, &pos.seq, &pos.stored, &pos.process)
		}, name)
	return pos, found, err
}

// changed says in which way the stream is another one than the one that was folded, or nothing.
func changed(ctx context.Context, stream jetstream.Stream, pos *position) (string, error) {
	info := stream.CachedInfo()
	switch {
	case info.Created.UnixNano() != pos.created:
		return "the stream was made anew", nil
	case info.State.LastSeq < pos.seq:
		return "the stream has lost its end", nil
	case pos.stored == 0 || pos.seq < info.State.FirstSeq: // nothing was folded, or it is trimmed
		return "", nil
	}
	msg, err := stream.GetMsg(ctx, pos.seq)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound): // deleted since; nothing to compare
		return "", nil
	case err != nil:
		return "", err
	case msg.Time.UnixNano() != pos.stored:
		return "the stream has lost its end and grown again", nil
	}
	return "", nil
}

// newEpoch starts reading a stream from its beginning. Row ids go on above those that were given.
func (s *session) newEpoch(pos *position, reason string, created int64) error {
	lost := *pos
	pos.epoch++
	pos.idBase += int64(pos.seq)
	pos.seq, pos.created = 0, created
	return s.fold.db.transact(func() error {
		if _, err := s.fold.newGap(pos, gap{reason: reason, from: lost.stored,
			details: "read again from its beginning; what was folded before stays"}); err != nil {
			return err
		}
		pos.n = 0
		return s.fold.savePosition(pos)
	})
}

// SequencesAt returns, for each stream, the sequence of the first message that the log took at or after a time; one
// beyond the last when there is none.
func SequencesAt(ctx context.Context, js jetstream.JetStream, at time.Time) (map[string]uint64, error) {
	seqs := map[string]uint64{}
	for _, name := range schema.DataStreams {
		stream, err := js.Stream(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("stream %s: %w", name, err)
		}
		state := stream.CachedInfo().State
		seqs[name] = state.LastSeq + 1
		if state.Msgs == 0 || at.After(state.LastTime) {
			continue
		}
		consumer, err := stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{HeadersOnly: true,
			DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &at})
		if err != nil {
			return nil, fmt.Errorf("stream %s: %w", name, err)
		}
		msg, err := consumer.Next(jetstream.FetchMaxWait(5 * time.Second))
		if err != nil {
			return nil, fmt.Errorf("stream %s: find the first message of %s: %w", name, at.Format(time.RFC3339), err)
		}
		meta, err := msg.Metadata()
		if err != nil {
			return nil, fmt.Errorf("stream %s: %w", name, err)
		}
		seqs[name] = meta.Sequence.Stream
	}
	return seqs, nil
}
