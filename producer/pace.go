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
	pollSoon        = 2 * time.Millisecond
	publishInterval = 250 * time.Millisecond
)

// pace says when to take in what a source tells, and when to publish it: often while processes come and go, never while
// none does. So a sampler of a machine where nothing happens does not wake between its samples.
type pace struct {
	poll      chan struct{} // the source has something to tell
	polled    chan struct{} // it has told it
	publish   *time.Ticker  // events may be due
	ticking   bool          // the ticker is
	heardLast time.Time
}

func newPace() *pace {
	p := &pace{poll: make(chan struct{}), polled: make(chan struct{}, 1), publish: time.NewTicker(publishInterval)}
	p.publish.Stop()
	return p
}

// follow asks for polls while a source has something to tell, until ctx ends.
func (p *pace) follow(ctx context.Context, source lifecycle.Source) error {
	for {
		began := time.Now()
		if err := source.Wait(ctx); err != nil {
			return err
		}
		pause := pollInterval
		if time.Since(began) > pollInterval {
			pause = pollSoon
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case p.poll <- struct{}{}:
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

// heard notes that the source was polled, as was asked for.
func (p *pace) heard() {
	p.polled <- struct{}{}
	p.heardLast = time.Now()
	if !p.ticking {
		p.publish.Reset(publishInterval)
		p.ticking = true
	}
}

// published notes that what was due was published. When all that was heard must have been due, there is no next time.
func (p *pace) published() {
	if time.Since(p.heardLast) > lifecycle.Settle+publishInterval {
		p.publish.Stop()
		p.ticking = false
	}
}
