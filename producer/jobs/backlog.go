package jobs

import (
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

// ReadBacklog applies the job events that the log stored since the machine started: the processes of before this program
// started still live. It waits a few seconds at most. The recorder reads the log for it; on a server without one, the key
// of the connection must allow to read stream EVENTS through a consumer.
func (s *Subscription) ReadBacklog(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, backlogTime)
	defer cancel()
	_, boot := procfs.ReadClocks()
	since := time.Now().Add(-time.Duration(boot))
	err := s.askBacklog(ctx, since)
	if errors.Is(err, nats.ErrNoResponders) {
		return s.consumeBacklog(ctx, since)
	}
	return err
}

// askBacklog has the recorder read the log, page by page.
func (s *Subscription) askBacklog(ctx context.Context, since time.Time) error {
	for asked := (schema.BacklogRequest{Since: since}); ; {
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
		for _, m := range page.Messages {
			s.apply(schema.Subject(s.cfg.Host, schema.KindJob), m.Type, m.Encoding, m.Payload)
		}
		if page.Next <= asked.From {
			return nil
		}
		asked.From = page.Next
	}
}

// consumeBacklog reads the log itself.
func (s *Subscription) consumeBacklog(ctx context.Context, since time.Time) error {
	js, err := jetstream.New(s.nc)
	if err != nil {
		return err
	}
	consumer, err := js.OrderedConsumer(ctx, schema.StreamEvents, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{schema.Subject(s.cfg.Host, schema.KindJob)},
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
