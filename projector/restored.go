package projector

import (
	"errors"

	"github.com/proctape/proctape/projector/store"
)

// RestoredStream is a stream of a log that was made anew of a copy.
type RestoredStream struct {
	Name     string
	Made     int64 // when the stream that was copied was made, in Unix ns
	Restored int64 // when the one that is there now was
}

// MoveCheckpoints tells a database that streams were restored and hold what those that it was projected from held. Without that it would
// take them for others, and read all of them again. No projector writes the database meanwhile.
func MoveCheckpoints(db string, streams []RestoredStream) error {
	s, err := store.Open(db)
	if err != nil {
		return err
	}
	err = s.Write(func(tx *store.Tx) error {
		for _, r := range streams {
			if err := tx.MoveCheckpoint(r.Name, r.Made, r.Restored); err != nil {
				return err
			}
		}
		return nil
	})
	return errors.Join(err, s.Close())
}
