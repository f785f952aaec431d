// Package retention takes away what is too old: it puts rollups in the place of snapshots, deletes rows, trims the log
// by what all its databases have, and gives space back.
//
// A pass runs at each tick of a schedule on the log. It reads the database on a connection of its own and has the
// projector write, in short pieces ([Database]). Every step can be cut off anywhere: the next pass goes on.
package retention

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/trouble"
)

// Config sets up retention for one database.
type Config struct {
	Path     string // of the database
	Settings Settings
	JS       jetstream.JetStream
	Log      *slog.Logger
	Trouble  *trouble.Reporter // is told of trouble; default one that reports to Log
	Cache    int64             // bytes of pages that each reading connection keeps; 0 for the default of readers
}

// Retention makes passes over one database.
type Retention struct {
	cfg      Config
	db       Database
	read     *sql.DB
	clocks   func() (Reading, error)
	troubles *hostTroubles
	failed   int  // times in a row that it could not follow the ticks, or make a pass
	inPass   bool // the last time in a pass
}

// Pass is one run of retention.
type Pass struct {
	Started, Finished time.Time
	Asked             string // schedule or command
	Removed           schema.Removed
}

// Open opens the database for reading. The caller closes the retention.
func Open(cfg Config, db Database) (*Retention, error) {
	read, err := sql.Open("sqlite", schema.LimitCache(schema.ReaderDSN(cfg.Path), cfg.Cache))
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", cfg.Path, err)
	}
	read.SetMaxOpenConns(2)
	cfg.Settings = cfg.Settings.withDefaults()
	if cfg.Trouble == nil {
		cfg.Trouble = trouble.NewReporter(cfg.Log)
	}
	r := &Retention{cfg: cfg, db: db, read: read, clocks: cfg.Settings.Clocks, troubles: newHostTroubles(cfg.Log)}
	if r.clocks == nil {
		r.clocks = readClocks
	}
	return r, nil
}

// Close closes the reading connections.
func (r *Retention) Close() error { return r.read.Close() }

// Run makes a pass at every tick of the log's schedule, until ctx ends. A pass that fails is logged and repeated at the
// next tick: nothing of it needs to be whole.
func (r *Retention) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := r.follow(ctx); err != nil && ctx.Err() == nil {
			// Mostly it is the log that is away, of which the projector tells.
			if r.failed++; r.failed > 1 || r.inPass {
				r.cfg.Trouble.Begin(reporting, trouble.Trouble{Kind: trouble.Retention, About: r.cfg.Path, Reason: err.Error()})
			}
			select {
			case <-ctx.Done():
			case <-time.After(5 * time.Second):
			}
		}
	}
	return nil
}

// follow makes a pass for every tick.
func (r *Retention) follow(ctx context.Context) error {
	ticks, err := openTicks(ctx, r.cfg.JS, r.db.ID(), r.cfg.Path, r.cfg.Settings.Interval)
	if err != nil {
		return err
	}
	if !r.inPass {
		r.works()
	}
	for {
		msg, err := nextTick(ctx, ticks)
		if err != nil || msg == nil {
			return err
		}
		asked := msg.Headers().Get(schema.HeaderAsked)
		if asked == "" {
			asked = "schedule"
		}
		_, err = r.pass(ctx, asked, atMostEvery(aliveInterval, msg.InProgress))
		if r.inPass = err != nil; err != nil {
			return err
		}
		r.works()
		if err := msg.Ack(); err != nil {
			return fmt.Errorf("acknowledge the tick: %w", err)
		}
	}
}

// works notes that retention works.
func (r *Retention) works() {
	r.failed = 0
	r.cfg.Trouble.End(reporting, trouble.Retention, r.cfg.Path, "nothing lost: what is too old went later")
}

// Pass makes one pass now, and notes in the database who asked for it.
func (r *Retention) Pass(ctx context.Context, asked string) (Pass, error) {
	return r.pass(ctx, asked, func() error { return nil })
}

func (r *Retention) pass(ctx context.Context, asked string, alive func() error) (Pass, error) {
	began := time.Now()
	p := r.newPass(alive)
	err := takeAway(ctx, p)
	if ctx.Err() != nil {
		return Pass{}, ctx.Err()
	}
	p.troubles.endPass()
	text := ""
	if err != nil {
		text = err.Error()
	}
	done := Pass{Started: began, Finished: time.Now(), Asked: asked, Removed: p.removed}
	noted := p.writer.write(ctx, func(tx *store.Tx) error { return notePass(tx, done, text) })
	return done, errors.Join(err, noted)
}

func (r *Retention) newPass(alive func() error) *pass {
	p := &pass{js: r.cfg.JS, log: r.cfg.Log, trouble: r.cfg.Trouble, settings: r.cfg.Settings, limits: limitsOf(r.cfg.Settings.Policy), read: r.read,
		writer: &writer{db: r.db, alive: alive}, clocks: r.clocks, troubles: r.troubles}
	if r.db != nil {
		p.databaseID = r.db.ID()
	}
	return p
}

// notePass stores what a pass did. The newest 1000 are kept.
func notePass(tx *store.Tx, p Pass, failure string) error {
	removed, _ := json.Marshal(p.Removed) // numbers always encode
	if _, err := tx.Exec(`INSERT INTO retention_passes(started, finished, asked, removed, error) VALUES (?,?,?,?,?)`,
		schema.Timestamp(p.Started.UnixNano()), schema.Timestamp(p.Finished.UnixNano()), p.Asked, string(removed), failure); err != nil {
		return err
	}
	_, err := tx.Exec(`DELETE FROM retention_passes WHERE id <= (SELECT max(id) FROM retention_passes) - 1000`)
	return err
}

// Plan counts what a pass over a database would take away now, and changes nothing. Without a log (JS is nil), it leaves
// out what would be trimmed there.
func Plan(ctx context.Context, cfg Config) (schema.Removed, error) {
	r, err := Open(cfg, nil)
	if err != nil {
		return schema.Removed{}, err
	}
	defer r.Close()
	var id string
	if err := r.read.QueryRowContext(ctx, `SELECT value FROM meta WHERE key = 'database_id'`).Scan(&id); err != nil {
		return schema.Removed{}, fmt.Errorf("read the database's id: %w", err)
	}
	return r.plan(ctx, id)
}

// plan counts what a pass would take away from the database with an id.
func (r *Retention) plan(ctx context.Context, id string) (schema.Removed, error) {
	p := r.newPass(nil)
	p.databaseID, p.writer.dry = id, true
	err := takeAway(ctx, p)
	return p.removed, err
}
