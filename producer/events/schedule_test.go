package events

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// timedSource is a source that has something to tell at certain times.
type timedSource struct {
	start   time.Time
	readyAt []time.Duration // in order; what is past has been polled
}

func (s *timedSource) Wait(ctx context.Context) error {
	if len(s.readyAt) == 0 {
		<-ctx.Done()
		return ctx.Err()
	}
	select {
	case <-time.After(time.Until(s.start.Add(s.readyAt[0]))):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *timedSource) polled() {
	s.readyAt = slices.DeleteFunc(s.readyAt, func(at time.Duration) bool { return at <= time.Since(s.start) })
}

// A burst is polled soon after it begins and then at most every 20 ms; publishing goes on until the last of it is due, and
// between two bursts nothing wakes.
func TestPollSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ms = time.Millisecond
		burst := []time.Duration{1000 * ms, 1001 * ms, 1010 * ms, 1015 * ms, 1030 * ms, 60_000 * ms}
		source := &timedSource{start: time.Now(), readyAt: burst}
		p := NewPollSchedule()
		defer p.Stop()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- p.RequestPolls(ctx, source.Wait) }()
		var polls, publishes []time.Duration
		for end := time.After(time.Hour); end != nil; {
			select {
			case <-p.PollDue():
				polls = append(polls, time.Since(source.start))
				source.polled()
				p.Polled()
			case <-p.PublishDue():
				publishes = append(publishes, time.Since(source.start))
				p.Published()
			case <-end:
				end = nil
			}
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("RequestPolls: got %v, want %v", err, context.Canceled)
		}
		if want := []time.Duration{1002 * ms, 1030 * ms, 60_002 * ms}; !slices.Equal(polls, want) {
			t.Errorf("polls: got %v, want %v", polls, want)
		}
		if want := []time.Duration{1252 * ms, 1502 * ms, 60_252 * ms, 60_502 * ms}; !slices.Equal(publishes, want) {
			t.Errorf("publishes: got %v, want %v", publishes, want)
		}
	})
}
