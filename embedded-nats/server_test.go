package embeddednats_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/lockfile"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

func start(t *testing.T, cfg embeddednats.Config) *embeddednats.Server {
	t.Helper()
	s, err := embeddednats.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func closeServer(t *testing.T, s *embeddednats.Server) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

func stream(t *testing.T, nc *nats.Conn) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if err := embeddednats.Declare(t.Context(), js, schema.Streams(schema.Policy{}, 1), true); err != nil {
		t.Fatal(err)
	}
	return js
}

func TestServer_KeepsWhatWasAcked(t *testing.T) {
	dir := t.TempDir()
	s := start(t, embeddednats.Config{Dir: dir})
	nc, err := s.Connect()
	if err != nil {
		t.Fatal(err)
	}
	js := stream(t, nc)
	if _, err := js.Publish(t.Context(), schema.Subject("h", schema.KindSnapshot), []byte("kept")); err != nil {
		t.Fatal(err)
	}
	nc.Close()
	closeServer(t, s)

	s = start(t, embeddednats.Config{Dir: dir})
	defer closeServer(t, s)
	nc, err = s.Connect()
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js = stream(t, nc)
	st, err := js.Stream(t.Context(), schema.StreamSnapshots)
	if err != nil {
		t.Fatal(err)
	}
	msg, err := st.GetMsg(t.Context(), 1)
	if err != nil || string(msg.Data) != "kept" {
		t.Fatalf("got %v, %v, want the message that was acknowledged", msg, err)
	}
}

func TestServer_OneStoreOneServer(t *testing.T) {
	dir := t.TempDir()
	s := start(t, embeddednats.Config{Dir: dir})
	defer closeServer(t, s)
	_, err := embeddednats.Start(t.Context(), embeddednats.Config{Dir: dir})
	var held *lockfile.HeldError
	if !errors.As(err, &held) || held.PID != os.Getpid() {
		t.Fatalf("got %v, want a HeldError that names this process", err)
	}
}

func TestServer_StartErrorIsReturned(t *testing.T) {
	dir := t.TempDir()
	// A file where the store's folder belongs.
	if err := os.WriteFile(filepath.Join(dir, "jetstream"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	_, err := embeddednats.Start(ctx, embeddednats.Config{Dir: dir})
	if err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "not a directory") {
		t.Fatalf("got %v, want the reason, at once", err)
	}
}

func TestServer_SocketIsForTheOwnerAlone(t *testing.T) {
	dir := t.TempDir()
	s := start(t, embeddednats.Config{Dir: dir})
	defer closeServer(t, s)
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && path != dir && !strings.HasPrefix(path, filepath.Join(dir, "jetstream")+"/") && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v: others can reach it", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	key, err := embeddednats.LoadKey(filepath.Join(embeddednats.KeysDir(dir), "admin.nk"))
	if err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect("", append(key.Options(), nats.InProcessServer(embeddednats.Socket(embeddednats.SocketPath(dir))))...)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	stream(t, nc)
}

func TestServer_ListensOnlyWhenAsked(t *testing.T) {
	s := start(t, embeddednats.Config{Dir: t.TempDir()})
	if s.URL() != "" {
		t.Errorf("it listens on %s", s.URL())
	}
	closeServer(t, s)

	dir := t.TempDir()
	s = start(t, embeddednats.Config{Dir: dir, Listen: "127.0.0.1:0"})
	defer closeServer(t, s)
	if _, err := nats.Connect(s.URL()); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("without a key: got %v, want %v", err, nats.ErrAuthorization)
	}

	nc, err := nats.Connect(s.URL(), addHost(t, dir, "h1").Options()...)
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
}

func TestServer_RefusesToListenInTheClear(t *testing.T) {
	for addr, want := range map[string]string{
		"0.0.0.0:4222":   "certificate",
		"192.0.2.1:4222": "certificate",
		":4222":          "certificate",
		"localhost":      "want host:port",
		"127.0.0.1:x":    "is no port",
	} {
		_, err := embeddednats.Start(t.Context(), embeddednats.Config{Dir: t.TempDir(), Listen: addr})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("listen on %s: got %v, want an error that says %q", addr, err, want)
		}
	}
}

func TestServer_CloseEndsSocketConnections(t *testing.T) {
	dir := t.TempDir()
	s := start(t, embeddednats.Config{Dir: dir})
	c, err := net.Dial("unix", embeddednats.SocketPath(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Read(make([]byte, 1)); err != nil { // the server's greeting
		t.Fatal(err)
	}
	closeServer(t, s) // goleak sees a goroutine that stays
}

// quiet keeps what the server says of the attacks that tests make out of their output.
var quiet = slog.New(slog.DiscardHandler)
