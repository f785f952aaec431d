package query

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/proctape/proctape/schema"
)

// RetentionPass is one pass of retention over the database.
type RetentionPass struct {
	Started  float64        `json:"started"` // Unix seconds
	Finished float64        `json:"finished"`
	Asked    string         `json:"asked_by"` // schedule or command
	Removed  schema.Removed `json:"removed"`
	Error    string         `json:"error,omitempty"` // why it did not come to its end
}

// RetentionPasses returns the newest passes of retention, at most limit of them, the newest last.
func RetentionPasses(ctx context.Context, db *DB, limit int) ([]RetentionPass, error) {
	passes, err := collect(ctx, db, `SELECT started, finished, asked, removed, error FROM
		(SELECT * FROM retention_passes ORDER BY id DESC LIMIT ?) ORDER BY id`, []any{limit}, func(r *sql.Rows, p *RetentionPass) error {
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

// OtherDatabase is how far another database of the log was in one stream when retention last looked.
type OtherDatabase struct {
	Consumer string  `json:"consumer"`
	Stream   string  `json:"stream"`
	Acked    int64   `json:"acked_seq"`
	Since    float64 `json:"since"` // Unix seconds: when it reached that sequence
}

// OtherDatabases returns how far the other databases of the log were at the last pass.
func OtherDatabases(ctx context.Context, db *DB) ([]OtherDatabase, error) {
	held, err := collect(ctx, db, `SELECT consumer, stream, acked, since_ns/1e9 FROM retention_databases ORDER BY consumer, stream`, nil,
		func(r *sql.Rows, h *OtherDatabase) error { return r.Scan(&h.Consumer, &h.Stream, &h.Acked, &h.Since) })
	if err != nil {
		return nil, fmt.Errorf("read the other databases of the log: %w", err)
	}
	return held, nil
}
