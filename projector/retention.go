package projector

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/schema"
)

// Retention says how long a database keeps what it holds. The zero value of each field works.
type Retention struct {
	Policy   schema.Policy
	Interval time.Duration // between passes; default 10 minutes, at least a second
	MaxBytes int64         // of the database file; beyond it the oldest goes before its time. 0 for no cap
	// Away is how long a database that stands still keeps the log from being trimmed; default as long as the policy
	// keeps the stream.
	Away time.Duration
}

func (r Retention) withDefaults() Retention {
	r.Policy = r.Policy.WithDefaults()
	r.Interval = max(cmp.Or(r.Interval, 10*time.Minute), time.Second)
	return r
}

// Removed counts what a pass took away, and the rollups that it made of it.
type Removed struct {
	Rollups     int64 `json:"rollups_made"`
	Snapshots   int64 `json:"snapshots"`
	Samples     int64 `json:"samples"`
	Events      int64 `json:"events"`
	JobEvents   int64 `json:"job_events"`
	Gaps        int64 `json:"gaps"`
	Quarantined int64 `json:"quarantined"`
	Minutes     int64 `json:"rollups"`
	Processes   int64 `json:"processes"`
	Jobs        int64 `json:"jobs"`
	Messages    int64 `json:"messages"` // of the log
	Bytes       int64 `json:"bytes"`    // of the database file, given back
	LeftBehind  int64 `json:"databases_left_behind"`
}

// Pass is one run of retention.
type Pass struct {
	Started, Finished time.Time
	Asked             string // schedule or command
	Removed           Removed
}

// retention makes passes over one database. It reads on a connection of its own, and hands what it writes to the
// session in pieces, between two batches of the fold.
type retention struct {
	s      *session // nil for a dry run
	js     jetstream.JetStream
	log    *slog.Logger
	id     string // the database's
	cfg    Retention
	limits limits
	db     *sql.DB
	now    func() (reading, error)
	alive  func() error // tells the server that the tick is being worked on
	dry    bool         // count only
	// simulated says that now is made up, and what the server says of times has nothing to do with it.
	simulated bool

	ages    ages
	removed Removed
}

func newRetention(js jetstream.JetStream, cfg Config) (*retention, error) {
	db, err := sql.Open("sqlite", schema.ReaderDSN(cfg.DB))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(2)
	settings := cmp.Or(cfg.Retention, new(Retention)).withDefaults()
	r := &retention{js: js, log: cfg.Log, cfg: settings, limits: limitsOf(settings.Policy), db: db, now: cfg.now, simulated: cfg.now != nil,
		alive: func() error { return nil }}
	if r.now == nil {
		r.now = readClocks
	}
	return r, nil
}

// Retain makes one pass over a database that no projector writes, having folded what the log has for it.
func Retain(ctx context.Context, js jetstream.JetStream, cfg Config) (Pass, error) {
	cfg.Retention = cmp.Or(cfg.Retention, new(Retention))
	p, err := Open(ctx, js, cfg)
	if err != nil {
		return Pass{}, err
	}
	var done Pass
	var failed error
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	p.onePass = func(pass Pass, err error) {
		done, failed = pass, err
		stop()
	}
	err = p.Run(ctx)
	return done, errors.Join(failed, err)
}

// PlanRetention counts what a pass over a database would take away now, and changes nothing. Without a log, it leaves
// out what would be trimmed there.
func PlanRetention(ctx context.Context, js jetstream.JetStream, cfg Config) (Removed, error) {
	cfg.Log = cmp.Or(cfg.Log, slog.Default())
	r, err := newRetention(js, cfg)
	if err != nil {
		return Removed{}, err
	}
	defer r.db.Close()
	r.dry = true
	if err := r.db.QueryRowContext(ctx, `SELECT value FROM meta WHERE key = 'database_id'`).Scan(&r.id); err != nil {
		return Removed{}, fmt.Errorf("read the database's id: %w", err)
	}
	err = r.steps(ctx)
	return r.removed, err
}

