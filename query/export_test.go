package query

import "database/sql"

// Over is a DB over a handle that a test opened, so that the test can watch what is asked of it.
func Over(db *sql.DB) *DB { return &DB{db: db} }
