package jobs

import (
	"context"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/schema"
)

// JobMessage is the message that tells of one event of a job on a host, without what looks like a secret in its texts. Each is of a
// producer of its own.
func JobMessage(host string, e *schema.JobEvent) *schema.Message {
	fs := procfs.New("")
	defer fs.Close()
	bootID, _ := fs.BootID() // without the kernel's, the one that the sampler makes too
	_, boot := procfs.ReadClocks()
	return &schema.Message{Envelope: schema.Envelope{Version: schema.Version, Kind: schema.KindJob, Host: host, BootID: bootID,
		Instance: schema.NewInstance(), Seq: 1, Wall: e.Wall, Boot: boot, Produced: 1}, Jobs: []schema.JobEvent{*scrubEvent(e)}}
}

// PublishJobEvent publishes one event of a job on a host as [JobMessage] tells it, and waits until the log has it.
func PublishJobEvent(ctx context.Context, nc *nats.Conn, host string, e *schema.JobEvent) error {
	return PublishJobMessage(ctx, nc, JobMessage(host, e))
}

// PublishJobMessage publishes a [JobMessage], and waits until the log has it. The log takes it once, however often it is published.
func PublishJobMessage(ctx context.Context, nc *nats.Conn, m *schema.Message) error {
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	payload, encoding, err := schema.Encode(nil, m)
	if err != nil {
		return err
	}
	msg := nats.NewMsg(schema.Subject(m.Host, schema.KindJob))
	msg.Data = payload
	msg.Header.Set(nats.MsgIdHdr, m.ID())
	if encoding != "" {
		msg.Header.Set(schema.HeaderEncoding, encoding)
	}
	_, err = js.PublishMsg(ctx, msg)
	return err
}
