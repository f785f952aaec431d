package verify

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema"
)

// Loss is what a stream of the log lost that the database has folded, or what the log lost at the ends of lives of producers
// before any database folded it.
type Loss struct {
	Stream string `json:"stream,omitempty"` // empty for what was lost at the ends of lives
	What   string `json:"what"`
	// Messages is how many of the lost ones are known by their rows or their sequences. There may have been more, of which no row
	// is left.
	Messages int64 `json:"messages"`
	Items    int64 `json:"items,omitempty"` // that were lost at the ends of lives
	// AtLeast names the figures that stopped at [schema.MaxSum]: "items", or none.
	AtLeast []string `json:"at_least,omitempty"`
}

// rowsOf is, by stream, the sequences (as id) and times of the messages of which only the database that is verified has
// rows. The other one is attached as other.
var rowsOf = map[string]string{
	schema.StreamSnapshots: `SELECT id, timestamp FROM main.snapshots WHERE (instance, seq) NOT IN (SELECT instance, seq FROM other.snapshots)`,
	schema.StreamEvents: `SELECT DISTINCT id >> 10, timestamp FROM main.process_events
			WHERE (instance, event_type, seq) NOT IN (SELECT instance, event_type, seq FROM other.process_events)
		UNION SELECT DISTINCT id >> 10, timestamp FROM main.process_execs WHERE (instance, seq) NOT IN (SELECT instance, seq FROM other.process_execs)
		UNION SELECT id, last_seen FROM main.anomalies WHERE episode_id NOT IN (SELECT episode_id FROM other.anomalies)`,
	schema.StreamRollups: `SELECT r.id, r.timestamp FROM main.rollups r JOIN main.hosts h ON h.id = r.host_id
		WHERE (h.name, r.timestamp) NOT IN (SELECT h.name, r.timestamp FROM other.rollups r JOIN other.hosts h ON h.id = r.host_id)`,
	schema.StreamHistory: `SELECT id, timestamp FROM main.run_records WHERE run_id NOT IN (SELECT run_id FROM other.run_records)`,
}

// losses are what the log lost of what a database has folded. replayed is what the log still gives. What is older than one of the
// log's databases wants, and what a stream gave up for new messages, is trimmed and not lost.
func losses(ctx context.Context, db, replayed *query.DB, checkpoints []query.Checkpoint, streams map[string]*query.LogStream) ([]Loss, error) {
	conn, err := attached(ctx, db, replayed)
	if err != nil {
		return nil, err
	}
	defer conn.close()
	var found []Loss
	for i := range checkpoints {
		c := &checkpoints[i]
		s := streams[c.Stream]
		var lost, trimmed int64
		if lost, trimmed, err = countLost(ctx, conn.Conn, c, s, time.Now()); err != nil {
			return nil, fmt.Errorf("look for what stream %s lost: %w", c.Stream, err)
		}
		switch {
		case s == nil && c.Seq > 0:
			found = append(found, Loss{Stream: c.Stream, What: "the stream is gone", Messages: max(lost+trimmed, c.Seq)})
		case s == nil:
		case s.Created != c.Created && c.Seq > 0:
			found = append(found, Loss{Stream: c.Stream, What: "the stream was deleted, and another one made under its name", Messages: max(lost+trimmed, c.Seq)})
		case uint64(c.Seq) > s.Last:
			found = append(found, Loss{Stream: c.Stream, Messages: max(lost, c.Seq-int64(s.Last)),
				What: fmt.Sprintf("the stream ends with message %d, and %d was folded", s.Last, c.Seq)})
		case lost > 0:
			found = append(found, Loss{Stream: c.Stream, What: "messages are gone that nobody trimmed", Messages: lost})
		}
	}
	return found, nil
}

// countLost counts the messages of which only the database has rows, and which the stream does not have.
func countLost(ctx context.Context, conn *sql.Conn, c *query.Checkpoint, s *query.LogStream, now time.Time) (lost, trimmed int64, err error) {
	rows, err := conn.QueryContext(ctx, rowsOf[c.Stream])
	if err != nil {
		return 0, 0, err
	}
	defer rows.Close()
	last := int64(-1)
	for rows.Next() {
		var id int64
		var at float64
		if err := rows.Scan(&id, &at); err != nil {
			return 0, 0, err
		}
		if id == last || inLog(c, s, id) {
			continue
		}
		last = id
		old := s != nil && s.Kept > 0 && now.Sub(schema.Time(at)) > s.Kept
		if atBeginning := s != nil && uint64(id-c.IDBase) < s.First; old || atBeginning && s.Full {
			trimmed++
		} else {
			lost++
		}
	}
	return lost, trimmed, rows.Err()
}

// inLog reports whether a stream still has the message of a row.
func inLog(c *query.Checkpoint, s *query.LogStream, id int64) bool {
	return s != nil && s.Created == c.Created && id > c.IDBase && s.Has(uint64(id-c.IDBase))
}
