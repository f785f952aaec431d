package store

import "os"

// The write-ahead log is reset when no reader is in the way. A reader that lingers lets it grow: from WALTrim bytes on
// the session asks for the reset at every commit, and from WALStop on it waits, since the messages are safe in the log.
const (
	WALTrim = 32 << 20
	WALStop = 52 << 20 // one transaction more stays below 64 MiB
)

// WALSize returns the size of the write-ahead log in bytes; 0 when there is none.
func (s *Store) WALSize() int64 {
	info, err := os.Stat(s.path + "-wal")
	if err != nil {
		return 0
	}
	return info.Size()
}

// TrimWAL writes the write-ahead log back into the database and cuts it, if the readers let it within a tenth of a
// second. It reports whether the write-ahead log is short again.
func (s *Store) TrimWAL() (bool, error) {
	if _, err := s.conn.ExecContext(background, `PRAGMA busy_timeout=100`); err != nil {
		return false, err
	}
	var busy, frames, done int
	err := s.conn.QueryRowContext(background, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &frames, &done)
	if _, restore := s.conn.ExecContext(background, `PRAGMA busy_timeout=5000`); restore != nil {
		return false, restore
	}
	return busy == 0, err
}
