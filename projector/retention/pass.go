package retention

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/schema"
)

// pass is one run of retention under way.
type pass struct {
	js         jetstream.JetStream // nil: the log is not looked at
	log        *slog.Logger
	databaseID string
	settings   Settings
	limits     limits
	read       *sql.DB
	writer     *writer
	clocks     func() (Reading, error)

	ages    ages
	removed schema.Removed
}

func (r *Retention) newPass(alive func() error) *pass {
	p := &pass{js: r.cfg.JS, log: r.cfg.Log, settings: r.cfg.Settings, limits: limitsOf(r.cfg.Settings.Policy), read: r.read,
		writer: &writer{db: r.db, alive: alive}, clocks: r.clocks}
	if r.db != nil {
		p.databaseID = r.db.ID()
	}
	return p
}

// run takes away what is too old, step by step: what leaves full resolution is rolled up, the rollups are folded, and
// only then it goes; the log is trimmed by what all its databases have.
func (p *pass) run(ctx context.Context) error {
	if err := (&hosts{p}).readAges(ctx); err != nil {
		return err
	}
	if err := p.writer.catchUp(ctx); err != nil {
		return err
	}
	condenser, expirer := &condenser{p}, &expirer{p}
	space, trimmer := &space{p, condenser, expirer}, &trimmer{p}
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"roll up snapshots", condenser.run},
		{"delete events", expirer.expireEvents},
		{"delete rollups", expirer.expireRollups},
		{"delete processes and jobs", expirer.expireAggregates},
		{"keep below the cap", space.enforceMaxBytes},
		{"trim the log", trimmer.run},
		{"give back space", space.vacuum},
	} {
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return nil
}
