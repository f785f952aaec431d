package web

import (
	"context"
	"net/http"
	"time"
)

// sendEvent writes one event; with the id, when it is the last one of its message.
func (c *client) sendEvent(e picked, last bool) error {
	if !last {
		return c.write("event: " + e.name + "\ndata: " + string(e.data) + "\n\n")
	}
	return c.send(e.name, e.data)
}

// send writes an event with the client's place, or a comment when it has no name, and sends it off.
func (c *client) send(name string, data []byte) error {
	text := ": \n\n"
	if name != "" {
		text = "id: " + c.place.String() + "\nevent: " + name + "\ndata: " + string(data) + "\n\n"
	}
	if err := c.write(text); err != nil {
		return err
	}
	return c.control.Flush()
}

// write writes text. A client that takes nothing for half a minute is let go: it comes back with its last id.
func (c *client) write(text string) error {
	if err := c.control.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return err
	}
	_, err := c.w.Write([]byte(text))
	return err
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
}

// heartbeat is how often a stream says that it lives, so that a client notices a connection that is dead.
const heartbeat = 15 * time.Second
