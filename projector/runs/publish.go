package runs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/schema"
)

// Database is the database whose runs are kept, in the hands of whoever writes it.
type Database interface {
	// WaitCommitted waits until the database has folded each stream up to a sequence.
	WaitCommitted(ctx context.Context, upTo map[string]uint64) error
}

// publisher publishes records of runs.
type publisher struct {
	js     jetstream.JetStream
	db     Database
	tables *tables
}

// publish publishes the records of runs of one host that are new. Each goes to the log only when nobody else has published one of the
// host meanwhile: so two databases never give one number twice.
func (p *publisher) publish(ctx context.Context, host string, keys []key) error {
	last, err := p.lastRecord(ctx, host)
	if err != nil {
		return err
	}
	if err := p.db.WaitCommitted(ctx, map[string]uint64{schema.StreamHistory: last}); err != nil {
		return err
	}
	var runs []*state
	for _, of := range keys {
		run, err := p.tables.stateOf(ctx, of)
		if err != nil {
			return fmt.Errorf("read run %s of job %q: %w", of.run, of.job, err)
		}
		if run != nil {
			runs = append(runs, run)
		}
	}
	slices.SortFunc(runs, func(a, b *state) int {
		return cmp.Or(cmp.Compare(a.now.Started, b.now.Started), slices.Compare(a.now.Run[:], b.now.Run[:]))
	})
	numbers := map[string]int64{}
	for _, run := range runs {
		if err := p.number(ctx, run, numbers); err != nil {
			return err
		}
		if m := run.message(); m != nil {
			if last, err = p.send(ctx, m, last); err != nil {
				return err
			}
		}
	}
	return nil
}

// lastRecord is the sequence of the newest record of a host; 0 for none.
func (p *publisher) lastRecord(ctx context.Context, host string) (uint64, error) {
	stream, err := p.js.Stream(ctx, schema.StreamHistory)
	if err != nil {
		return 0, err
	}
	msg, err := stream.GetLastMsgForSubject(ctx, schema.Subject(host, schema.KindRun))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return 0, nil
	} else if err != nil {
		return 0, err
	}
	return msg.Sequence, nil
}

// number gives a run that has none the next number of its job.
func (p *publisher) number(ctx context.Context, run *state, numbers map[string]int64) error {
	if run.now.Number > 0 {
		return nil
	}
	job := run.now.JobID
	if _, ok := numbers[job]; !ok {
		last, err := p.tables.lastNumber(ctx, run.key)
		if err != nil {
			return err
		}
		numbers[job] = last
	}
	numbers[job]++
	run.now.Number = numbers[job]
	return nil
}

// send publishes a record behind the last of its host, and returns its sequence.
func (p *publisher) send(ctx context.Context, m *schema.Message, last uint64) (uint64, error) {
	msg := nats.NewMsg("")
	var err error
	if msg.Subject, msg.Data, err = schema.EncodeMsg(m, msg.Header); err != nil {
		return last, fmt.Errorf("encode the record of run %s: %w", m.Run.Run, err)
	}
	ack, err := p.js.PublishMsg(ctx, msg, jetstream.WithExpectLastSequencePerSubject(last))
	if err != nil {
		return last, fmt.Errorf("publish the record of run %s: %w", m.Run.Run, err)
	}
	if ack.Duplicate {
		return last, nil
	}
	return ack.Sequence, nil
}
