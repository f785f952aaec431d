package store

import "fmt"

// BeginReplay marks the database as a replay that is not finished, or finds that mark. A database that holds anything
// else is [ErrNotFresh].
func (s *Store) BeginReplay() error {
	var marks, checkpoints int
	err := s.conn.QueryRowContext(background, `SELECT (SELECT count(*) FROM meta WHERE key='replay' AND value='unfinished'),
		(SELECT count(*) FROM checkpoints)`).Scan(&marks, &checkpoints)
	switch {
	case err != nil:
		return err
	case marks == 0 && checkpoints > 0:
		return fmt.Errorf("replay into %s: %w", s.path, ErrNotFresh)
	}
	err = s.Write(func(tx *Tx) error {
		_, err := tx.Exec(`INSERT INTO meta(key, value) VALUES ('replay', 'unfinished') ON CONFLICT(key) DO NOTHING`)
		return err
	})
	if err != nil {
		return err
	}
	// A power cut costs no more than the last transactions, which the log still has: a replay does not wait for the disk.
	_, err = s.conn.ExecContext(background, `PRAGMA synchronous=NORMAL`)
	return err
}

// EndReplay marks the replay as finished, and returns when all of it is on disk.
func (s *Store) EndReplay() error {
	if _, err := s.conn.ExecContext(background, `PRAGMA synchronous=FULL`); err != nil {
		return err
	}
	return s.Write(func(tx *Tx) error {
		_, err := tx.Exec(`UPDATE meta SET value='finished' WHERE key='replay'`)
		return err
	})
}
