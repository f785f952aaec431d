package retention

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/schema"
)

// openTicks installs the schedule, which all databases of the log share, and returns where this database reads its ticks.
func openTicks(ctx context.Context, js jetstream.JetStream, databaseID, path string, every time.Duration) (jetstream.Consumer, error) {
	if err := InstallSchedule(ctx, js, every); err != nil {
		return nil, fmt.Errorf("install the schedule of retention: %w", err)
	}
	consumer, err := schema.MakeDurable(ctx, js, schema.StreamOps, schema.OfDatabase(schema.TickConsumer(databaseID), "when old data leaves the database", path))
	if err != nil {
		return nil, fmt.Errorf("read the ticks of retention: %w", err)
	}
	return consumer, nil
}

// nextTick waits for a tick. There is none when ctx has ended.
func nextTick(ctx context.Context, ticks jetstream.Consumer) (jetstream.Msg, error) {
	for ctx.Err() == nil {
		waiting, cancel := context.WithTimeout(ctx, 30*time.Second)
		msg, err := ticks.Next(jetstream.FetchContext(waiting))
		cancel()
		switch {
		case err == nil:
			return msg, nil
		case !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, nats.ErrTimeout) && !errors.Is(err, jetstream.ErrNoMessages) && ctx.Err() == nil:
			return nil, err
		}
	}
	return nil, nil
}

// InstallSchedule makes the log tick at an interval. Whoever comes first installs the schedule; another interval takes the
// place of the one there is.
func InstallSchedule(ctx context.Context, js jetstream.JetStream, every time.Duration) error {
	stream, err := js.Stream(ctx, schema.StreamOps)
	if err != nil {
		return err
	}
	expect := uint64(0)
	last, err := stream.GetLastMsgForSubject(ctx, schema.SubjectSchedule)
	switch {
	case err == nil && last.Header.Get("Nats-Schedule") == "@every "+every.String():
		return nil
	case err == nil:
		expect = last.Sequence
	case !errors.Is(err, jetstream.ErrMsgNotFound):
		return err
	}
	msg := nats.NewMsg(schema.SubjectSchedule)
	msg.Header.Set("Nats-TTL", "never")
	_, err = js.PublishMsg(ctx, msg, jetstream.WithScheduleEvery(every), jetstream.WithScheduleTarget(schema.SubjectTick),
		jetstream.WithScheduleTTL(time.Hour), jetstream.WithScheduleRollup(), jetstream.WithExpectLastSequencePerSubject(expect))
	if wrong := new(jetstream.APIError); errors.As(err, &wrong) && wrong.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence {
		return nil // another recorder was faster
	}
	return err
}

// IsScheduled reports whether a recorder makes a pass over the database with this id at each tick of the log.
func IsScheduled(ctx context.Context, js jetstream.JetStream, id string) (bool, error) {
	_, err := js.Consumer(ctx, schema.StreamOps, schema.TickConsumer(id).Durable)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Request asks every database of the log for a pass of retention now.
func Request(ctx context.Context, js jetstream.JetStream) error {
	msg := nats.NewMsg(schema.SubjectTick)
	msg.Header.Set(schema.HeaderAsked, "command")
	_, err := js.PublishMsg(ctx, msg)
	return err
}

// Next returns when the log's schedule ticks next; the zero time when there is no schedule.
func Next(ctx context.Context, js jetstream.JetStream) (time.Time, error) {
	stream, err := js.Stream(ctx, schema.StreamOps)
	if err != nil {
		return time.Time{}, err
	}
	sched, err := stream.GetLastMsgForSubject(ctx, schema.SubjectSchedule)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return time.Time{}, nil
	} else if err != nil {
		return time.Time{}, err
	}
	form := sched.Header.Get("Nats-Schedule")
	every, err := time.ParseDuration(strings.TrimPrefix(form, "@every "))
	if err != nil || every <= 0 {
		return time.Time{}, fmt.Errorf("the schedule %q is none of ours", form)
	}
	// The server counts from the moment at which it stored the schedule.
	since := time.Since(sched.Time)
	return sched.Time.Add(since.Truncate(every) + every), nil
}
