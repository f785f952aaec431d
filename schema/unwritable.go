package schema

import (
	"net/url"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// UnwritableDSN is like [ReaderDSN] for a database in a folder in which this process can make no file, such as a backup, a read-only
// mount or another user's folder. SQLite makes the file -shm beside a database of which it reads the write-ahead log. Where it
// can neither make it nor find it, nobody has the database open, so nobody changes it: it is read without locks, and what
// the write-ahead log has counts too. ok is false where the file is there or can be made: then ReaderDSN is right.
//
// It is right for as long as nobody begins to write: a connection is to be closed after seconds.
func UnwritableDSN(file string) (dsn string, ok bool) {
	return unwritable(file, "query_only(1)")
}

// UnwritableCopierDSN is [CopierDSN] where [UnwritableDSN] is right.
func UnwritableCopierDSN(file string) (dsn string, ok bool) { return unwritable(file) }

func unwritable(file string, pragmas ...string) (string, bool) {
	log := exists(file + "-wal")
	if exists(file+"-shm") && log || unix.Access(filepath.Dir(file), unix.W_OK) == nil {
		return "", false
	}
	values := url.Values{"mode": {"ro"}}
	if log {
		// https://www.sqlite.org/wal.html#noshm: with exclusive locking, set before anything is read, the index of the log is kept in memory.
		values.Set("vfs", "unix-none")
		pragmas = append([]string{"locking_mode(EXCLUSIVE)"}, pragmas...)
	} else {
		values.Set("immutable", "1")
	}
	values["_pragma"] = pragmas
	return dsn(file, values), true
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
