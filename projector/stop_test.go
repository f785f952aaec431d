package projector

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// notices closes said when a line that has a text is written.
type notices struct {
	text string
	once sync.Once
	said chan struct{}
}

func (n *notices) Write(b []byte) (int, error) {
	if strings.Contains(string(b), n.text) {
		n.once.Do(func() { close(n.said) })
	}
	return len(b), nil
}

// A projector that is stopped while it waits for its log ends well: the next start goes on.
func TestRun_StoppedInTrouble(t *testing.T) {
	w := newWorld(t)
	lines := &notices{text: "the log is not projected", said: make(chan struct{})}
	p, err := Open(t.Context(), w.js, Config{DB: filepath.Join(w.dir, "stopped.db"), Log: slog.New(slog.NewTextHandler(lines, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	w.nc.Close()
	<-lines.said
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("it ends with %v", err)
	}
}