// retain makes a pass at every tick of the log's schedule, until ctx ends. A pass that fails is said and made again at
// the next tick: nothing of it needs to be whole.
func (s *session) retain(ctx context.Context) error {
	r, err := newRetention(s.p.js, s.p.cfg)
	if err != nil {
		return err
	}
	defer r.db.Close()
	r.s, r.id = s, s.fold.db.id
	if s.p.onePass != nil {
		pass, err := r.pass(ctx, "command")
		s.p.onePass(pass, err)
		return nil
	}
	for ctx.Err() == nil {
		if err := r.follow(ctx); err != nil && ctx.Err() == nil {
			s.p.cfg.Log.Warn("retention waits", "err", err)
			select {
			case <-ctx.Done():
			case <-time.After(5 * time.Second):
			}
		}
	}
	return nil
}

// follow makes a pass for every tick.
func (r *retention) follow(ctx context.Context) error {
	ticks, err := r.s.ticks(ctx, r.cfg.Interval)
	if err != nil {
		return err
	}
	for {
		msg, err := nextTick(ctx, ticks)
		if err != nil || msg == nil {
			return err
		}
		r.alive = everyTenSeconds(msg.InProgress)
		asked := cmp.Or(msg.Headers().Get(schema.HeaderAsked), "schedule")
		if _, err := r.pass(ctx, asked); err != nil {
			return err
		}
		if err := msg.Ack(); err != nil {
			return fmt.Errorf("acknowledge the tick: %w", err)
		}
	}
}

// nextTick waits for a tick. There is none when ctx has ended.
func nextTick(ctx context.Context, ticks jetstream.Consumer) (jetstream.Msg, error) {
	for ctx.Err() == nil {
		waiting, cancel := context.WithTimeout(ctx, 30*time.Second)
		msg, err := ticks.Next(jetstream.FetchContext(waiting))
		cancel()
		switch {
		case err == nil:
			return msg, nil
		case !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, nats.ErrTimeout) && !errors.Is(err, jetstream.ErrNoMessages) && ctx.Err() == nil:
			return nil, err
		}
	}
	return nil, nil
}

// everyTenSeconds calls f at most so often.
func everyTenSeconds(f func() error) func() error {
	last := time.Now()
	return func() error {
		if time.Since(last) < 10*time.Second {
			return nil
		}
		last = time.Now()
		return f()
	}
}

// pass takes away what is too old, step by step: what leaves full resolution is rolled up, the rollups are folded, and
// only then it goes; the log is trimmed by what all its databases have.
func (r *retention) pass(ctx context.Context, asked string) (Pass, error) {
	began := time.Now()
	r.removed = Removed{}
	err := r.steps(ctx)
	if ctx.Err() != nil {
		return Pass{}, ctx.Err()
	}
	text := ""
	if err != nil {
		text = err.Error()
	}
	removed, _ := json.Marshal(r.removed) // numbers always encode
	noted := r.write(ctx, func(f *fold) error {
		if _, err := f.db.exec(`INSERT INTO retention_passes(started, finished, asked, removed, error) VALUES (?,?,?,?,?)`,
			schema.Timestamp(began.UnixNano()), schema.Timestamp(time.Now().UnixNano()), asked, string(removed), text); err != nil {
			return err
		}
		_, err := f.db.exec(`DELETE FROM retention_passes WHERE id <= (SELECT max(id) FROM retention_passes) - 1000`)
		return err
	})
	return Pass{Started: began, Finished: time.Now(), Asked: asked, Removed: r.removed}, errors.Join(err, noted)
}

func (r *retention) steps(ctx context.Context) error {
	if err := r.readAges(ctx); err != nil {
		return err
	}
	if err := r.waitFolded(ctx, nil); err != nil {
		return err
	}
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"roll up snapshots", r.expireSnapshots},
		{"delete events", r.expireEvents},
		{"delete rollups", r.expireRollups},
		{"delete processes and jobs", r.expireAggregates},
		{"keep below the cap", r.cap},
		{"trim the log", r.trim},
		{"give back space", r.vacuum},
	} {
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return nil
}

// each passes every row of a query to scan.
func each(ctx context.Context, db *sql.DB, query string, scan func(*sql.Rows) error, args ...any) error {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// waitFolded waits until the database has folded each stream up to a sequence; without any, as far as the streams are
// now.
func (r *retention) waitFolded(ctx context.Context, until map[string]uint64) error {
	if r.dry {
		return nil
	}
	if until == nil {
		var err error
		if until, err = r.s.ends(ctx); err != nil {
			return err
		}
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		behind := false
		for name, pos := range r.s.p.Positions() {
			behind = behind || pos.Folded < until[name]
		}
		if !behind {
			return nil
		}
		if err := r.alive(); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
