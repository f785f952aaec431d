// Package runs gives runs of jobs their numbers, and publishes what is known of each as a record that outlives the rest
// (docs/adr/0024-run-records.md).
package runs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/schema"
)

// Config sets up a [Keeper] for one database.
type Config struct {
	Path string // of the database
	JS   jetstream.JetStream
	Log  *slog.Logger
	// SomeHosts says that the database has not all hosts of the log: what the fleet's jobs used is then for another to tell.
	SomeHosts bool
	Cache     int64 // bytes of pages that the reading connection keeps; 0 for the default of readers
}

// Keeper publishes a record of a run when it becomes known, which gives it its number, and another when it has ended. One goroutine uses it.
type Keeper struct {
	cfg    Config
	db     Database
	tables tables
	to     publisher
	due    map[key]bool // runs of which something is to be told
	failed bool         // the last time
}

// lookInterval is how often the keeper looks for what was told of runs. What it finds it publishes the next time: what a run tells
// at its end comes in several messages.
const lookInterval = 2 * time.Second

// Open opens the database for reading. The caller closes the keeper.
func Open(cfg Config, db Database) (*Keeper, error) {
	read, err := sql.Open("sqlite", schema.LimitCache(schema.ReaderDSN(cfg.Path), cfg.Cache))
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", cfg.Path, err)
	}
	read.SetMaxOpenConns(1)
	k := &Keeper{cfg: cfg, db: db, tables: tables{db: read, someHosts: cfg.SomeHosts}, due: map[key]bool{}}
	k.to = publisher{js: cfg.JS, db: db, tables: &k.tables}
	return k, nil
}

// Close closes the reading connection.
func (k *Keeper) Close() error { return k.tables.db.Close() }

// Run publishes records until ctx ends. What cannot be published is tried again.
func (k *Keeper) Run(ctx context.Context) error {
	if err := k.db.CatchUp(ctx); err != nil {
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

// note says that records cannot be published, when that begins and when it ends.
func (k *Keeper) note(ctx context.Context, err error) {
	switch {
	case ctx.Err() != nil, (err != nil) == k.failed:
	case err != nil:
		k.failed = true
		k.cfg.Log.Warn("the records of runs cannot be published; they are tried again", "err", err)
	default:
		k.failed = false
		k.cfg.Log.Info("the records of runs are published again")
	}
}

// Look publishes the records of the runs that it found the last time, and finds those of which something was told since.
func (k *Keeper) Look(ctx context.Context) error {
	due := k.due
	found, err := k.tables.changed(ctx)
	if err != nil {
		return err
	}
	k.due = found
	var failed []error
	for host, keys := range byHost(due) {
		if err := k.to.publish(ctx, host, keys); err != nil {
			failed = append(failed, fmt.Errorf("host %s: %w", host, err))
			for _, run := range keys { // again the next time
				k.due[run] = true
			}
		}
	}
	return errors.Join(failed...)
}

// byHost sorts runs by the host of their subject.
func byHost(runs map[key]bool) map[string][]key {
	hosts := map[string][]key{}
	for run := range runs {
		hosts[run.host] = append(hosts[run.host], run)
	}
	return hosts
}
