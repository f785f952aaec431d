package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/query/live"
	"github.com/proctape/proctape/schema"
)

// paramsOfStream are the parameters of the stream.
var paramsOfStream = slices.Concat(ofProcesses, ofEnds, []param{paramHost, paramTypes, paramStates, moment("since", "begin with what the log has from this time on; when it is left out, with what comes now", func(q *question, t float64) { q.from = &t }),
	words("kinds", "only these events", []string{"snapshot", "event", "exec", "gap"}, func(q *question, w []string) { q.kinds = w }),
	{"last_event_id", "go on behind the event with this id, as the header Last-Event-ID says it", ofText, nil, func(q *question, s string) (err error) {
		q.place, err = parsePlace(s)
		return err
	}}})

// stream answers with what happens, as Server-Sent Events, until the client goes: first what the log has, then what comes.
func (s *Server) stream(w http.ResponseWriter, r *http.Request) {
	q := s.question()
	err := read(q, r.URL.Query(), paramsOfStream)
	if id := r.Header.Get("Last-Event-ID"); err == nil && id != "" {
		if q.place, err = parsePlace(id); err != nil {
			err = badParameter("Last-Event-ID", err.Error(), "give back the id of the last event")
		}
	}
	if err == nil && s.follows == nil {
		err = &Problem{Title: "nothing to follow", Status: http.StatusNotFound, Detail: "this server has a database and no log", Hint: "ask the recorder's own server"}
	}
	if err == nil {
		err = checkHost(r.Context(), s.cfg.DB, q.Host)
	}
	if err != nil {
		refuse(w, s.problemOf(r, err))
		return
	}
	c := s.client(w, r, q)
	if err := c.follow(r.Context()); err != nil && r.Context().Err() == nil && !c.begun {
		refuse(w, s.problemOf(r, err))
	}
}

// follow tells the client what happens until it goes, or the server ends.
func (c *client) follow(ctx context.Context) error {
	followed := c.followed()
	for _, f := range followed {
		leave, err := f.join(ctx)
		if err != nil {
			return err
		}
		defer leave()
	}
	if err := c.begin(ctx, followed); err != nil {
		return err
	}
	for {
		var wake [2]<-chan struct{} // of a stream that is not followed nil, which never wakes
		for i, f := range followed {
			var err error
			if wake[i], err = c.tell(ctx, f); err != nil {
				return err
			}
		}
		if err := c.wait(ctx, wake); err != nil {
			return err
		}
	}
}

// followed are the streams that have what the client asks for.
func (c *client) followed() []*follow {
	var list []*follow
	for _, l := range letters {
		of := map[bool][]string{true: {"snapshot"}, false: {"event", "exec", "gap"}}[l.stream == schema.StreamSnapshots]
		if len(c.kinds) == 0 || slices.ContainsFunc(c.kinds, func(k string) bool { return slices.Contains(of, k) }) {
			list = append(list, c.log.follows.byName[l.stream])
		}
	}
	return list
}

// begin finds where the client begins in each stream, says what it missed, and writes the header.
func (c *client) begin(ctx context.Context, followed []*follow) error {
	given := c.place
	c.place = place{}
	missed := uint64(0)
	for _, f := range followed {
		stream, err := c.log.cfg.Log.Stream(ctx, f.stream)
		if err != nil {
			return err
		}
		at, lost, err := beginning(ctx, stream, given, c.from)
		if err != nil {
			return err
		}
		c.place[f.stream] = at
		missed += lost
	}
	h := c.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	c.begun = true
	if missed > 0 {
		return c.send("missed", fmt.Appendf(nil, `{"messages":%d}`, missed))
	}
	return c.send("", nil)
}

// beginning is the sequence behind which a client begins in a stream, and how many messages it asked for that the log no
// longer has.
func beginning(ctx context.Context, stream jetstream.Stream, given place, since *float64) (at, missed uint64, err error) {
	state := stream.CachedInfo().State
	n, ok := given[stream.CachedInfo().Config.Name]
	switch {
	case ok && n > state.LastSeq: // the stream was made anew
		return max(state.FirstSeq, 1) - 1, 0, nil
	case ok && n+1 < state.FirstSeq:
		return state.FirstSeq - 1, state.FirstSeq - 1 - n, nil
	case ok:
		return n, 0, nil
	case since != nil:
		first, err := schema.SequenceAt(ctx, stream, time.Unix(0, int64(*since*1e9)))
		return max(first, 1) - 1, 0, err
	}
	return state.LastSeq, 0, nil
}

// tell tells the client what is new in a stream. The channel that it returns is closed when there is more.
func (c *client) tell(ctx context.Context, f *follow) (<-chan struct{}, error) {
	for {
		frames, kept, base, changed, err := f.after(c.place[f.stream])
		switch {
		case err != nil:
			return nil, err
		case !kept:
			if err := c.catchUp(ctx, f, base); err != nil {
				return nil, err
			}
			continue
		}
		for _, made := range frames {
			if err := c.frame(f, made); err != nil {
				return nil, err
			}
		}
		return changed, nil
	}
}

// errCaughtUp ends the reading of the log by one client.
var errCaughtUp = errors.New("caught up")

// catchUp tells the client what the log has up to a sequence, from where on it is kept for all. It gets message by message: many clients may be
// behind that take nothing, and what is read ahead would wait for each of them.
func (c *client) catchUp(ctx context.Context, f *follow, base uint64) error {
	err := live.FollowRaw(ctx, c.log.cfg.Log, live.Filter{Stream: f.stream, From: c.place[f.stream] + 1, Direct: true}, func(m *live.Message) error {
		if m.Sequence > base {
			return errCaughtUp
		}
		err := c.frame(f, newFrame(m, f.skipped))
		if err == nil && m.Sequence == base {
			err = errCaughtUp
		}
		return err
	})
	if errors.Is(err, errCaughtUp) {
		c.place[f.stream] = max(c.place[f.stream], base)
		return nil
	}
	if err == nil {
		err = ctx.Err()
	}
	return err
}

// frame tells the client of one message.
func (c *client) frame(f *follow, made *frame) error {
	c.place[f.stream] = made.Sequence
	wanted, err := c.pick(made)
	if err != nil {
		return err
	}
	for i, e := range wanted {
		// The id says that all of the message has come: only its last event has it.
		if err := c.sendEvent(e, i == len(wanted)-1); err != nil {
			return err
		}
	}
	return nil
}
