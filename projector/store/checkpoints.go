package store

import (
	"database/sql"
	"fmt"
)

// Checkpoint is how far a stream has been folded into the database.
type Checkpoint struct {
	Stream  string
	Epoch   int64  // rises when the stream is another one than before; from 1
	Created int64  // when the server made the stream, Unix ns
	IDBase  int64  // row id of a message = IDBase + its sequence
	First   uint64 // first sequence folded of the epoch; 0 when it began elsewhere than at the stream's beginning
	Seq     uint64 // last sequence folded; 0 for none
	Stored  int64  // when the server took that message, Unix ns
	Process uint64 // last id given to a process, in the checkpoint of the snapshots
	Gaps    int    // gaps noticed at message Seq
}

// Checkpoint reads how far the database is in a stream. found is false when it never folded anything of it.
func (t Tables) Checkpoint(stream string) (c *Checkpoint, found bool, err error) {
	c = &Checkpoint{Stream: stream}
	err = t.Query(`SELECT epoch, created, id_base, first_seq, seq, message_time, process_id FROM checkpoints WHERE stream=?`,
		func(r *sql.Rows) error {
			found = true
			return r.Scan(&c.Epoch, &c.Created, &c.IDBase, &c.First, &c.Seq, &c.Stored, &c.Process)
		}, stream)
	if err != nil {
		return nil, false, fmt.Errorf("read the checkpoint of stream %s: %w", stream, err)
	}
	// Gaps that were noticed at this very message have their keys already.
	err = t.Query(`SELECT coalesce(max(n) + 1, 0) FROM gaps WHERE stream=? AND epoch=? AND at_seq=?`,
		func(r *sql.Rows) error { return r.Scan(&c.Gaps) }, stream, c.Epoch, int64(c.Seq))
	if err != nil {
		return nil, false, fmt.Errorf("read the gaps of stream %s: %w", stream, err)
	}
	return c, found, nil
}

// MoveCheckpoint says that a stream is the one that was made at the time from, restored at the time to, both in Unix ns. A checkpoint of
// another stream stays as it is.
func (tx *Tx) MoveCheckpoint(stream string, from, to int64) error {
	if _, err := tx.Exec(`UPDATE checkpoints SET created=? WHERE stream=? AND created=?`, to, stream, from); err != nil {
		return fmt.Errorf("move the checkpoint of stream %s: %w", stream, err)
	}
	return nil
}

func writeCheckpoints(tx *Tx, checkpoints []Checkpoint) error {
	err := execAll(tx, checkpoints, `INSERT INTO checkpoints(stream, epoch, created, id_base, first_seq, seq, message_time, process_id)
		VALUES (?,?,?,?,?,?,?,?) ON CONFLICT(stream) DO UPDATE SET epoch=excluded.epoch, created=excluded.created,
		id_base=excluded.id_base, first_seq=excluded.first_seq, seq=excluded.seq, message_time=excluded.message_time, process_id=excluded.process_id`,
		func(c *Checkpoint) []any {
			return []any{c.Stream, c.Epoch, c.Created, c.IDBase, int64(c.First), int64(c.Seq), c.Stored, int64(c.Process)}
		})
	if err != nil {
		return fmt.Errorf("store the checkpoints: %w", err)
	}
	return nil
}
