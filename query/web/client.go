package web

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// sendEvent writes one event; with the id, when it is the last one of its message.
func (c *client) sendEvent(e picked, last bool) error {
	if !last {
		return c.write("event: "+e.name+"\ndata: ", e.data)
	}
	return c.send(e.name, e.data)
}

// send writes an event with the client's place, or a comment when it has no name, and sends it off.
func (c *client) send(name string, data []byte) error {
	before := ": "
	if name != "" {
		before = "id: " + c.place.String() + "\nevent: " + name + "\ndata: "
	}
	if err := c.write(before, data); err != nil {
		return err
	}
	return c.control.Flush()
}

// write writes an event: what stands before its data, which all clients share and nobody copies, and its end. A client that takes nothing for
// half a minute is let go: it comes back with its last id.
func (c *client) write(before string, data []byte) error {
	if _, turn := c.token.now(); turn != c.turn {
		return errOldToken
	}
	if err := c.control.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return err
	}
	for _, part := range [][]byte{[]byte(before), data, []byte("\n\n")} {
		if _, err := c.w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// wait waits until one of the streams has more, and says meanwhile that the stream lives. It returns an error when the client
// has gone or the server ends.
func (c *client) wait(ctx context.Context, wake [2]<-chan struct{}) error {
	timer := time.NewTimer(heartbeat)
	defer timer.Stop()
	select {
	case <-wake[0]:
	case <-wake[1]:
	case <-timer.C:
		return c.send("", nil)
	case <-ctx.Done():
		return ctx.Err()
	case <-c.log.follows.ctx.Done():
		return http.ErrServerClosed
	}
	return nil
}

// client is one who follows.
type client struct {
	w       http.ResponseWriter
	control *http.ResponseController
	*question
	log   *Server
	begun bool // the header is written

	token *keptToken
	turn  uint64 // of the token that it came with
}

// errOldToken ends a stream whose client came with a token that was replaced.
var errOldToken = errors.New("there is a new token")

// client is the client of a request that is to be told something. Its token may have been replaced since it was let in.
func (s *Server) client(w http.ResponseWriter, r *http.Request, q *question) *client {
	_, turn := s.token.now()
	if !s.token.isOf(r) {
		turn--
	}
	return &client{w: w, control: http.NewResponseController(w), question: q, log: s, token: s.token, turn: turn}
}

// heartbeat is how often a stream says that it lives, so that a client notices a connection that is dead.
const heartbeat = 15 * time.Second
