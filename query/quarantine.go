package query

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
)

// Quarantined is a message that could not be projected.
type Quarantined struct {
	Stream    string              `json:"stream"`
	Epoch     int64               `json:"epoch"`
	Seq       int64               `json:"seq"`
	Timestamp float64             `json:"timestamp"` // when the server stored it, Unix seconds
	Subject   string              `json:"subject"`
	MessageID *string             `json:"message_id"`
	Reason    string              `json:"reason"`
	Error     string              `json:"error"`
	Size      int64               `json:"size"`
	SHA256    string              `json:"sha256"`
	Headers   map[string][]string `json:"headers"`
	Payload   []byte              `json:"payload,omitempty"` // nil when it was not kept, or not asked for
	Kept      bool                `json:"kept"`              // the payload was kept
}

// ID names the message to the commands: stream/epoch/sequence.
func (q *Quarantined) ID() string { return fmt.Sprintf("%s/%d/%d", q.Stream, q.Epoch, q.Seq) }

// Quarantine returns the messages in quarantine, oldest first, at most limit of them; all when limit is negative. Their
// payloads come along when payload is set.
func Quarantine(ctx context.Context, db *DB, limit int, payload bool) ([]Quarantined, error) {
	return readQuarantine(ctx, db, ` ORDER BY timestamp, stream, epoch, seq LIMIT ?`, payload, max(limit, -1))
}

// ErrNotQuarantined is returned by QuarantinedMessage for a message that is not in quarantine.
var ErrNotQuarantined = errors.New("no such message in quarantine")

// QuarantinedMessage returns one message of the quarantine with its payload.
func QuarantinedMessage(ctx context.Context, db *DB, stream string, epoch, seq int64) (*Quarantined, error) {
	list, err := readQuarantine(ctx, db, ` WHERE stream = ? AND epoch = ? AND seq = ?`, true, stream, epoch, seq)
	if err == nil && len(list) == 0 {
		err = ErrNotQuarantined
	}
	if err != nil {
		return nil, err
	}
	return &list[0], nil
}

// readQuarantine reads the messages that a condition picks.
func readQuarantine(ctx context.Context, db *DB, where string, payload bool, args ...any) ([]Quarantined, error) {
	list, err := collect(ctx, db, `SELECT stream, epoch, seq, timestamp, subject, message_id, reason, error, size, sha256, headers,
		CASE WHEN ? THEN payload END, payload IS NOT NULL FROM quarantine`+where, append([]any{payload}, args...),
		func(r *sql.Rows, q *Quarantined) error {
			var headers []byte
			if err := r.Scan(&q.Stream, &q.Epoch, &q.Seq, &q.Timestamp, &q.Subject, &q.MessageID, &q.Reason, &q.Error, &q.Size,
				&q.SHA256, &headers, &q.Payload, &q.Kept); err != nil {
				return err
			}
			return json.Unmarshal(headers, &q.Headers)
		})
	if err != nil {
		return nil, fmt.Errorf("read the quarantine: %w", err)
	}
	return list, nil
}

// QuarantineCount is how many messages of a host were ever put into quarantine for a reason. Messages whose payload was not
// kept count, and so do those that were dropped or could be read since.
type QuarantineCount struct {
	Host   string `json:"host"` // empty for subjects that name none
	Reason string `json:"reason"`
	Count  int64  `json:"count"`
}

// QuarantineCounts returns the counts by host and reason.
func QuarantineCounts(ctx context.Context, db *DB) ([]QuarantineCount, error) {
	counts, err := collect(ctx, db, `SELECT host, reason, `+countOf("count")+` FROM quarantine_counts GROUP BY host, reason ORDER BY host, reason`, nil,
		func(r *sql.Rows, c *QuarantineCount) error { return r.Scan(&c.Host, &c.Reason, &c.Count) })
	if err != nil {
		return nil, fmt.Errorf("count the quarantine: %w", err)
	}
	return counts, nil
}
