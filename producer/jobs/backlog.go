package jobs

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/schema"
)

// backlogTime is how long reading the backlog may take; the sampler does not sample meanwhile.
const backlogTime = 5 * time.Second

// ReadBacklog applies the job events of this host that the log stored since the machine started: the processes of before this
// program started still live. Of the fleet's it applies all that the log has, for other machines have run longer. It waits a
// few seconds at most. The recorder reads the log for it; on a server without one, the key
// of the connection must allow to read stream EVENTS through a consumer.
func (s *Subscription) ReadBacklog(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, backlogTime)
	defer cancel()
	_, boot := procfs.ReadClocks()
	since := time.Now().Add(-time.Duration(boot))
	err := s.askBacklog(ctx, s.cfg.Host, schema.BacklogRequest{Since: since})
	if errors.Is(err, nats.ErrNoResponders) {
		return cmp.Or(s.consumeBacklog(ctx, s.cfg.Host, since), s.consumeBacklog(ctx, schema.Fleet, time.Time{}))
	}
	return cmp.Or(err, s.askBacklog(ctx, schema.Fleet, schema.BacklogRequest{Fleet: true}))
}

// askBacklog has the recorder read the log, page by page, for the jobs of this host or of the fleet.
func (s *Subscription) askBacklog(ctx context.Context, of string, asked schema.BacklogRequest) error {
	for {
		request, err := json.Marshal(asked)
		if err != nil {
			return fmt.Errorf("ask the recorder for job events: %w", err)
		}
		msg, err := s.nc.RequestWithContext(ctx, schema.BacklogSubject(s.cfg.Host), request)
		if err != nil {
			return fmt.Errorf("ask the recorder for job events: %w", err)
		}
		var page schema.BacklogPage
		if err := json.Unmarshal(msg.Data, &page); err != nil {
			return fmt.Errorf("ask the recorder for job events: its answer is no JSON: %w", err)
		}
		if page.Error != "" {
			return fmt.Errorf("the recorder cannot read job events: %s", page.Error)
		}
		if asked.Fleet && page.Host != schema.Fleet {
			return errors.New("the recorder is of an earlier version, which knows no jobs of the fleet: bring it up to this one")
		}
		for _, m := range page.Messages {
			s.apply(schema.Subject(of, schema.KindJob), m.Type, m.Encoding, m.Payload)
		}
		if page.Next <= asked.From {
			return nil
		}
		asked.From = page.Next
	}
}

// consumeBacklog reads the log itself.
func (s *Subscription) consumeBacklog(ctx context.Context, of string, since time.Time) error {
	js, err := schema.JetStream(s.nc, s.cfg.Domain)
	if err != nil {
		return err
	}
	consumer, err := js.OrderedConsumer(ctx, schema.StreamEvents, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{schema.Subject(of, schema.KindJob)},
		DeliverPolicy:  jetstream.DeliverByStartTimePolicy, OptStartTime: &since})
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
			s.apply(msg.Subject(), msg.Headers().Get(schema.HeaderType), msg.Headers().Get(schema.HeaderEncoding), msg.Data())
		}
		if batch.Error() != nil || n == 0 {
			return batch.Error()
		}
	}
}
