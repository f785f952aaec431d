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
	// Write writes between two batches.
	Write(ctx context.Context, do func(*store.Tx) error) error
}

// Keeper publishes what was found, and deletes it once the log has told it back. One goroutine uses it.
type Keeper struct {
	js     jetstream.JetStream
	log    *slog.Logger
	to     Database
	tables tables
	sent   map[string]sent // by episode
}

// sent is what was published of an episode.
type sent struct {
	revision uint64
	at       time.Time
}

// LookInterval is how often a keeper should look for what was found.
const LookInterval = time.Second

// sendAgain is when the keeper publishes again what has not come back.
const sendAgain = time.Minute

// New makes a keeper that reads the database by a connection of its own, and tells log of what it drops.
func New(js jetstream.JetStream, read *sql.DB, db Database, log *slog.Logger) *Keeper {
	return &Keeper{js: js, log: log, to: db, tables: tables{read}, sent: map[string]sent{}}
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
		k.log.Error("an episode that was found cannot be read; it is dropped", "episode", f.Episode, "err", err)
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
	if _, err = k.js.PublishMsg(ctx, msg); err != nil {
		return false, fmt.Errorf("publish episode %s: %w", m.Instance, err)
	}
	k.sent[f.Episode] = sent{f.Revision, time.Now()}
	return false, nil
}
