package mcp

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// answering is a transport whose input ends only when all questions that came are answered: who pipes questions in, and has no more,
// still waits for the answers.
type answering struct{ sdk.Transport }

// Connect implements [sdk.Transport].
func (t answering) Connect(ctx context.Context) (sdk.Connection, error) {
	c, err := t.Transport.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &questions{Connection: c, closed: make(chan struct{})}, nil
}

// questions is a connection that counts the questions that are not answered yet.
type questions struct {
	sdk.Connection
	closed    chan struct{}
	closeOnce sync.Once

	mu       sync.Mutex
	open     int
	answered chan struct{} // is closed when none is open; nil while nobody waits
}

// Read implements [sdk.Connection].
func (q *questions) Read(ctx context.Context) (jsonrpc.Message, error) {
	m, err := q.Connection.Read(ctx)
	if r, is := m.(*jsonrpc.Request); is && r.IsCall() {
		q.mu.Lock()
		q.open++
		q.mu.Unlock()
	}
	if errors.Is(err, io.EOF) {
		select {
		case <-q.allAnswered():
		case <-q.closed:
		case <-ctx.Done():
		}
	}
	return m, err
}

// allAnswered is closed once no question is open.
func (q *questions) allAnswered() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.answered = make(chan struct{})
	if q.open == 0 {
		close(q.answered)
	}
	return q.answered
}

// Write implements [sdk.Connection].
func (q *questions) Write(ctx context.Context, m jsonrpc.Message) error {
	err := q.Connection.Write(ctx, m)
	if _, is := m.(*jsonrpc.Response); is {
		q.mu.Lock()
		defer q.mu.Unlock()
		if q.open--; q.open == 0 && q.answered != nil {
			close(q.answered)
		}
	}
	return err
}

// Close implements [sdk.Connection].
func (q *questions) Close() error {
	q.closeOnce.Do(func() { close(q.closed) })
	return q.Connection.Close()
}
