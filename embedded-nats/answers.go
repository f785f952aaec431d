package embeddednats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/schema"
)

// subjectDisconnect is where the server is asked to close a host's connections. None but an admin may publish there.
const subjectDisconnect = "proctape.keys.disconnect"

// answers is the part of the server that answers hosts: what a host's key may not read in the log, the server reads for it.
// One goroutine answers, one request after the other.
type answers struct {
	nc         *nats.Conn
	disconnect func(host string) error
	js         jetstream.JetStream
	requests   chan *nats.Msg
	stop       context.CancelFunc
	done       sync.WaitGroup
}

// maxRequests is how many requests may wait. The client drops more, and who asked asks again.
const maxRequests = 4096

// Bounds of one answer.
const (
	pageMessages = 500
	pageBytes    = 1 << 20 // passed by the last message at most
	answerTime   = 10 * time.Second
)

// startAnswers begins to answer on an admin's connection. state says how the process is; nil for no answer to that. The caller
// calls close, which closes the connection too.
func startAnswers(nc *nats.Conn, disconnect func(host string) error, state func() []byte) (*answers, error) {
	a := &answers{nc: nc, disconnect: disconnect, requests: make(chan *nats.Msg, maxRequests)}
	var err error
	if a.js, err = jetstream.New(nc); err != nil {
		nc.Close()
		return nil, err
	}
	for _, subject := range []string{schema.BacklogSubject("*"), schema.SamplerSubject("*"), subjectDisconnect} {
		if _, err := nc.ChanSubscribe(subject, a.requests); err != nil {
			nc.Close()
			return nil, fmt.Errorf("subscribe to %s: %w", subject, err)
		}
	}
	if state != nil { // at once, whatever others wait for
		if _, err := nc.Subscribe(schema.SubjectState, func(msg *nats.Msg) { _ = msg.Respond(state()) }); err != nil {
			nc.Close()
			return nil, fmt.Errorf("subscribe to %s: %w", schema.SubjectState, err)
		}
	}
	if err := nc.Flush(); err != nil { // the server knows of the subscriptions now
		nc.Close()
		return nil, fmt.Errorf("subscribe to what hosts ask: %w", err)
	}
	var ctx context.Context
	ctx, a.stop = context.WithCancel(context.Background())
	a.done.Go(func() { a.run(ctx) })
	return a, nil
}

func (a *answers) close() {
	a.stop()
	a.done.Wait()
	a.nc.Close()
}

func (a *answers) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case msg := <-a.requests:
			asked, cancel := context.WithTimeout(ctx, answerTime)
			answer := a.answer(asked, msg)
			cancel()
			_ = msg.Respond(answer) // without an answer the request ends at its deadline
		}
	}
}

// answer is what goes back. An error goes back too: whoever asked can do something about it.
func (a *answers) answer(ctx context.Context, msg *nats.Msg) []byte {
	if msg.Subject == subjectDisconnect {
		if err := a.disconnect(string(msg.Data)); err != nil {
			return []byte(err.Error())
		}
		return nil
	}
	host, what, err := schema.ParseSubject(msg.Subject)
	var answer any
	switch {
	case err != nil:
		return nil
	case strings.HasSuffix(string(what), ".jobs"):
		page, err := a.backlog(ctx, host, msg.Data)
		if err != nil {
			page = schema.BacklogPage{Error: err.Error()}
		}
		answer = page
	default:
		state, err := a.sampler(ctx, host)
		if err != nil {
			state = schema.SamplerState{Error: err.Error()}
		}
		answer = state
	}
	b, _ := json.Marshal(answer) // texts, numbers and bytes always encode
	return b
}

// backlog reads a page of a host's job events, or of the fleet's, which any host may hear.
func (a *answers) backlog(ctx context.Context, host string, request []byte) (schema.BacklogPage, error) {
	var asked schema.BacklogRequest
	var page schema.BacklogPage
	if err := json.Unmarshal(request, &asked); err != nil {
		return page, fmt.Errorf("the request is no JSON: %w", err)
	}
	if page.Host = host; asked.Fleet {
		page.Host = schema.Fleet
	}
	stream, err := a.js.Stream(ctx, schema.StreamEvents)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return page, nil
	} else if err != nil {
		return page, fmt.Errorf("read stream %s: %w", schema.StreamEvents, err)
	}
	if asked.From == 0 {
		if asked.From, err = schema.SequenceAt(ctx, stream, asked.Since); err != nil {
			return page, fmt.Errorf("find where to read: %w", err)
		}
	}
	for size := 0; len(page.Messages) < pageMessages && size < pageBytes; {
		msg, err := stream.GetMsg(ctx, asked.From, jetstream.WithGetMsgSubject(schema.Subject(page.Host, schema.KindJob)))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return page, nil
		} else if err != nil {
			return page, fmt.Errorf("read job events: %w", err)
		}
		if asked.From = msg.Sequence + 1; len(msg.Data) > pageBytes { // no page has room for it, and no job event is as large
			continue
		}
		size += len(msg.Data)
		page.Messages = append(page.Messages, schema.BacklogMessage{Type: msg.Header.Get(schema.HeaderType),
			Encoding: msg.Header.Get(schema.HeaderEncoding), Payload: msg.Data})
	}
	page.Next = asked.From
	return page, nil
}

// sampler reads what the newest snapshot of a host says of its sampler.
func (a *answers) sampler(ctx context.Context, host string) (schema.SamplerState, error) {
	stream, err := a.js.Stream(ctx, schema.StreamSnapshots)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return schema.SamplerState{}, nil
	} else if err != nil {
		return schema.SamplerState{}, fmt.Errorf("read stream %s: %w", schema.StreamSnapshots, err)
	}
	msg, err := stream.GetLastMsgForSubject(ctx, schema.Subject(host, schema.KindSnapshot))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return schema.SamplerState{}, nil
	} else if err != nil {
		return schema.SamplerState{}, fmt.Errorf("read the newest snapshot of %s: %w", host, err)
	}
	m, err := schema.DecodeMsg(msg.Subject, msg.Header, msg.Data)
	if err != nil {
		return schema.SamplerState{}, nil // somebody publishes there, and it is no sampler
	}
	return schema.SamplerStateOf(m.Snapshot, msg.Time), nil
}
