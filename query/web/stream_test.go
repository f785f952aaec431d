package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/schema"
)

// commandOf is what an event of the world says.
func commandOf(t testing.TB, e told) string {
	t.Helper()
	var v struct{ Command string }
	check(t, json.Unmarshal(e.data, &v))
	return v.Command
}

// A client that is cut off again and again, and a server that is started again and again, tell each event once.
func TestStream_EachEventOnce(t *testing.T) {
	w := newWorld(t, 30)
	s := w.serve(0)
	port := s.port()
	var got []string
	last := ""
	const all = 60
	next := 30
	for round := 0; len(got) < all; round++ {
		if next < all { // some more come meanwhile
			for range 5 {
				w.spawn(next)
				next++
			}
		}
		left := 3 + round%5
		path := "/api/v1/stream?kinds=event&since=0"
		if err := s.follow(t.Context(), path, last, func(e told) bool {
			got, last = append(got, commandOf(t, e)), e.id
			left--
			return left > 0 && len(got) < all
		}); err != nil {
			t.Fatal(err)
		}
		if round%4 == 3 {
			s.stop()
			s = w.serve(port)
		}
	}
	for i, command := range got {
		if command != fmt.Sprintf("made %d", i) {
			t.Fatalf("event %d is %q", i, command)
		}
	}
	// The control: without the id of the last event the stream begins anew.
	first := ""
	check(t, s.follow(t.Context(), "/api/v1/stream?kinds=event&since=0", "", func(e told) bool { first = commandOf(t, e); return false }))
	if first != "made 0" {
		t.Errorf("a new client gets %q first", first)
	}
}

// Readers that take nothing hold nobody up, and each of the others is told everything.
func TestStream_FrozenReaders(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	w := newWorld(t, 1)
	s := w.serve(0)
	for range 10 { // they ask, and read nothing
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		check(t, err)
		defer conn.Close()
		fmt.Fprintf(conn, "GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n", token)
	}
	const readers, events = 20, 200
	var joined, done sync.WaitGroup
	for range readers {
		joined.Add(1)
		done.Go(func() {
			n, begun := 0, false
			if err := s.follow(t.Context(), "/api/v1/stream?kinds=event&since=0", "", func(e told) bool {
				if !begun {
					begun = true
					joined.Done()
				}
				n++
				return n <= events
			}); err != nil || n != events+1 {
				t.Errorf("a reader got %d events: %v", n, err)
			}
		})
	}
	joined.Wait()
	for i := range events {
		w.spawn(1 + i)
	}
	done.Wait()
}

// Whoever asks for what the log no longer has is told how much that was.
func TestStream_SaysWhatItMissed(t *testing.T) {
	w := newWorld(t, 10)
	s := w.serve(0)
	stream, err := w.js.Stream(t.Context(), schema.StreamEvents)
	check(t, err)
	check(t, stream.Purge(t.Context(), jetstream.WithPurgeSequence(8)))
	var got []told
	check(t, s.follow(t.Context(), "/api/v1/stream?kinds=event", "e2", func(e told) bool { got = append(got, e); return len(got) < 4 }))
	if got[0].name != "missed" || string(got[0].data) != `{"messages":5}` || commandOf(t, got[1]) != "made 7" || commandOf(t, got[3]) != "made 9" {
		t.Errorf("got %+v", got)
	}
	// The control: who is not behind misses nothing.
	check(t, s.follow(t.Context(), "/api/v1/stream?kinds=event", "e7", func(e told) bool { got = append(got, e); return false }))
	if last := got[len(got)-1]; last.name != "event" {
		t.Errorf("got %+v", last)
	}
}

// A stream of both kinds goes on in both behind its last event.
func TestStream_TwoStreamsOnePlace(t *testing.T) {
	w := newWorld(t, 20)
	s := w.serve(0)
	counts, last := map[string]int{}, ""
	for n := 0; n < 40; {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		left := 7
		check(t, s.follow(ctx, "/api/v1/stream?since=0", last, func(e told) bool {
			counts[e.name]++
			last = e.id
			n++
			left--
			return left > 0 && n < 40
		}))
		cancel()
	}
	if counts["snapshot"] != 20 || counts["event"] != 20 {
		t.Errorf("got %v", counts)
	}
}
