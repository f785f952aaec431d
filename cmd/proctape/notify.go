package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/proctape/proctape/projector/notify"
)

// notifyFlags says who is told of anomalies.
type notifyFlags struct {
	file   string
	config *notify.Config // nil for nobody

	notifier atomic.Pointer[notify.Notifier] // nil until it runs
}

func (f *notifyFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.file, "notify", "", "YAML `file` that says who is told of anomalies, and how (docs/notify.md)")
}

// read reads the file, and the secrets that it names.
func (f *notifyFlags) read() (err error) {
	if f.file == "" {
		return nil
	}
	if f.config, err = notify.ReadConfig(f.file); err != nil {
		return hinted(misuse("--notify: %w", err), "docs/notify.md has an example")
	}
	return nil
}

// stages tells receivers of the anomalies of the log.
func (f *notifyFlags) stages(s *settings, js jetstream.JetStream, w *working) ([]stage, error) {
	if f.config == nil {
		return nil, nil
	}
	const longestTry = time.Minute
	n, err := notify.Open(notify.Settings{DB: s.db, Config: f.config, Beat: w.watched.part("the notices", longestTry), Log: w.log, Trouble: w.trouble})
	if err != nil {
		return nil, hinted(fmt.Errorf("--notify: %w", err), "move %s away to begin anew: what waits in it is not told then", notify.StatePath(s.db))
	}
	f.notifier.Store(n)
	return []stage{{"notices", func(ctx context.Context) error { return n.Run(ctx, js) }}}, nil
}

// reload reads the file and its secrets again. A file with a mistake changes nothing.
func (f *notifyFlags) reload() (did string, err error) {
	n := f.notifier.Load()
	if n == nil {
		return "", nil
	}
	c, err := notify.ReadConfig(f.file)
	if err != nil {
		return "", fmt.Errorf("notify (%w)", err)
	}
	n.Reload(c)
	return "who is told of anomalies", nil
}
