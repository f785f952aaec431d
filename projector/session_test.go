package projector

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/schema"
)

// A server that does not answer in time is no reason to begin anew; one that says that a stream is gone is.
func TestSession_Check(t *testing.T) {
	w := newWorld(t)
	p, err := Open(t.Context(), w.js, Config{DB: filepath.Join(t.TempDir(), "m.db"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	if _, err := w.nc.Subscribe("BUSY.>", func(*nats.Msg) {}); err != nil {
		t.Fatal(err)
	}
	if p.first.streams.js, err = jetstream.NewWithAPIPrefix(w.nc, "BUSY"); err != nil {
		t.Fatal(err)
	}
	if err := p.first.check(t.Context()); err != nil {
		t.Errorf("the server is busy: got %v, want no error", err)
	}
	p.first.streams.js = w.js
	if err := p.first.check(t.Context()); err != nil {
		t.Errorf("all is well: got %v, want no error", err)
	}
	if err := w.js.DeleteStream(t.Context(), schema.StreamEvents); err != nil {
		t.Fatal(err)
	}
	if err := p.first.check(t.Context()); err == nil || !strings.Contains(err.Error(), schema.StreamEvents) {
		t.Errorf("a stream is gone: got %v, want an error that names it", err)
	}
}
