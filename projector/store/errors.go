package store

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlitelib "modernc.org/sqlite/lib"

	"github.com/proctape/proctape/schema/lockfile"
)

// ErrNotFresh is returned for a replay into a database that holds something else.
var ErrNotFresh = errors.New("the database is not new, and not an unfinished replay")

// DamagedError says that a database is damaged.
type DamagedError struct {
	Path    string
	Verdict string   // SQLite's; empty when it is the sums of pages that tell
	Pages   []uint32 // that are not as they were written, from 1; nil when that is not known
	Final   bool     // making the database anew does not help
}

// Error implements error.
func (e *DamagedError) Error() string {
	if len(e.Pages) > 0 {
		return fmt.Sprintf("database %s is damaged: pages that are not as they were written: %d, the first is page %d", e.Path, len(e.Pages), e.Pages[0])
	}
	return fmt.Sprintf("database %s is damaged: %s", e.Path, e.Verdict)
}

// IsFatal reports whether opening the database again and trying once more cannot help.
func IsFatal(err error) bool {
	var held *lockfile.HeldError
	var damaged *DamagedError
	if errors.As(err, &held) || errors.As(err, &damaged) || errors.Is(err, ErrNotFresh) || isFailedSync(err) {
		return true
	}
	for _, code := range []int{
		sqlitelib.SQLITE_NOTADB, sqlitelib.SQLITE_READONLY,
		sqlitelib.SQLITE_ERROR, sqlitelib.SQLITE_CONSTRAINT, sqlitelib.SQLITE_MISMATCH, // statements and tables do not agree
	} {
		if isCode(err, code) {
			return true
		}
	}
	return false
}

// IsCorrupt reports whether SQLite called the file corrupt. It says so of a page that could not be read, too: only
// [Store.CheckIntegrity] tells whether the file is damaged.
func IsCorrupt(err error) bool { return isCode(err, sqlitelib.SQLITE_CORRUPT) }

// isFailedSync reports whether the disk refused to sync the database. The kernel reports a failed sync once, and nobody
// knows what is on the disk then; only a restart, from what can be read, is safe.
func isFailedSync(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code() == sqlitelib.SQLITE_IOERR_FSYNC
}

// isCode reports whether SQLite failed with a primary result code.
func isCode(err error, code int) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == code
}

// IsFull reports whether the disk had no room for what was written.
func IsFull(err error) bool { return isCode(err, sqlitelib.SQLITE_FULL) }

// IsReadOnly reports whether the database's file or folder may no longer be written.
func IsReadOnly(err error) bool { return isCode(err, sqlitelib.SQLITE_READONLY) }

// IsDiskError reports whether the kernel refused to read, write or sync the database's files.
func IsDiskError(err error) bool { return isCode(err, sqlitelib.SQLITE_IOERR) }
