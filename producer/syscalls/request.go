package syscalls

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/proctape/proctape/schema"
)

// traceSubject is where a sampler is asked to trace the system calls of a process of its host. A request holds the pid
// in decimal digits, and names one of the host's answer subjects; the answer is empty, or says why not. No stream keeps
// them.
func traceSubject(host string) string { return schema.ControlSubject(host, "trace") }

// AnswerRequests answers the requests for traces on a host. The caller calls stop, before it closes nc. It answers on no
// subject but the host's own answer subjects: a sampler's key may publish on no other that a request could name.
func (p *Profiler) AnswerRequests(nc *nats.Conn, host string) (stop func(), err error) {
	sub, err := nc.Subscribe(traceSubject(host), func(msg *nats.Msg) {
		if !strings.HasPrefix(msg.Reply, schema.AnswerSubject(host, "")) {
			return
		}
		answer := ""
		pid, err := strconv.Atoi(string(msg.Data))
		if err == nil {
			err = p.Request(pid)
		}
		if err != nil {
			answer = err.Error()
		}
		_ = nc.Publish(msg.Reply, []byte(answer)) // without an answer the request ends at its deadline
	})
	if err != nil {
		return nil, fmt.Errorf("subscribe to trace requests: %w", err)
	}
	return func() { _ = sub.Unsubscribe() }, nil
}

// ErrNoSampler is returned when no sampler of a host answers.
var ErrNoSampler = errors.New("no sampler of that host answers")

// RequestTrace asks the sampler of a host to trace the system calls of a process. It returns when the trace begins;
// the process's next sample has what came of it.
func RequestTrace(ctx context.Context, nc *nats.Conn, host string, pid int) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	answer := schema.AnswerSubject(host, rand.Text())
	sub, err := nc.SubscribeSync(answer)
	if err != nil {
		return fmt.Errorf("subscribe to the answer: %w", err)
	}
	defer func() { _ = sub.Unsubscribe() }() // the connection may be gone
	if err := nc.PublishRequest(traceSubject(host), answer, []byte(strconv.Itoa(pid))); err != nil {
		return err
	}
	msg, err := sub.NextMsgWithContext(ctx)
	switch {
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: %s", ErrNoSampler, host)
	case err != nil:
		return err
	case len(msg.Data) > 0:
		return errors.New(string(msg.Data))
	}
	return nil
}
