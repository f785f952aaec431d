package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/proctape/proctape/projector"
	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema/lockfile"
	"github.com/proctape/proctape/schema/proof"
)

// explainRead adds to an error of reading the database what to do about it.
func explainRead(err error, s *settings) error {
	switch {
	case err == nil:
		return nil
	case s.url != "":
		return explainElsewhere(err)
	case isFolder(s.db): // SQLite says that it cannot read it
		return hinted(fmt.Errorf("open database: %s is a folder", s.db), "name a recorder's data folder with --data, or the file of a database with --db")
	case errors.Is(err, query.ErrNoDatabase):
		return hinted(err, `start a recording with "proctape up", or name a folder with --data or a database with --db`)
	case errors.Is(err, os.ErrPermission):
		return hinted(err, "%s", anotherUsers(s))
	case isNoFile(err):
		return hinted(err, "name a recorder's data folder with --data, or a database with --db")
	case isCorrupt(err):
		if _, sums := proof.ReadState(s.db); sums == nil { // it is one of ours
			return hinted(err, `the database is damaged; "proctape up" makes it anew from the log by itself, and "proctape replay --db NEW" makes another one`)
		}
		return hinted(err, `the file is damaged or not a database; rebuild it from the log with "proctape replay --db NEW"`)
	}
	return err
}

// explainStart adds to an error of starting the log's server what to do about it.
func explainStart(err error, s *settings) error {
	var held *lockfile.HeldError
	var path *os.PathError
	switch {
	case errors.As(err, &held) && held.Machine != "":
		return otherMachine(held, s.data)
	case errors.As(err, &held):
		return hinted(fmt.Errorf("a recorder already runs on %s, process %d", s.data, held.PID),
			"stop it first, or record into another folder with --data")
	case errors.Is(err, os.ErrPermission):
		return hinted(err, "name a folder of your own with --data")
	case errors.As(err, &path):
		return hinted(err, "name a folder that exists or can be made with --data")
	}
	return err
}

// explainDatabase adds to an error of writing the database what to do about it.
func explainDatabase(err error, path string) error {
	var held *lockfile.HeldError
	switch {
	case err == nil:
		return nil
	case errors.As(err, new(*projector.OtherHostsError)):
		return hinted(err, "leave --hosts out to go on with it, or name a new database with --db")
	case errors.As(err, &held) && held.Machine != "":
		return otherMachine(held, path)
	case errors.As(err, &held) && filepath.Base(held.Path) == "ndjson.lock":
		return hinted(fmt.Errorf("process %d already writes the files in %s", held.PID, filepath.Dir(held.Path)), "stop it first, or name another folder with --ndjson")
	case errors.As(err, &held):
		return hinted(fmt.Errorf("process %d already writes the database %s", held.PID, path), "stop it first, or name another database with --db")
	case isFolder(path):
		return hinted(fmt.Errorf("open database: %s is a folder", path), "name the file of a database with --db")
	case isNoFile(err) || errors.Is(err, os.ErrPermission):
		return hinted(err, "name another database with --db")
	case isCorrupt(err):
		return hinted(err, `nothing was changed; move the file away and rebuild it from the log with "proctape replay --db %s"`, path)
	}
	return err
}

// otherMachine says that another machine writes what lies on storage that both have.
func otherMachine(held *lockfile.HeldError, path string) error {
	return hinted(fmt.Errorf("the machine %s writes %s, or was cut off while it did: both machines have this storage, and it may not pass locks on", held.Machine, path),
		"end it there first; where it is gone for good, delete %s", held.Path)
}

// isFolder reports whether a path is that of a folder.
func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
