package projector_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/projector"
	"github.com/proctape/proctape/projector/retention"
	"github.com/proctape/proctape/schema"
)

// logOf is a log of n snapshots, stored one after the other, and the time at which the log stored each.
func logOf(t *testing.T, n int) (js jetstream.JetStream, stored []time.Time) {
	t.Helper()
	a, err := embeddednats.Attach(t.Context(), embeddednats.Config{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)}, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	if js, err = jetstream.New(a.Conn); err != nil {
		t.Fatal(err)
	}
	if err := embeddednats.Declare(t.Context(), js, schema.Streams(schema.Policy{}, 1), true); err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), schema.StreamSnapshots)
	if err != nil {
		t.Fatal(err)
	}
	instance := schema.NewInstance()
	for i := range n {
		msg := nats.NewMsg("")
		msg.Subject, msg.Data, err = schema.EncodeMsg(&schema.Message{Envelope: schema.Envelope{Version: schema.Version, Kind: schema.KindSnapshot, Host: "alpha",
			BootID: "boot-1", Instance: instance, Seq: uint64(i + 1), Produced: uint64(i + 1), Wall: int64(1.7e18) + int64(i)*1e9, Boot: int64(i+1) * 1e9},
			Snapshot: &schema.Snapshot{PressureLevel: "none"}}, msg.Header)
		if err != nil {
			t.Fatal(err)
		}
		ack, err := js.PublishMsg(t.Context(), msg)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := stream.GetMsg(t.Context(), ack.Sequence)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, raw.Time)
	}
	return js, stored
}

func TestReplay_APartOfTheLog(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	js, stored := logOf(t, 5)
	for name, c := range map[string]struct {
		cfg  projector.ReplayConfig
		want uint64
	}{
		"all of it":           {projector.ReplayConfig{}, 5},
		"from a time":         {projector.ReplayConfig{From: stored[1]}, 4},
		"until a time":        {projector.ReplayConfig{Until: stored[3]}, 3},
		"between two times":   {projector.ReplayConfig{From: stored[1], Until: stored[3]}, 2},
		"until a sequence":    {projector.ReplayConfig{UntilSequence: map[string]uint64{schema.StreamSnapshots: 2}}, 2},
		"a time with nothing": {projector.ReplayConfig{Until: stored[0]}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var last projector.ReplayProgress
			c.cfg.DB, c.cfg.Log = filepath.Join(t.TempDir(), "new.db"), slog.New(slog.DiscardHandler)
			c.cfg.Progress = func(p projector.ReplayProgress) { last = p }
			got, err := projector.Replay(t.Context(), js, c.cfg)
			if err != nil {
				t.Fatal(err)
			}
			if got.Snapshots != c.want {
				t.Errorf("got %d snapshots, want %d", got.Snapshots, c.want)
			}
			if name == "all of it" && last != (projector.ReplayProgress{Projected: 5, All: 5}) {
				t.Errorf("got %+v at the end, want 5 of 5", last)
			}
		})
	}
}

func TestReplay_RefusesWhatIsNotNew(t *testing.T) {
	js, _ := logOf(t, 2)
	cfg := projector.ReplayConfig{DB: filepath.Join(t.TempDir(), "new.db"), Log: slog.New(slog.DiscardHandler)}
	if _, err := projector.Replay(t.Context(), js, cfg); err != nil {
		t.Fatal(err)
	}
	if _, err := projector.Replay(t.Context(), js, cfg); !errors.Is(err, projector.ErrNotFresh) {
		t.Errorf("got %v, want ErrNotFresh", err)
	}
}

func TestAsk_NeedsAWriter(t *testing.T) {
	js, _ := logOf(t, 1)
	path := filepath.Join(t.TempDir(), "new.db")
	if _, err := projector.Replay(t.Context(), js, projector.ReplayConfig{DB: path, Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	if _, err := retention.Ask(t.Context(), js, path); !errors.Is(err, retention.ErrNobodyWrites) {
		t.Errorf("got %v, want ErrNobodyWrites", err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := retention.Ask(ended, js, path); !errors.Is(err, context.Canceled) || errors.Is(err, retention.ErrPassGoesOn) {
		t.Errorf("got %v, want the context's error alone", err)
	}
}
