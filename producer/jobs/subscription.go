package jobs

import (
	"cmp"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/trouble"
)

// maxWaiting is how many messages may wait to be applied. The client drops more than these, and logs that.
const maxWaiting = 1024

// SubscriptionConfig sets a subscription. All fields but Own are needed.
type SubscriptionConfig struct {
	Host   string
	BootID string
	Own    schema.Instance // whose messages are left out: they were applied when they were made
	Claims *Claims
	Domain string // of JetStream, for [schema.JetStream]
	// Trouble is told of messages that cannot be read.
	Trouble *trouble.Reporter
}

// Subscription applies the job events of a host, and those of the fleet, to its Claims. One goroutine uses it, the one that uses the Claims. A nil
// Subscription receives nothing.
type Subscription struct {
	nc       *nats.Conn
	cfg      SubscriptionConfig
	messages chan *nats.Msg
}

// NewSubscription returns a subscription that has not started. The caller closes nc, after the subscription has stopped.
func NewSubscription(nc *nats.Conn, cfg SubscriptionConfig) *Subscription {
	return &Subscription{nc: nc, cfg: cfg, messages: make(chan *nats.Msg, maxWaiting)}
}

// Start begins to receive. The caller calls stop.
func (s *Subscription) Start() (stop func(), err error) {
	var subs []*nats.Subscription
	stop = func() {
		for _, sub := range subs {
			_ = sub.Unsubscribe() // the connection may be gone
		}
	}
	for _, of := range []string{s.cfg.Host, schema.Fleet} {
		sub, err := s.nc.ChanSubscribe(schema.Subject(of, schema.KindJob), s.messages)
		if err != nil {
			stop()
			return nil, fmt.Errorf("subscribe to job events: %w", err)
		}
		subs = append(subs, sub)
	}
	return stop, nil
}

// WaitForEarlier waits, for a second at most, until all messages that were published before it have been received.
func (s *Subscription) WaitForEarlier() {
	if s != nil && s.nc.IsConnected() {
		_ = s.nc.FlushTimeout(time.Second) // without an answer nothing more will come
	}
}

// Messages are the messages that wait, for [Subscription.Apply].
func (s *Subscription) Messages() <-chan *nats.Msg {
	if s == nil {
		return nil
	}
	return s.messages
}

// ApplyWaiting applies the messages that wait. It does not wait for more.
func (s *Subscription) ApplyWaiting() {
	for {
		select {
		case msg := <-s.Messages():
			s.Apply(msg)
		default:
			return
		}
	}
}

// Apply applies a message of job events. A message that cannot be read is logged; the projector puts it into quarantine.
func (s *Subscription) Apply(msg *nats.Msg) {
	s.apply(msg.Subject, msg.Header.Get(schema.HeaderType), msg.Header.Get(schema.HeaderEncoding), msg.Data)
}

func (s *Subscription) apply(subject, contentType, encoding string, data []byte) {
	m, err := schema.DecodeOf(subject, contentType, encoding, data)
	if err != nil {
		s.cfg.Trouble.Note(trouble.Trouble{Kind: trouble.Unreadable, About: "job events on " + subject, Reason: err.Error()})
		return
	}
	if m.Instance == s.cfg.Own {
		return
	}
	ofFleet := m.Host == schema.Fleet
	_, boot := procfs.ReadClocks()
	for i := range m.Jobs {
		e := &m.Jobs[i]
		// A pid of another boot is another process. Several hosts may run on one boot, with pids of their own: the start tells.
		if m.BootID != "" && m.BootID != s.cfg.BootID || ofFleet && e.StartTicks == 0 {
			e.PID = schema.Opt[int64]{}
		}
		if ofFleet {
			s.cfg.Claims.ApplyFleetEvent(e, cmp.Or(m.Boot, boot))
		} else {
			s.cfg.Claims.ApplyJobEvent(e, cmp.Or(m.Boot, boot))
		}
	}
}
