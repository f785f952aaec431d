package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/projector"
	"github.com/proctape/proctape/projector/retention"
	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/live"
	"github.com/proctape/proctape/query/top"
	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/lockfile"
)

// checkFollow refuses what cannot be asked of a log that is followed from now on.
func (t *topFlags) checkFollow(cmd *cobra.Command, s *settings, screen bool) error {
	for _, name := range []string{"db", "url"} {
		if onLine(cmd, s, name) {
			return misuse("--server does not go with --%s: it is one recording or the other", name)
		}
	}
	if t.at != "" {
		return hinted(misuse("--server does not go with --at: what came before is not known here"), `a database has the past: "proctape project --server", or --url`)
	}
	if !screen && !(t.json && cmd.Flags().Changed("interval")) {
		return hinted(misuse("--server needs a terminal, or --json with --interval: what comes from now on is no list"), `follow it with "proctape tail", or make a database with "proctape project --server"`)
	}
	return nil
}

// follow shows what comes of the log that --server names: on the screen, or in frames.
func (t *topFlags) follow(cmd *cobra.Command, s *settings, f *query.Filter, at time.Time) error {
	screen := wantsScreen(cmd)
	if err := t.checkFollow(cmd, s, screen); err != nil {
		return err
	}
	since := time.Now()
	return withLog(cmd, s, t.host, func(ctx context.Context, db *query.DB) error {
		cmd.SetContext(ctx)
		if screen {
			return showTop(cmd, t, f, at, timestamp(since), top.NewDatabase(db, teller(db)))
		}
		return t.frames(cmd, db, query.TopQuery{Filter: *f, By: t.by, Sort: t.metric}, at)
	})
}

// keptOfLog is how much of a log that is followed is kept.
var keptOfLog = schema.Policy{FullResolution: time.Hour, Downsampled: time.Hour, Events: time.Hour, Runs: time.Hour, MaxLogBytes: 512 << 20}

// withLog follows the log that --server names into a database of its own, which f reads meanwhile. Its folder is this user's alone, and goes at the end.
// Nothing is made on the server: a reader's key is enough.
func withLog(cmd *cobra.Command, s *settings, host string, f func(context.Context, *query.DB) error) (err error) {
	nc, err := s.connect()
	if err != nil {
		return err
	}
	defer nc.Close()
	from, err := schema.JetStream(nc, s.domain)
	if err != nil {
		return err
	}
	dir, gone, err := ownFolder()
	if err != nil {
		return fmt.Errorf("keep what comes: %w", err)
	}
	defer func() { err = errors.Join(err, gone()) }()
	return withRefusals(cmd.Context(), nc, s.creds, func(ctx context.Context) error {
		if err := checkLogHost(ctx, from, host); err != nil {
			return err
		}
		own, err := embeddednats.Attach(ctx, embeddednats.Config{Dir: dir, Log: slog.New(slog.DiscardHandler)}, true)
		if err != nil {
			return fmt.Errorf("keep what comes: %w", err)
		}
		defer own.Close()
		to, err := jetstream.New(own.Conn)
		if err == nil {
			err = embeddednats.Declare(ctx, to, schema.Streams(keptOfLog, 1), true)
		}
		if err != nil {
			return fmt.Errorf("keep what comes: %w", err)
		}
		return followInto(ctx, from, to, dir, host, f)
	})
}

// ownFolder makes a folder that is this user's alone, and that gone removes. Those that a killed program left are removed too.
func ownFolder() (dir string, gone func() error, err error) {
	const held = "held.lock"
	left, err := filepath.Glob(filepath.Join(os.TempDir(), ownFolders+"*"))
	if err != nil {
		return "", nil, err
	}
	for _, path := range left {
		var st unix.Stat_t
		if unix.Lstat(path, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR || int(st.Uid) != os.Geteuid() || time.Since(time.Unix(st.Mtim.Unix())) < time.Minute {
			continue // another user's, or one that is just being made
		}
		if _, used := lockfile.Owner(filepath.Join(path, held)); !used {
			_ = os.RemoveAll(path) // the next one tries again
		}
	}
	if dir, err = os.MkdirTemp("", ownFolders); err != nil { // 0700
		return "", nil, err
	}
	lock, err := lockfile.Acquire(filepath.Join(dir, held))
	if err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	return dir, func() error { return errors.Join(os.RemoveAll(dir), lock.Release()) }, nil
}

// ownFolders is how the names of folders begin in which what comes is kept.
const ownFolders = "proctape-top-"

// followInto copies what comes of one log to another, projects that, and has f read the database.
func followInto(ctx context.Context, from, to jetstream.JetStream, dir, host string, f func(context.Context, *query.DB) error) error {
	path := filepath.Join(dir, "monitor.db")
	cfg := projector.Config{DB: path, Log: slog.New(slog.DiscardHandler), Drain: 2 * time.Second, Retention: &retention.Settings{Policy: keptOfLog, Interval: time.Minute}}
	p, err := projector.Open(ctx, to, cfg)
	if err != nil {
		return err
	}
	db, err := query.Open(ctx, path)
	if err != nil {
		return errors.Join(err, p.Close())
	}
	defer db.Close()
	copies := func(stream string) func(context.Context) error {
		return func(ctx context.Context) error {
			return copyLog(ctx, from, to, live.Filter{Stream: stream, Host: host, Direct: true})
		}
	}
	shown := func(ctx context.Context) error { return f(ctx, db) } // its end is that of all
	return runStages(ctx, stage{"projector", p.Run}, stage{"snapshots", copies(schema.StreamSnapshots)}, stage{"events", copies(schema.StreamEvents)}, stage{"screen", shown})
}

// copyLog copies what comes of a stream of a log to another log, until ctx ends. What cannot be read is left out, as it is by who tails the log.
func copyLog(ctx context.Context, from, to jetstream.JetStream, f live.Filter) error {
	return live.Follow(ctx, from, f, func(m *schema.Message, _ uint64) error {
		msg := nats.NewMsg("")
		var err error
		if msg.Subject, msg.Data, err = schema.EncodeMsg(m, msg.Header); err != nil {
			return err
		}
		if _, err = to.PublishMsg(ctx, msg); ctx.Err() != nil {
			return nil // whoever looked at it has gone
		}
		return err
	}, func(string, error) {})
}
