package query

import "database/sql"

// Over is a DB over a handle that a test opened, so that the test can watch what is asked of it.
func Over(db *sql.DB) *DB { return &DB{db: db} }

// Public is the snapshot as a caller sees it.
func (s Snapshot) Public() Snapshot {
	s.bootNS, s.hostID = 0, 0
	return s
}

// Public is the moment as a caller sees it.
func (m HistoryPoint) Public() HistoryPoint {
	m.place = position{}
	return m
}

// Public is the job as a caller sees it.
func (j Job) Public() Job {
	j.cpuMillis = 0
	return j
}
