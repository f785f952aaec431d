package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"modernc.org/sqlite"

	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/lockfile"
)

// QuarantineKey is the primary key of quarantine: where the message lies in the log.
type QuarantineKey struct {
	Stream string
	Epoch  int64
	Seq    int64
}

// QuarantineGroup is what messages in quarantine are counted by.
type QuarantineGroup struct {
	Stream string
	Host   string // of the subject; empty when it names none
	Reason string
}

// QuarantinedMessage is a row of quarantine.
type QuarantinedMessage struct {
	Key       QuarantineKey
	Stored    int64 // when the server took it, Unix ns
	Subject   string
	Host      string
	MessageID string
	Reason    string
	Error     string
	Size      int    // bytes of the whole payload
	SHA256    string // of it, hexadecimal
	Headers   string // JSON object
	Payload   []byte // nil when it is not kept
}

// QuarantineChange is what a batch does to the quarantine: it puts a message in, or takes out one that came again and
// could be read.
type QuarantineChange struct {
	In  *QuarantinedMessage
	Out *QuarantineKey // when In is nil
	// Host is the host that the message in Out must be of: a host takes no other's messages out.
	Host string
}

// Quarantined returns how many messages of a group have come so far.
func (t Tables) Quarantined(g QuarantineGroup) (count int64, err error) {
	err = t.Query(`SELECT count FROM quarantine_counts WHERE stream=? AND host=? AND reason=?`,
		func(r *sql.Rows) error { return r.Scan(&count) }, g.Stream, g.Host, g.Reason)
	if err != nil {
		return 0, fmt.Errorf("count the quarantine: %w", err)
	}
	return count, nil
}

func writeQuarantine(tx *Tx, counts map[QuarantineGroup]int64, changes []QuarantineChange) error {
	for g, n := range counts {
		if _, err := tx.Exec(`INSERT INTO quarantine_counts(stream, host, reason, count) VALUES (?,?,?,?)
			ON CONFLICT(stream, host, reason) DO UPDATE SET count = count + excluded.count`, g.Stream, g.Host, g.Reason, n); err != nil {
			return fmt.Errorf("count the quarantine: %w", err)
		}
	}
	for _, c := range changes {
		if c.In == nil {
			if _, err := tx.Exec(`DELETE FROM quarantine WHERE stream=? AND epoch=? AND seq=? AND host=?`,
				c.Out.Stream, c.Out.Epoch, c.Out.Seq, c.Host); err != nil {
				return fmt.Errorf("take a message out of quarantine: %w", err)
			}
		} else if err := insertQuarantined(tx, c.In); err != nil {
			return fmt.Errorf("put a message into quarantine: %w", err)
		}
	}
	return nil
}

func insertQuarantined(tx *Tx, q *QuarantinedMessage) error {
	var body any
	if q.Payload != nil {
		body = q.Payload
	}
	_, err := tx.Exec(`INSERT INTO quarantine(stream, epoch, seq, timestamp, subject, host, message_id, reason, error,
		size, sha256, headers, payload) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)`,
		q.Key.Stream, q.Key.Epoch, q.Key.Seq, schema.Timestamp(q.Stored), q.Subject, optionalText(q.Host),
		optionalText(q.MessageID), q.Reason, q.Error, q.Size, q.SHA256, q.Headers, body)
	return err
}

// DropQuarantined deletes messages from the quarantine of the database at path: one, or with a nil key all of them. It
// returns how many. It may be called while a projector writes the database: nothing that a projector remembers depends
// on what it deletes, and SQLite lets one write after the other.
func DropQuarantined(ctx context.Context, path string, key *QuarantineKey) (int64, error) {
	if _, written := lockfile.DatabaseOwner(path); !written { // nobody else keeps the sums of its pages
		return dropAtRest(path, key)
	}
	db := sql.OpenDB(connector{new(sqlite.Driver), schema.WriterDSN(path)})
	defer db.Close()
	query, args := dropQuery(key)
	res, err := db.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, fmt.Errorf("drop from quarantine: %w", err)
	}
	return res.RowsAffected()
}

// dropAtRest is [DropQuarantined] for a database that nobody writes.
func dropAtRest(path string, key *QuarantineKey) (n int64, err error) {
	s, err := Open(path)
	if err != nil {
		return 0, err
	}
	query, args := dropQuery(key)
	err = s.Write(func(tx *Tx) error {
		res, err := tx.Exec(query, args...)
		if err != nil {
			return fmt.Errorf("drop from quarantine: %w", err)
		}
		n, err = res.RowsAffected()
		return err
	})
	return n, errors.Join(err, s.Close())
}

// dropQuery deletes messages from quarantine: one, or with a nil key all.
func dropQuery(key *QuarantineKey) (string, []any) {
	query, args := `DELETE FROM quarantine`, []any(nil)
	if key != nil {
		query, args = query+` WHERE stream=? AND epoch=? AND seq=?`, []any{key.Stream, key.Epoch, key.Seq}
	}
	return query, args
}
