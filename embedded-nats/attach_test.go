package embeddednats_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	embeddednats "github.com/proctape/proctape/embedded-nats"
)

func TestAttach_WithoutALog(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	cfg := embeddednats.Config{Dir: dir}
	if _, err := embeddednats.Attach(t.Context(), cfg, false); !errors.Is(err, embeddednats.ErrNoLog) {
		t.Errorf("got %v, want ErrNoLog", err)
	}
	if _, err := embeddednats.Connect(dir, embeddednats.RoleReader); !errors.Is(err, embeddednats.ErrNotRunning) {
		t.Errorf("got %v, want ErrNotRunning", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it made the folder (%v)", err)
	}
	a, err := embeddednats.Attach(t.Context(), cfg, true)
	if err != nil {
		t.Fatal(err)
	}
	if a.Server == nil || !embeddednats.HasLog(dir) {
		t.Error("it made no log when asked to")
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

// The log is the same at rest and while it runs; who attached to a running server does not end it.
func TestAttach_AtRestAndRunning(t *testing.T) {
	dir := t.TempDir()
	cfg := embeddednats.Config{Dir: dir}
	s := start(t, cfg)
	running, err := embeddednats.Attach(t.Context(), cfg, false)
	if err != nil {
		t.Fatal(err)
	}
	if running.Server != nil {
		t.Error("it started a second server")
	}
	if _, err := stream(t, running.Conn).Publish(t.Context(), "proctape.v1.alpha.event.spawn", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := running.Close(); err != nil {
		t.Error(err)
	}
	if _, still := embeddednats.Owner(dir); !still {
		t.Error("the server ended with the attachment")
	}
	closeServer(t, s)

	atRest, err := embeddednats.Attach(t.Context(), cfg, false)
	if err != nil {
		t.Fatal(err)
	}
	events, err := stream(t, atRest.Conn).Stream(t.Context(), "PROCTAPE_EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	if n := events.CachedInfo().State.Msgs; n != 1 {
		t.Errorf("got %d messages, want 1", n)
	}
	if err := atRest.Close(); err != nil {
		t.Error(err)
	}
	if _, still := embeddednats.Owner(dir); still {
		t.Error("the server outlived its attachment")
	}
}
