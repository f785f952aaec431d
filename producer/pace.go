package producer

import (
	"context"
	"time"

	"github.com/proctape/proctape/producer/lifecycle"
)

// How often what the kernel tells is taken in while it tells something, and how soon after a quiet time: a process is
// described while it lives, and may not live long, but first it has to execute its program. Between two polls it waits
// in the sockets' buffers, which hold seconds of the worst.
const (
	pollInterval    = 20 * time.Millisecond
	firstPollDelay  = 2 * time.Millisecond
	publishInterval = 250 * time.Millisecond
)

// PollSchedule says when to take in what a source tells, and when to publish it: often while processes come and go, never while
// none does. So a sampler of a machine where nothing happens does not wake between its samples.
type PollSchedule struct {
	PollDue       chan struct{} // the source has something to tell
	acknowledged  chan struct{} // it has told it
	publishTicker *time.Ticker  // events may be due
	ticking       bool          // the ticker is
	lastPoll      time.Time
}

func NewPollSchedule() *PollSchedule {
	p := &PollSchedule{PollDue: make(chan struct{}), acknowledged: make(chan struct{}, 1), publishTicker: time.NewTicker(publishInterval)}
	p.publishTicker.Stop()
	return p
}

// RequestPolls asks for polls while a source has something to tell, until ctx ends.
func (p *PollSchedule) RequestPolls(ctx context.Context, source lifecycle.Source) error {
	for {
		began := time.Now()
		if err := source.Wait(ctx); err != nil {
			return err
		}
		pause := pollInterval
		if time.Since(began) > pollInterval {
			pause = firstPollDelay
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case p.PollDue <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case <-p.acknowledged:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Polled notes that the source was polled, as was asked for.
func (p *PollSchedule) Polled() {
	p.acknowledged <- struct{}{}
	p.lastPoll = time.Now()
	if !p.ticking {
		p.publishTicker.Reset(publishInterval)
		p.ticking = true
	}
}

// Published notes that what was due was published. When all that was heard must have been due, there is no next time.
func (p *PollSchedule) Published() {
	if time.Since(p.lastPoll) > lifecycle.EventDelay+publishInterval {
		p.publishTicker.Stop()
		p.ticking = false
	}
}
