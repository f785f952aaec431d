package producer

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/schema"
)

// maxHeard is how many messages of conductors may wait; more are dropped by the client, and said.
const maxHeard = 1024

// listen begins to hear what conductors say of the jobs of this host.
func (p *Producer) listen() (stop func(), err error) {
	p.heard = make(chan *nats.Msg, maxHeard)
	sub, err := p.nc.ChanSubscribe(schema.Subject(p.cfg.Host, schema.KindJob), p.heard)
	if err != nil {
		return nil, fmt.Errorf("listen for jobs: %w", err)
	}
	return func() { _ = sub.Unsubscribe() }, nil // the connection may be gone
}

// recall reads what was said of jobs since the machine started, before this sampler did: its processes still live. It
// waits at most a few seconds; a key may not allow it.
func (p *Producer) recall(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	js, err := jetstream.New(p.nc)
	if err != nil {
		return err
	}
	_, boot := now()
	from := time.Now().Add(-time.Duration(boot))
	consumer, err := js.OrderedConsumer(ctx, schema.StreamEvents, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{schema.Subject(p.cfg.Host, schema.KindJob)}, DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &from})
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
			p.hear(msg.Subject(), msg.Headers(), msg.Data())
		}
		if batch.Error() != nil || n == 0 {
			return batch.Error()
		}
	}
}

// hearJobs takes in what conductors have said.
func (p *Producer) hearJobs() {
	for {
		select {
		case msg := <-p.heard:
			p.hear(msg.Subject, msg.Header, msg.Data)
		default:
			return
		}
	}
}

// hear takes in a message of a conductor. One that cannot be read is the projector's to put aside.
func (p *Producer) hear(subject string, header nats.Header, data []byte) {
	m, err := schema.DecodeOf(subject, header.Get(schema.HeaderType), header.Get(schema.HeaderEncoding), data)
	if err != nil {
		p.cfg.Log.Warn("a message of a job cannot be read", "subject", subject, "err", err)
		return
	}
	if m.BootID != "" && m.BootID != p.bootID { // its pids are of another boot
		for i := range m.Jobs {
			m.Jobs[i].PID = schema.Opt[int64]{}
		}
	}
	for i := range m.Jobs {
		p.watcher.jobs.said(&m.Jobs[i], m.Boot)
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
