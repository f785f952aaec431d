package main

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// recorder is a "proctape up" on a folder, with its database open for reading.
type recorder struct {
	*child
	dir string
	db  *sql.DB
}

// record starts a recorder on a folder.
func (b *bench) record(dir string, args ...string) (*recorder, error) {
	c, err := b.start("In another terminal", b.proctape, append([]string{"up", "--data", dir}, args...)...)
	if err != nil {
		return nil, err
	}
	db, err := openDatabase(filepath.Join(dir, "monitor.db"))
	if err != nil {
		return nil, err
	}
	return &recorder{child: c, dir: dir, db: db}, nil
}

func (r *recorder) close() error {
	if err := r.db.Close(); err != nil {
		return err
	}
	return r.stop()
}

func openDatabase(path string) (*sql.DB, error) {
	return sql.Open("sqlite", "file:"+path+"?mode=ro&_pragma=busy_timeout(10000)")
}

// number returns the one number of a query.
func (r *recorder) number(query string, args ...any) (n int64, err error) {
	if err := r.db.QueryRow(query, args...).Scan(&n); err != nil {
		return 0, fmt.Errorf("%s: %w", query, err)
	}
	return n, nil
}

// awaitSnapshots waits until the database has n snapshots of a host, and returns how many it has then.
func (b *bench) awaitSnapshots(r *recorder, host string, n int64) (have int64, err error) {
	err = b.await(fmt.Sprintf("%d snapshots of %s", n, host), func() (bool, error) {
		have, err = r.number(`SELECT count(*) FROM snapshots WHERE host_id = (SELECT id FROM hosts WHERE name = ?)`, host)
		return have >= n, err
	})
	return have, err
}

// settled waits until a count reaches want. What was lost never comes, so it also ends when the count has not changed for a
// while. It returns the count, and when it was reached.
func (b *bench) settled(r *recorder, want int64, query string, args ...any) (n int64, at time.Time, err error) {
	const still = 10 * time.Second // many times what a message takes to the database
	last := int64(-1)
	err = b.await(fmt.Sprintf("%d rows", want), func() (bool, error) {
		if n, err = r.number(query, args...); err != nil {
			return false, err
		}
		if n != last {
			last, at = n, time.Now()
		}
		return n >= want || time.Since(at) > still, nil
	})
	return n, at, err
}
