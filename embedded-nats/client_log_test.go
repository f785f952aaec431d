package embeddednats_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"

	embeddednats "github.com/proctape/proctape/embedded-nats"
)

// lockedLines is a log that several goroutines write.
type lockedLines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// The lines of the real server about a client have the form by which they are counted.
func TestLog_OneClientsLines(t *testing.T) {
	var said lockedLines
	s := start(t, embeddednats.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", Log: slog.New(slog.NewTextHandler(&said, nil))})
	defer closeServer(t, s)
	for range 30 { // nobody is let in without a key
		if nc, err := nats.Connect(s.URL()); err == nil {
			nc.Close()
			t.Fatal("a client without a key is let in")
		}
	}
	if n := strings.Count(said.String(), "cid:"); n == 0 || n > 5 {
		t.Errorf("the server said %d lines of one client, want some, and at most 5:\n%s", n, said.String())
	}
}
