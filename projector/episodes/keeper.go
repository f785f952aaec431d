// Package episodes brings to the log what rules found: each episode once, however often the recorder is stopped, and however many databases find it
// (docs/adr/0030-rules.md).
package episodes

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

// Database is the database whose rules found the episodes, in the hands of whoever writes it.
type Database interface {
	// CatchUp waits until the database has folded what the streams hold now.
	CatchUp(ctx context.Context) error
	// Write writes between two batches.
	Write(ctx context.Context, do func(*store.Tx) error) error
}

// Config sets up a [Keeper] for one database.
type Config struct {
	Path  string // of the database
	JS    jetstream.JetStream
	Log   *slog.Logger
	Cache int64 // bytes of pages that the reading connection keeps; 0 for the default of readers
}

// Keeper publishes what was found, and deletes it once the log has told it back. One goroutine uses it.
type Keeper struct {
	cfg    Config
	to     Database
	tables tables
	sent   map[string]sent // by episode
	failed bool            // the last time
}

// sent is what was published of an episode.
type sent struct {
	revision uint64
	at       time.Time
}

// lookInterval is how often the keeper looks for what was found, and sendAgain when it publishes again what has not come back.
const (
	lookInterval = time.Second
	sendAgain    = time.Minute
)

// Open opens the database for reading. The caller closes the keeper.
func Open(cfg Config, db Database) (*Keeper, error) {
	read, err := sql.Open("sqlite", schema.LimitCache(schema.ReaderDSN(cfg.Path), cfg.Cache))
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", cfg.Path, err)
	}
	read.SetMaxOpenConns(1)
	return &Keeper{cfg: cfg, to: db, tables: tables{read}, sent: map[string]sent{}}, nil
}

// Close closes the reading connection.
func (k *Keeper) Close() error { return k.tables.db.Close() }

// Run publishes episodes until ctx ends. What cannot be published is tried again.
func (k *Keeper) Run(ctx context.Context) error {
	if err := k.to.CatchUp(ctx); err != nil {
		return nil // ctx ended, or the log is away: the next session begins anew
	}
	for {
		k.note(ctx, k.Look(ctx))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(lookInterval):
		}
	}
}

// note says that episodes cannot be published, when that begins and when it ends.
func (k *Keeper) note(ctx context.Context, err error) {
	switch {
	case ctx.Err() != nil, (err != nil) == k.failed:
	case err != nil:
		k.failed = true
		k.cfg.Log.Warn("anomalies cannot be published; they are tried again", "err", err)
	default:
		k.failed = false
		k.cfg.Log.Info("anomalies are published again")
	}
}

// Look publishes what was found, and deletes what the log has told back.
func (k *Keeper) Look(ctx context.Context) error {
	found, err := k.tables.found(ctx)
	if err != nil || len(found) == 0 {
		return err
	}
	var done []store.FoundAnomaly
	var failed []error
	for _, f := range found {
		told, err := k.tell(ctx, f)
		if told {
			done = append(done, f)
			delete(k.sent, f.Episode)
		}
		failed = append(failed, err)
	}
	if len(done) > 0 {
		failed = append(failed, k.to.Write(ctx, func(tx *store.Tx) error {
			for _, f := range done {
				if err := tx.DeleteFound(f.Episode, f.Revision); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	return errors.Join(failed...)
}

// tell publishes what was found of an episode, unless it is on its way, or the log has told it: then it reports true.
func (k *Keeper) tell(ctx context.Context, f store.FoundAnomaly) (told bool, err error) {
	m, err := schema.Msgpack.Decode(f.Message)
	if err != nil {
		k.cfg.Log.Error("an episode that was found cannot be read; it is dropped", "episode", f.Episode, "err", err)
		return true, nil
	}
	if m, err = k.tables.untold(ctx, f.HostID, m); err != nil || m == nil {
		return err == nil && m == nil, err
	}
	if s := k.sent[f.Episode]; m.Seq == 0 || s.revision >= f.Revision && time.Since(s.at) < sendAgain {
		return false, nil
	}
	msg := nats.NewMsg("")
	if msg.Subject, msg.Data, err = schema.EncodeMsg(m, msg.Header); err != nil {
		return false, fmt.Errorf("encode episode %s: %w", m.Instance, err)
	}
	if _, err = k.cfg.JS.PublishMsg(ctx, msg); err != nil {
		return false, fmt.Errorf("publish episode %s: %w", m.Instance, err)
	}
	k.sent[f.Episode] = sent{f.Revision, time.Now()}
	return false, nil
}
