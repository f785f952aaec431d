package query

import "database/sql"

// Over is a DB over a handle that a test opened, so that the test can watch what is asked of it.
func Over(db *sql.DB) *DB { return &DB{db: db, goesOn: true} }

// AsOlder is the same database, read as one of which an older build noted less.
func (d *DB) AsOlder() *DB { return &DB{db: d.db} }

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
