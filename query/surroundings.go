package query

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
)

// Surroundings are what is around a snapshot in its host's recording: how far it reaches, and when the next one was made.
type Surroundings struct {
	Interval     float64  // seconds from one snapshot of its sampler to the next; the resolution of a minute
	Next         float64  // when the next snapshot of the host was made, Unix seconds; 0 when none has come
	BootID       string   // of the host's boot
	Capabilities []string // what the sampler could see; none of a minute
}

// SurroundingsOf returns the surroundings of a snapshot that was read from the database.
func SurroundingsOf(ctx context.Context, db *DB, s *Snapshot) (Surroundings, error) {
	var out Surroundings
	read := func(query string, dst any, args ...any) error {
		err := db.db.QueryRowContext(ctx, query, args...).Scan(dst)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	}
	boot, err := bootOf(ctx, db, s)
	out.BootID = boot
	if s.rollupID != 0 {
		out.Interval = s.Resolution
		if err == nil {
			err = read(`SELECT timestamp FROM rollups WHERE host_id = ? AND timestamp > ? ORDER BY timestamp LIMIT 1`, &out.Next, s.hostID, s.Timestamp)
		}
	} else if err == nil {
		var capabilities []byte
		err = db.db.QueryRowContext(ctx, `SELECT interval_ns / 1e9, capabilities FROM snapshots WHERE id = ?`, s.ID).Scan(&out.Interval, &capabilities)
		if err == nil {
			err = json.Unmarshal(capabilities, &out.Capabilities)
		}
	}
	var next float64
	if err == nil {
		err = read(`SELECT t.timestamp FROM snapshots t WHERE t.timestamp > ? AND +t.host_id = ? ORDER BY t.timestamp LIMIT 1`, &next, max(s.Timestamp, s.Timestamp+s.Resolution-1e-3), s.hostID)
	}
	if next > s.Timestamp && (out.Next == 0 || next < out.Next) {
		out.Next = next
	}
	if err != nil {
		return out, fmt.Errorf("read what is around a snapshot: %w", err)
	}
	return out, nil
}

// MomentsAt returns what [ProcessesAt] returns, without the processes: a [ProcessReader] reads those of a moment. So whoever has the
// processes of a snapshot already need not read them again.
func MomentsAt(ctx context.Context, db *DB, at float64, host string) ([]HostAt, error) {
	moments, err := momentsAt(ctx, db, at, host)
	if err != nil {
		return nil, fmt.Errorf("read the snapshots of a time: %w", err)
	}
	return moments, nil
}

// ProcessReader reads the processes of moments of one database. It keeps what describes those that it read last: two moments have most of their
// processes in common. It is for one goroutine at a time.
type ProcessReader struct{ reader *processReader }

// NewProcessReader makes a reader that has read nothing yet.
func NewProcessReader() *ProcessReader { return &ProcessReader{newProcessReader()} }

// Add reads the processes of a moment that [MomentsAt] returned.
func (r *ProcessReader) Add(ctx context.Context, db *DB, m *HostAt) error {
	if err := addProcesses(ctx, db, r.reader, &m.Snapshot); err != nil {
		return fmt.Errorf("read the processes of a time: %w", err)
	}
	return nil
}
