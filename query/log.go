package query

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/schema"
)

// LogStream is what a stream of the log holds.
type LogStream struct {
	Name        string
	First, Last uint64   // sequences; First is one above Last when it holds nothing
	Deleted     []uint64 // sequences between the two of which it has no message, rising
	Created     int64    // when the server made it, Unix ns
	// Kept is the shortest time that one of the log's databases wants it kept: what is older may have been trimmed. 0 when no
	// database says.
	Kept time.Duration
	Full bool // it is near the bytes that it may have, and gives up its oldest messages for new ones
}

// Has reports whether the stream has the message of a sequence.
func (s *LogStream) Has(seq uint64) bool {
	if seq < s.First || seq > s.Last {
		return false
	}
	for _, gone := range s.Deleted {
		if gone == seq {
			return false
		}
	}
	return true
}

// LogStreams returns what each stream that is folded into databases holds, by name. A stream that the log does not have is
// left out.
func LogStreams(ctx context.Context, js jetstream.JetStream) (map[string]*LogStream, error) {
	streams := map[string]*LogStream{}
	for _, name := range schema.DataStreams {
		s, err := logStream(ctx, js, name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			continue
		} else if err != nil {
			return nil, fmt.Errorf("read stream %s: %w", name, err)
		}
		streams[name] = s
	}
	return streams, nil
}

func logStream(ctx context.Context, js jetstream.JetStream, name string) (*LogStream, error) {
	stream, err := js.Stream(ctx, name)
	if err != nil {
		return nil, err
	}
	info, err := stream.Info(ctx, jetstream.WithDeletedDetails(true))
	if err != nil {
		return nil, err
	}
	const nearFull = 9 // tenths
	s := &LogStream{Name: name, First: info.State.FirstSeq, Last: info.State.LastSeq, Deleted: info.State.Deleted, Created: info.Created.UnixNano(),
		Full: info.Config.MaxBytes > 0 && info.State.Bytes/nearFull >= uint64(info.Config.MaxBytes)/10}
	list := stream.ListConsumers(ctx)
	for consumer := range list.Info() {
		if keeps, ok := schema.KeptBy(consumer.Config); ok && keeps > 0 && (s.Kept == 0 || keeps < s.Kept) {
			s.Kept = keeps
		}
	}
	if err := list.Err(); err != nil {
		return nil, err
	}
	return s, nil
}
