package query

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/proctape/proctape/schema"
)

// Checkpoint is how far a stream has been projected into the database.
type Checkpoint struct {
	Stream string  `json:"stream"`
	Epoch  int64   `json:"epoch"`
	Seq    int64   `json:"seq"`
	Time   float64 `json:"message_time"` // when the server stored that message, Unix seconds

	Created int64 `json:"-"` // when the server made the stream, Unix ns
	IDBase  int64 `json:"-"` // the row of a message has the id IDBase + its sequence, or for events that times 1024 and the place in the message
}

// Checkpoints returns how far each stream has been projected, by the stream's name.
func Checkpoints(ctx context.Context, db *DB) ([]Checkpoint, error) {
	cps, err := collect(ctx, db, `SELECT stream, epoch, seq, message_time/1e9, created, id_base FROM checkpoints ORDER BY stream`, nil,
		func(r *sql.Rows, c *Checkpoint) error {
			return r.Scan(&c.Stream, &c.Epoch, &c.Seq, &c.Time, &c.Created, &c.IDBase)
		})
	if err != nil {
		return nil, fmt.Errorf("read the checkpoints: %w", err)
	}
	return cps, nil
}

// HostsHeld are the patterns of the hosts that the database is of, with commas in between; empty for all hosts of its log.
func (d *DB) HostsHeld(ctx context.Context) (patterns string, err error) {
	err = d.db.QueryRowContext(ctx, `SELECT value FROM meta WHERE key = 'hosts'`).Scan(&patterns)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return patterns, err
}

// held gives the patterns of the database that has a host, of those that answer.
func (d *DB) held(ctx context.Context) (of func(host string) string, err error) {
	if d.parts == nil {
		patterns, err := d.HostsHeld(ctx)
		return func(string) string { return patterns }, err
	}
	by := map[string]string{}
	for _, part := range d.parts {
		patterns, err := part.HostsHeld(ctx)
		if err != nil {
			return nil, err
		}
		err = each(ctx, part.db, `SELECT name FROM hosts WHERE name <> '`+schema.Fleet+`'`, nil, func(r *sql.Rows) error {
			var host string
			err := r.Scan(&host)
			by[host] = patterns
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return func(host string) string { return by[host] }, nil
}

// ID is the database's name in the log. A copy gets another one as soon as a projector writes it.
func (d *DB) ID(ctx context.Context) (id string, err error) {
	if err := d.db.QueryRowContext(ctx, `SELECT value FROM meta WHERE key = 'database_id'`).Scan(&id); err != nil {
		return "", fmt.Errorf("read the database's id: %w", err)
	}
	return id, nil
}
