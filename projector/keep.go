package projector

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/projector/episodes"
	"github.com/proctape/proctape/projector/runs"
	"github.com/proctape/proctape/schema"
)

// keeper brings to the log what a database knows and the log does not.
type keeper struct {
	what  string // "the records of runs", as its lines name it
	every time.Duration
	// open makes what looks, once, for what is new and publishes it.
	open func(js jetstream.JetStream, read *sql.DB, db database) func(context.Context) error
}

// keepersOf run beside each session of a recorder's database.
func keepersOf(cfg Config) []keeper {
	return []keeper{
		{"the records of runs", runs.LookInterval, func(js jetstream.JetStream, read *sql.DB, db database) func(context.Context) error {
			return runs.New(js, read, db).Look
		}},
		{"anomalies", episodes.LookInterval, func(js jetstream.JetStream, read *sql.DB, db database) func(context.Context) error {
			return episodes.New(js, read, db, cfg.Log).Look
		}},
	}
}

// beside has the keeper look beside a session, until ctx ends. What cannot be published is tried again.
func (k keeper) beside(cfg Config, js jetstream.JetStream) func(context.Context, *session) error {
	return func(ctx context.Context, s *session) error {
		read, err := sql.Open("sqlite", schema.LimitCache(schema.ReaderDSN(cfg.DB), cfg.Memory.Reader))
		if err != nil {
			return fmt.Errorf("open database %s: %w", cfg.DB, err)
		}
		defer read.Close()
		read.SetMaxOpenConns(1)
		db := database{s}
		if err := db.CatchUp(ctx); err != nil {
			return nil // ctx ended, or the log is away: the next session begins anew
		}
		look := k.open(js, read, db)
		for failed := false; ; {
			failed = k.note(ctx, cfg.Log, failed, look(ctx))
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(k.every):
			}
		}
	}
}

// note says that something cannot be published, when that begins and when it ends. It returns whether it cannot.
func (k keeper) note(ctx context.Context, log *slog.Logger, failed bool, err error) bool {
	switch {
	case ctx.Err() != nil, (err != nil) == failed:
	case err != nil:
		log.Warn(k.what+" cannot be published; they are tried again", "err", err)
	default:
		log.Info(k.what + " are published again")
	}
	return err != nil
}
