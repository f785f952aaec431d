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

// loadPosition reads how far the database is in a stream. found is false when it never folded anything of it.
func (f *fold) loadPosition(name string) (pos *position, found bool, err error) {
	pos = &position{stream: name}
	err = f.db.query(`SELECT epoch, created, id_base, seq, message_time, process_id FROM checkpoints WHERE stream=?`,
		func(r *sql.Rows) error {
			found = true
			return r.Scan(&pos.epoch, &pos.created, &pos.idBase, &pos.seq, &pos.stored, &pos.process)
		}, name)
	if err != nil {
		return nil, false, err
	}
	// Gaps that were noticed at this very message have their names already.
	err = f.db.query(`SELECT coalesce(max(n) + 1, 0) FROM gaps WHERE stream=? AND epoch=? AND at_seq=?`,
		func(r *sql.Rows) error { return r.Scan(&pos.n) }, name, pos.epoch, int64(pos.seq))
	return pos, found, err
}

// locate compares what the database knows of a stream with the stream itself, and returns where the stream ends. A
// stream that is not what it was, or no longer holds what was folded from it, starts a new epoch: it is read again from
// its beginning, and what was folded before is known by its producers' numbers.
func (s *session) locate(ctx context.Context, pos *position, found bool) (last uint64, err error) {
	stream, err := s.p.js.Stream(ctx, pos.stream)
	if err != nil {
		return 0, err
	}
	info := stream.CachedInfo()
	if !found {
		pos.epoch, pos.created = 1, info.Created.UnixNano()
		if from := s.p.cfg.From[pos.stream]; from > 0 {
			pos.seq = from - 1
		}
		return end(ctx, stream, info.State.LastSeq)
	}
	change, err := changed(ctx, stream, pos)
	if err != nil {
		return 0, err
	}
	if change != "" {
		s.p.cfg.Log.Warn("the stream is not what it was, reading it again", "stream", pos.stream, "reason", change)
		if err := s.fold.newEpoch(pos, change, info.Created.UnixNano()); err != nil {
			return 0, err
		}
	}
	return end(ctx, stream, info.State.LastSeq)
}

// end is the highest sequence up to limit of which the stream has a message: what a fold up to limit will come to. It
// is 0 when there is none.
func end(ctx context.Context, stream jetstream.Stream, limit uint64) (uint64, error) {
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

// changed says in which way the stream is another one than the one that was folded, or nothing.
func changed(ctx context.Context, stream jetstream.Stream, pos *position) (string, error) {
	info := stream.CachedInfo()
	switch {
	case info.Created.UnixNano() != pos.created:
		return "the stream was made anew", nil
	case info.State.LastSeq < pos.seq:
		return "the stream has lost its end", nil
	case pos.seq == 0 || pos.stored == 0 || pos.seq < info.State.FirstSeq: // nothing was folded, or it is trimmed
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
func (f *fold) newEpoch(pos *position, reason string, created int64) error {
	lost := pos.stored
	pos.epoch++
	pos.idBase += int64(pos.seq)
	pos.seq, pos.stored, pos.created, pos.n = 0, 0, created, 0
	return f.db.transact(func() error {
		if _, err := f.gap(pos, gap{reason: reason, from: lost,
			details: "read again from its beginning; what was folded before stays"}); err != nil {
			return err
		}
		if err := f.savePosition(pos); err != nil {
			return err
		}
		return f.flushFiles()
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
