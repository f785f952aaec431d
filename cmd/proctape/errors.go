package main

import (
	"errors"
	"os"

	"modernc.org/sqlite"
	sqlitelib "modernc.org/sqlite/lib"

	"github.com/proctape/proctape/query"
)

// isCorrupt reports whether SQLite says that a file is damaged, or no database.
func isCorrupt(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	code := e.Code() & 0xff
	return code == sqlitelib.SQLITE_CORRUPT || code == sqlitelib.SQLITE_NOTADB
}

// explainRead adds to an error of reading what to do about it.
func explainRead(err error, s *settings) error {
	switch {
	case errors.Is(err, query.ErrNoDatabase):
		return hinted(err, `start a recording with "proctape up", or name a folder with --data or a database with --db`)
	case errors.Is(err, os.ErrPermission):
		return hinted(err, "the recording is another user's")
	case isCorrupt(err):
		return hinted(err, `the file is damaged or no database; rebuild it from the log with "proctape replay --db NEW"`)
	}
	return err
}
