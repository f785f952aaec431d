package jobs

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/schema"
)

// maxWaiting is how many messages may wait to be applied. The client drops more than these, and logs that.
const maxWaiting = 1024

// SubscriptionConfig sets a subscription. All fields but Own are needed.
type SubscriptionConfig struct {
	Host   string
	BootID string
	Own    schema.Instance // whose messages are left out: they were applied when they were made
	Claims *Claims
	Log    *slog.Logger
}

// Subscription applies the job events of a host to its Claims. One goroutine uses it, the one that uses the Claims. A nil
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
	sub, err := s.nc.ChanSubscribe(schema.Subject(s.cfg.Host, schema.KindJob), s.messages)
	if err != nil {
		return nil, fmt.Errorf("subscribe to job events: %w", err)
	}
	return func() { _ = sub.Unsubscribe() }, nil // the connection may be gone
}

// ReadBacklog applies the job events that were published since the machine started: the processes of before this program
// started still live. It waits at most a few seconds. The key of the connection may not allow it.
func (s *Subscription) ReadBacklog(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	js, err := jetstream.New(s.nc)
	if err != nil {
		return err
	}
	_, boot := procfs.ReadClocks()
	from := time.Now().Add(-time.Duration(boot))
	consumer, err := js.OrderedConsumer(ctx, schema.StreamEvents, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{schema.Subject(s.cfg.Host, schema.KindJob)},
		DeliverPolicy:  jetstream.DeliverByStartTimePolicy, OptStartTime: &from})
	if err != nil {
		return err
	}
	for {
		batch, err := consumer.FetchNoWait(500)
		if err != nil {
			return err
		}
		n := 0
		for msg := range batch.Messages() {
			n++
			s.apply(msg.Subject(), msg.Headers(), msg.Data())
		}
		if batch.Error() != nil || n == 0 {
			return batch.Error()
		}
	}
}

// WaitForEarlier waits, for a second at most, until all messages that were published before it have been received.
func (s *Subscription) WaitForEarlier() {
	if s != nil {
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
func (s *Subscription) Apply(msg *nats.Msg) { s.apply(msg.Subject, msg.Header, msg.Data) }

func (s *Subscription) apply(subject string, header nats.Header, data []byte) {
	m, err := schema.DecodeOf(subject, header.Get(schema.HeaderType), header.Get(schema.HeaderEncoding), data)
	if err != nil {
		s.cfg.Log.Warn("a message of job events cannot be read", "subject", subject, "err", err)
		return
	}
	if m.Instance == s.cfg.Own {
		return
	}
	if m.BootID != "" && m.BootID != s.cfg.BootID { // its pids belong to another boot
		for i := range m.Jobs {
			m.Jobs[i].PID = schema.Opt[int64]{}
		}
	}
	_, boot := procfs.ReadClocks()
	for i := range m.Jobs {
		s.cfg.Claims.ApplyJobEvent(&m.Jobs[i], cmp.Or(m.Boot, boot))
	}
}
