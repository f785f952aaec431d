package publish

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/schema/trouble"
)

// reporting is the name under which a publisher reports trouble.
const reporting = "publisher"

// spells are the trouble of a publisher while it goes on. None of its methods is called with the publisher's lock held: who is
// told may ask the publisher what it has lost.
type spells struct {
	to   *trouble.Reporter
	host string

	mu      sync.Mutex
	losing  bool   // items were dropped since the queue was empty last
	lost    uint64 // of them
	failing bool   // the last batch failed, and that was reported
	failed  uint64 // items that had been dropped when failing began
	noDisk  bool   // the last messages could not be written to disk
}

// stored reports whether messages could be written to disk.
func (s *spells) stored(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil:
		s.noDisk = true
		s.to.Begin(reporting, trouble.Trouble{Kind: trouble.Unwritten, About: s.host, Reason: err.Error()})
	case s.noDisk:
		s.noDisk = false
		s.to.End(reporting, trouble.Unwritten, s.host, "nothing lost by it")
	}
}

// loses reports that items were dropped.
func (s *spells) loses(why string, items uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.losing = true
	s.lost += items
	s.to.Begin(reporting, trouble.Trouble{Kind: trouble.Losing, About: s.host, Reason: why})
}

// published reports what came of a batch: why publishing fails, or that it works again, and that no more is dropped.
func (s *spells) published(all bool, dropped uint64, waiting int, errs []error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.losing && waiting == 0 {
		s.to.End(reporting, trouble.Losing, s.host, trouble.Lost(s.lost))
		s.losing, s.lost = false, 0
	}
	if all && s.failing {
		s.failing = false
		s.to.End(reporting, trouble.LogRefuses, s.host, trouble.Lost(dropped-s.failed))
	}
	failure := slices.IndexFunc(errs, func(err error) bool {
		return err != nil && !tooLarge(err) && !errors.Is(err, errNotSent) && !errors.Is(err, context.Canceled)
	})
	if all || failure < 0 {
		return
	}
	if !s.failing {
		s.failing, s.failed = true, dropped
	}
	s.to.Begin(reporting, trouble.Trouble{Kind: trouble.LogRefuses, About: s.host, Reason: reason(errs[failure]),
		Figures: map[string]int64{"waiting_messages": int64(waiting)}})
}

// reason says in words why the log does not take a message.
func reason(err error) string {
	switch {
	case errors.Is(err, nats.ErrConnectionReconnecting), errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrDisconnected),
		errors.Is(err, nats.ErrReconnectBufExceeded), errors.Is(err, nats.ErrInvalidConnection):
		return "there is no connection to its server"
	case errors.Is(err, jetstream.ErrNoStreamResponse), errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrStreamNotFound):
		return "its server has no stream that takes them, or no leader for it"
	case errors.Is(err, jetstream.ErrAsyncPublishTimeout), errors.Is(err, nats.ErrTimeout), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, jetstream.ErrTooManyStalledMsgs):
		return fmt.Sprintf("its server has not answered within %s", ackTime)
	}
	return err.Error()
}
