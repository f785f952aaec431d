package jobs

import (
	"context"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/schema"
)

// PublishJobEvent publishes one event of a job on a host, without what looks like a secret in its texts, and waits until
// the log has it. Each call publishes as a
// producer of its own.
func PublishJobEvent(ctx context.Context, nc *nats.Conn, host string, e *schema.JobEvent) error {
	fs := procfs.New("")
	defer fs.Close()
	bootID, _ := fs.BootID() // without the kernel's, the one that the sampler makes too
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	_, boot := procfs.ReadClocks()
	m := &schema.Message{Envelope: schema.Envelope{Version: schema.Version, Kind: schema.KindJob, Host: host, BootID: bootID,
		Instance: schema.NewInstance(), Seq: 1, Wall: e.Wall, Boot: boot, Produced: 1}, Jobs: []schema.JobEvent{*scrubEvent(e)}}
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
