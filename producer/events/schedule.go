package events

import (
	"context"
	"time"

	"github.com/proctape/proctape/producer/lifecycle"
)

// How often a source is polled while it has events, and how soon after a quiet time: a process is described
// while it lives, and may not live long, but first it has to execute its program. Between two polls the kernel's events
// wait in the sockets' buffers, which hold some seconds of the highest rate.
const (
	pollInterval    = 20 * time.Millisecond
	firstPollDelay  = 2 * time.Millisecond
	publishInterval = 250 * time.Millisecond
)

// PollSchedule says when to poll a source, and when to publish its events: often while processes come and go, never
// while none does. So a sampler of a machine where nothing happens does not wake between its samples. One goroutine
// receives from PollDue and PublishDue and calls Polled and Published; another runs RequestPolls.
type PollSchedule struct {
	pollDue       chan struct{} // the source has events
	polled        chan struct{} // it was polled
	publishTicker *time.Ticker
	ticking       bool // the ticker is
	lastPoll      time.Time
}

// NewPollSchedule returns a schedule on which nothing is due. The caller calls Stop.
func NewPollSchedule() *PollSchedule {
	p := &PollSchedule{pollDue: make(chan struct{}), polled: make(chan struct{}, 1), publishTicker: time.NewTicker(publishInterval)}
	p.publishTicker.Stop()
	return p
}

// Stop stops the ticker.
func (p *PollSchedule) Stop() { p.publishTicker.Stop() }

// PollDue receives a value when the source should be polled. The receiver calls Polled afterwards.
func (p *PollSchedule) PollDue() <-chan struct{} { return p.pollDue }

// PublishDue receives a value when events may be due. The receiver calls Published afterwards.
func (p *PollSchedule) PublishDue() <-chan time.Time { return p.publishTicker.C }

// RequestPolls asks for polls while a source has events, until ctx ends. Wait is that of the source, see
// [lifecycle.Source].
func (p *PollSchedule) RequestPolls(ctx context.Context, wait func(context.Context) error) error {
	for {
		began := time.Now()
		if err := wait(ctx); err != nil {
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
		case p.pollDue <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case <-p.polled:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Polled notes that the source was polled, as PollDue asked for.
func (p *PollSchedule) Polled() {
	p.polled <- struct{}{}
	p.lastPoll = time.Now()
	if !p.ticking {
		p.publishTicker.Reset(publishInterval)
		p.ticking = true
	}
}

// Published notes that what was due was published. When everything that was polled must have been due, there is no next
// time.
func (p *PollSchedule) Published() {
	if time.Since(p.lastPoll) > lifecycle.EventDelay+publishInterval {
		p.publishTicker.Stop()
		p.ticking = false
	}
}
