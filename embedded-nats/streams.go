package embeddednats

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/schema"
)

// Declare makes the streams exist. It may be called any number of times and by many at once. With update it also changes
// the settings of streams that exist, as on the embedded server, but makes no stream's age shorter: other databases may want
// it longer, which retention knows. Without update, for a server of somebody else's, an
// existing stream keeps its settings, and it is an error when it does not take our subjects.
func Declare(ctx context.Context, js jetstream.JetStream, streams []jetstream.StreamConfig, update bool) error {
	for _, cfg := range streams {
		if err := untilAnswered(ctx, func(ctx context.Context) error { return declare(ctx, js, cfg, update) }); err != nil {
			return fmt.Errorf("declare stream %s: %w", cfg.Name, err)
		}
	}
	return nil
}

const (
	requestTime = 5 * time.Second        // in which one request is answered, or it is not
	askAgain    = 200 * time.Millisecond // after an answer that will be another one soon
)

// untilAnswered asks until there is an answer, or ctx ends: a cluster that has no leader at that moment gives none, or says so.
func untilAnswered(ctx context.Context, ask func(context.Context) error) error {
	for {
		one, cancel := context.WithTimeout(ctx, requestTime)
		err := ask(one)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) && !schema.LogIsLeaderless(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(askAgain):
		}
	}
}

func declare(ctx context.Context, js jetstream.JetStream, cfg jetstream.StreamConfig, update bool) error {
	if update {
		if stream, err := js.Stream(ctx, cfg.Name); err == nil {
			if have := stream.CachedInfo().Config.MaxAge; have == 0 || have > cfg.MaxAge {
				cfg.MaxAge = have
			}
		}
		_, err := js.CreateOrUpdateStream(ctx, cfg)
		return err
	}
	stream, err := js.Stream(ctx, cfg.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if _, err = js.CreateStream(ctx, cfg); !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			return err
		}
		stream, err = js.Stream(ctx, cfg.Name) // somebody else was faster
	}
	if err != nil {
		return err
	}
	for _, subject := range cfg.Subjects {
		if have := stream.CachedInfo().Config.Subjects; !slices.Contains(have, subject) {
			return fmt.Errorf("it exists but does not take subject %s: it takes %v", subject, have)
		}
	}
	return nil
}
