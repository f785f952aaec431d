package remote

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"
)

// Event is one event of a stream.
type Event struct {
	Name string // snapshot, event, exec, gap or missed
	Data []byte // JSON
}

// The waits before a stream that broke off is asked for again.
const (
	firstWait = 200 * time.Millisecond
	mostWait  = 10 * time.Second
)

// mostEvent is how many bytes a line of a stream has at most.
const mostEvent = 256 << 20

// Follow calls each for every event of the stream, until ctx ends, which is no error, or each returns an error. A stream that breaks off is
// asked for again behind the last event that each took, without a gap or a double.
func (c *Client) Follow(ctx context.Context, params url.Values, each func(Event) error) error {
	last, wait := "", firstWait
	for {
		header := http.Header{}
		if last != "" {
			header.Set("Last-Event-ID", last)
		}
		answer, err := c.ask(ctx, "stream", params, header)
		if err == nil {
			before := last
			err = read(answer, &last, each)
			if last != before {
				wait = firstWait
			}
		}
		var lost *UnreachableError
		switch {
		case ctx.Err() != nil:
			return nil
		case !errors.As(err, &lost) || last == "" && wait == firstWait && answer == nil: // it never answered
			return err
		}
		select {
		case <-time.After(wait):
			wait = min(2*wait, mostWait)
		case <-ctx.Done():
			return nil
		}
	}
}

// read reads events until the stream ends. Last becomes the id of the last event that each took whole.
func read(answer *http.Response, last *string, each func(Event) error) error {
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(make([]byte, 64<<10), mostEvent)
	id, e := "", Event{}
	for lines.Scan() {
		key, value, _ := bytes.Cut(lines.Bytes(), []byte(": "))
		switch string(key) {
		case "id":
			id = string(value)
		case "event":
			e.Name = string(value)
		case "data":
			e.Data = bytes.Clone(value)
		case "":
			if e.Name != "" {
				if err := each(e); err != nil {
					return err
				}
				if id != "" {
					*last = id
				}
			}
			id, e = "", Event{}
		}
	}
	err := lines.Err()
	if err == nil {
		err = errors.New("the stream ended")
	}
	return &UnreachableError{answer.Request.URL.Host, err}
}
