package query

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
)

// Pass is one run of retention over the database.
type Pass struct {
	Started  float64 `json:"started"` // Unix seconds
	Finished float64 `json:"finished"`
	Asked    string  `json:"asked_by"` // schedule or command
	Removed  Removed `json:"removed"`
	Error    string  `json:"error,omitempty"` // why it did not come to its end
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

// ID is the name that the database goes by in the log. A copy has one of its own as soon as it is written.
func (d *DB) ID(ctx context.Context) (id string, err error) {
	if err := d.db.QueryRowContext(ctx, `SELECT value FROM meta WHERE key = 'database_id'`).Scan(&id); err != nil {
		return "", fmt.Errorf("read the database's id: %w", err)
	}
	return id, nil
}

// Passes returns the newest passes of retention, the newest last.
func (d *DB) Passes(ctx context.Context, limit int) ([]Pass, error) {
	passes, err := collect(ctx, d, `SELECT started, finished, asked, removed, error FROM
		(SELECT * FROM retention_passes ORDER BY id DESC LIMIT ?) ORDER BY id`, []any{limit}, func(r *sql.Rows, p *Pass) error {
		var removed []byte
		if err := r.Scan(&p.Started, &p.Finished, &p.Asked, &removed, &p.Error); err != nil {
			return err
		}
		return json.Unmarshal(removed, &p.Removed)
	})
	if err != nil {
		return nil, fmt.Errorf("read the passes of retention: %w", err)
	}
	return passes, nil
}

// Held is another database of the log, as retention last saw it.
type Held struct {
	Consumer string  `json:"consumer"`
	Stream   string  `json:"stream"`
	Acked    int64   `json:"acked_seq"`
	Since    float64 `json:"since"` // Unix seconds: it has stood there since then
}

// OtherDatabases returns how far the other databases of the log were at the last pass.
func (d *DB) OtherDatabases(ctx context.Context) ([]Held, error) {
	held, err := collect(ctx, d, `SELECT consumer, stream, acked, since_ns/1e9 FROM retention_databases ORDER BY consumer, stream`, nil,
		func(r *sql.Rows, h *Held) error { return r.Scan(&h.Consumer, &h.Stream, &h.Acked, &h.Since) })
	if err != nil {
		return nil, fmt.Errorf("read the other databases of the log: %w", err)
	}
	return held, nil
}
