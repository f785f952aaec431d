package projector

import (
	"fmt"
	"log/slog"
	"slices"

	"github.com/proctape/proctape/projector/ndjson"
	"github.com/proctape/proctape/projector/store"
)

// openFiles opens the files as far as the database has them. A file that the database knows nothing of is another's,
// and is moved aside. Snapshots that are missing from their file are written again, from their rows. The lines of the
// events come from several streams, in an order that the rows do not tell: they are not made up, and lostEvents says how
// much is gone.
func openFiles(db *store.Store, files *ndjson.Files, log *slog.Logger) (lostEvents string, err error) {
	for _, name := range []string{ndjson.SnapshotsFile, ndjson.EventsFile} {
		path := files.Path(name)
		state, known, err := db.FileState(path)
		if err != nil {
			return "", err
		}
		if !known {
			if err := adopt(db, path, log); err != nil {
				return "", err
			}
		}
		damage, err := files.Open(name, state)
		if err != nil {
			return "", err
		}
		if damage == (ndjson.Damage{}) {
			continue
		}
		what := "lines are missing from a file"
		if damage.Changed {
			what = "a file is not as it was written"
		}
		log.Warn(what, "file", path, "bytes", damage.Bytes)
		if name == ndjson.EventsFile {
			lostEvents = lostLines(name, damage)
		} else if err := rewriteSnapshots(db, files, state.Lines); err != nil {
			return "", fmt.Errorf("repair %s: %w", path, err)
		}
	}
	return lostEvents, nil
}

// lostLines says what a file of events lost.
func lostLines(name string, damage ndjson.Damage) string {
	if damage.Changed {
		return fmt.Sprintf("%s is not as it was written: lines of %d bytes that cannot be read were taken out, and another line may be wrong; the rows are right",
			name, damage.Bytes)
	}
	return fmt.Sprintf("%d bytes of %s are gone; the rows are there", damage.Bytes, name)
}

// adopt makes a file this database's. That is stored at once: from then on what the file holds is ours to cut.
func adopt(db *store.Store, path string, log *slog.Logger) error {
	aside, err := ndjson.SetAside(path)
	if err != nil {
		return err
	}
	if aside != "" {
		log.Warn("a file of another database was moved aside", "file", path, "to", aside)
	}
	return commitFileState(db)(path, ndjson.State{})
}

// commitFileState stores how far a file is in a transaction of its own.
func commitFileState(db *store.Store) func(path string, state ndjson.State) error {
	return func(path string, state ndjson.State) error {
		return db.Write(func(tx *store.Tx) error { return tx.WriteFileState(path, state) })
	}
}

// rewriteSnapshots writes the lines of the current file of snapshots again, all of them: what is left of the file may be
// any part. They are the lines of the newest n snapshots, oldest first.
func rewriteSnapshots(db *store.Store, files *ndjson.Files, n int64) error {
	ids, err := db.Tables().NewestSnapshots(n)
	if err != nil {
		return err
	}
	err = files.RewriteSnapshots(func(flush func() error) error {
		for i, id := range slices.Backward(ids) {
			if i%100 == 0 {
				if err := flush(); err != nil {
					return err
				}
			}
			m, err := db.Tables().ReadSnapshot(id)
			if err != nil {
				return err
			}
			files.AppendSnapshot(m)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return db.Write(func(tx *store.Tx) error { return files.Flush(tx.WriteFileState) })
}
