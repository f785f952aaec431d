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

// maxHeard is how many messages of conductors may wait; more are dropped by the client, and said.
const maxHeard = 1024

// hearing takes in what conductors say of the jobs of a host. The zero hearing hears nothing.
type hearing struct {
	nc     *nats.Conn
	host   string
	bootID string
	self   schema.Instance // whose messages are known already
	jobs   *attribution
	log    *slog.Logger
	heard  chan *nats.Msg
}

// listen begins to hear what conductors say.
func (h *hearing) listen() (stop func(), err error) {
	h.heard = make(chan *nats.Msg, maxHeard)
	sub, err := h.nc.ChanSubscribe(schema.Subject(h.host, schema.KindJob), h.heard)
	if err != nil {
		return nil, fmt.Errorf("listen for jobs: %w", err)
	}
	return func() { _ = sub.Unsubscribe() }, nil // the connection may be gone
}

// recall reads what was said of jobs since the machine started, before this sampler did: its processes still live. It
// waits at most a few seconds; a key may not allow it.
func (h *hearing) recall(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	js, err := jetstream.New(h.nc)
	if err != nil {
		return err
	}
	_, boot := now()
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
			h.hear(msg.Subject(), msg.Headers(), msg.Data())
		}
		if batch.Error() != nil || n == 0 {
			return batch.Error()
		}
	}
}

// catchUp waits, for a second at most, until all is heard that was said before.
func (h *hearing) catchUp() {
	if h.nc != nil {
		_ = h.nc.FlushTimeout(time.Second) // without an answer nothing more will be heard
	}
}

// take takes in what conductors have said.
func (h *hearing) take() {
	for {
		select {
		case msg := <-h.heard:
			h.hear(msg.Subject, msg.Header, msg.Data)
		default:
			return
		}
	}
}

// hear takes in a message of a conductor. One that cannot be read is the projector's to put aside.
func (h *hearing) hear(subject string, header nats.Header, data []byte) {
	m, err := schema.DecodeOf(subject, header.Get(schema.HeaderType), header.Get(schema.HeaderEncoding), data)
	if err != nil {
		h.log.Warn("a message of a job cannot be read", "subject", subject, "err", err)
		return
	}
	if m.Instance == h.self {
		return
	}
	if m.BootID != "" && m.BootID != h.bootID { // its pids are of another boot
		for i := range m.Jobs {
			m.Jobs[i].PID = schema.Opt[int64]{}
		}
	}
	_, boot := now()
	for i := range m.Jobs {
		h.jobs.said(&m.Jobs[i], cmp.Or(m.Boot, boot))
	}
}

// TellJob publishes one event of a job on a host, and waits until the log has it.
func TellJob(ctx context.Context, nc *nats.Conn, host string, e *schema.JobEvent) error {
	fs := procfs.New("")
	boot, err := fs.BootID()
	if err != nil {
		return err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	_, now := now()
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
