package retention

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/lockfile"
)

// ErrNobodyWrites is returned by [Ask] when no projector writes the database, or when the one that did ends before the pass.
var ErrNobodyWrites = errors.New("nobody writes the database")

// ErrPassGoesOn is returned by [Ask], with the context's error, when its context ends after the pass was asked for.
var ErrPassGoesOn = errors.New("the pass goes on")

// AskedPass is a pass of retention that the projector of a database made.
type AskedPass struct {
	Pass
	Failure string // why the pass did not come to its end; empty when it did
}

// Ask has the projector that writes a database, in another process as a rule, make a pass of retention now, and waits until
// it has. All other databases of the log make one too. The policy is the projector's own. projector.Retain makes a pass over a
// database that nobody writes.
//
// Ask returns [ErrNobodyWrites] when nobody writes the database, and the error of ctx when that ends, together with
// [ErrPassGoesOn] when the pass had been asked for by then.
func Ask(ctx context.Context, js jetstream.JetStream, path string) (AskedPass, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return AskedPass{}, err
	}
	db, err := sql.Open("sqlite", schema.ReaderDSN(path))
	if err != nil {
		return AskedPass{}, err
	}
	defer db.Close()
	var id string
	if err := db.QueryRowContext(ctx, `SELECT value FROM meta WHERE key = 'database_id'`).Scan(&id); err != nil {
		return AskedPass{}, fmt.Errorf("read the database's id: %w", err)
	}
	// A projector that has just started does not hear the tick yet.
	if err := waitForWriter(ctx, path, func() (bool, error) { return IsScheduled(ctx, js, id) }); err != nil {
		return AskedPass{}, err
	}
	asked := time.Now()
	if err := Request(ctx, js); err != nil {
		return AskedPass{}, fmt.Errorf("ask for a pass of retention: %w", err)
	}
	var pass AskedPass
	err = waitForWriter(ctx, path, func() (done bool, err error) {
		pass, done, err = passSince(ctx, db, asked)
		return done, err
	})
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", ErrPassGoesOn, err)
	}
	return pass, err
}

// waitForWriter waits until done, as long as somebody writes the database and ctx has not ended.
func waitForWriter(ctx context.Context, path string, done func() (bool, error)) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := done()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case ok || err != nil:
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			continue
		}
		if _, written := lockfile.DatabaseOwner(path); !written {
			return ErrNobodyWrites
		}
	}
}

// passSince reads the newest pass, if it began at a time or later.
func passSince(ctx context.Context, db *sql.DB, since time.Time) (pass AskedPass, found bool, err error) {
	var started, finished float64
	var removed []byte
	err = db.QueryRowContext(ctx, `SELECT started, finished, asked, removed, error FROM retention_passes ORDER BY id DESC LIMIT 1`).
		Scan(&started, &finished, &pass.Asked, &removed, &pass.Failure)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return AskedPass{}, false, nil
	case err != nil:
		return AskedPass{}, false, fmt.Errorf("read the newest pass of retention: %w", err)
	case started < float64(since.UnixNano())/1e9:
		return AskedPass{}, false, nil
	}
	pass.Started, pass.Finished = schema.Time(started), schema.Time(finished)
	return pass, true, json.Unmarshal(removed, &pass.Removed)
}
