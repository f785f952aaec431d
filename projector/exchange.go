package projector

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/proctape/proctape/schema/lockfile"
	"github.com/proctape/proctape/schema/proof"
)

// The database that is made anew lies beside the damaged one, under a name with another suffix once it is whole: then it takes the other's
// place, if need be at the next start.
const (
	anewSuffix  = ".anew"
	wholeSuffix = ".whole"
)

// exchange puts a new database that is whole in the place of the damaged one at db, whose lock is held. The damaged one is kept in the folder
// damaged; exchange returns where. Cut off in between, it goes on at the next start.
func exchange(db string) (aside string, err error) {
	whole := db + wholeSuffix
	info, err := os.Stat(whole)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(filepath.Dir(db), "damaged")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	aside = filepath.Join(dir, info.ModTime().UTC().Format("20060102T150405.000000")+"-"+filepath.Base(db)) // the same when it goes on
	if err := removeOlder(dir, aside, filepath.Base(db)); err != nil {
		return "", err
	}
	if err := os.Link(db, aside); err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	for _, step := range []func() error{
		func() error { return rename(db+"-wal", aside+"-wal") },
		func() error { return remove(db + "-shm") },
		func() error { return rename(proof.Path(whole), proof.Path(db)) },
		func() error { return os.Rename(whole, db) },
		func() error { return removeDatabase(db + anewSuffix) },
	} {
		if err := step(); err != nil {
			return aside, err
		}
	}
	return aside, syncFolder(filepath.Dir(db))
}

// removeOlder removes the damaged databases of a name that were kept before: each may be as large as the present one.
func removeOlder(dir, aside, name string) error {
	kept, err := filepath.Glob(filepath.Join(dir, "*-"+name+"*"))
	for _, path := range kept {
		if !strings.HasPrefix(path, aside) {
			err = errors.Join(err, remove(path))
		}
	}
	return err
}

// finishExchange goes on with an exchange that was cut off.
func finishExchange(db string) error {
	if _, err := os.Stat(db + wholeSuffix); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	lock, err := lockfile.Acquire(lockfile.DatabasePath(db))
	if err != nil {
		return fmt.Errorf("lock the database: %w", err)
	}
	if _, err = exchange(db); err != nil {
		err = fmt.Errorf("put the database that was made anew in its place: %w", err)
	}
	return errors.Join(err, lock.Release())
}

// removeDatabase removes a database, and the files beside it.
func removeDatabase(path string) error {
	return errors.Join(remove(path), remove(path+"-wal"), remove(path+"-shm"), remove(proof.Path(path)), remove(lockfile.DatabasePath(path)))
}

// remove removes a file that may be missing.
func remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// rename moves a file that may be missing.
func rename(from, to string) error {
	if err := os.Rename(from, to); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func syncFolder(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
