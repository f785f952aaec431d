package producer

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

// maxWaiting is how many messages of conductors may wait; more are dropped by the client, and said.
const maxWaiting = 1024

// Subscription takes in what conductors say of the jobs of a host. The zero hearing hears nothing.
type Subscription struct {
	nc       *nats.Conn
	host     string
	bootID   string
	own      schema.Instance // whose messages are known already
	claims   *Claims
	log      *slog.Logger
	Messages chan *nats.Msg
}

// Start begins to hear what conductors say.
func (h *Subscription) Start() (stop func(), err error) {
	h.Messages = make(chan *nats.Msg, maxWaiting)
	sub, err := h.nc.ChanSubscribe(schema.Subject(h.host, schema.KindJob), h.Messages)
	if err != nil {
		return nil, fmt.Errorf("listen for jobs: %w", err)
	}
	return func() { _ = sub.Unsubscribe() }, nil // the connection may be gone
}

// ReadBacklog reads what was said of jobs since the machine started, before this sampler did: its processes still live. It
// waits at most a few seconds; a key may not allow it.
func (h *Subscription) ReadBacklog(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	js, err := jetstream.New(h.nc)
	if err != nil {
		return err
	}
	_, boot := ReadClocks()
	from := time.Now().Add(-time.Duration(boot))
	consumer, err := js.OrderedConsumer(ctx, schema.StreamEvents, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{schema.Subject(h.host, schema.KindJob)}, DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &from})
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
			h.Apply(msg.Subject(), msg.Headers(), msg.Data())
		}
		if batch.Error() != nil || n == 0 {
			return batch.Error()
		}
	}
}

// WaitForEarlier waits, for a second at most, until all is heard that was said before.
func (h *Subscription) WaitForEarlier() {
	if h.nc != nil {
		_ = h.nc.FlushTimeout(time.Second) // without an answer nothing more will be heard
	}
}

// ApplyWaiting takes in what conductors have said.
func (h *Subscription) ApplyWaiting() {
	for {
		select {
		case msg := <-h.Messages:
			h.Apply(msg.Subject, msg.Header, msg.Data)
		default:
			return
		}
	}
}

// Apply takes in a message of a conductor. One that cannot be read is the projector's to put aside.
func (h *Subscription) Apply(subject string, header nats.Header, data []byte) {
	m, err := schema.DecodeOf(subject, header.Get(schema.HeaderType), header.Get(schema.HeaderEncoding), data)
	if err != nil {
		h.log.Warn("a message of a job cannot be read", "subject", subject, "err", err)
		return
	}
	if m.Instance == h.own {
		return
	}
	if m.BootID != "" && m.BootID != h.bootID { // its pids are of another boot
		for i := range m.Jobs {
			m.Jobs[i].PID = schema.Opt[int64]{}
		}
	}
	_, boot := ReadClocks()
	for i := range m.Jobs {
		h.claims.ApplyJobEvent(&m.Jobs[i], cmp.Or(m.Boot, boot))
	}
}

// PublishJobEvent publishes one event of a job on a host, and waits until the log has it.
func PublishJobEvent(ctx context.Context, nc *nats.Conn, host string, e *schema.JobEvent) error {
	fs := procfs.New("")
	boot, err := fs.BootID()
	if err != nil {
		return err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	_, now := ReadClocks()
	m := &schema.Message{Envelope: schema.Envelope{Version: schema.Version, Kind: schema.KindJob, Host: host, BootID: boot,
		Instance: schema.NewInstance(), Seq: 1, Wall: e.Wall, Boot: now, Produced: 1}, Jobs: []schema.JobEvent{*e}}
	payload, encoding, err := schema.Encode(nil, m)
	if err != nil {
		return err
	}
	msg := nats.NewMsg(schema.Subject(host, schema.KindJob))
	msg.Data = payload
	msg.Header.Set(nats.MsgIdHdr, m.ID())
	if encoding != "" {
		msg.Header.Set(schema.HeaderEncoding, encoding)
	}
	_, err = js.PublishMsg(ctx, msg)
	return err
}
