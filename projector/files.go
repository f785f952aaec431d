package projector

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/proctape/proctape/projector/ndjson"
	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

// openFiles opens the files as far as the database has them. A file that the database knows nothing of is another's,
// and is moved aside. Snapshots that are missing from their file are written again, from their rows. The lines of the
// events come from several streams, in an order that the rows do not tell: they are not made up. What is gone is in lost.
func openFiles(db *store.Store, files *ndjson.Files, log *slog.Logger) (lost []string, err error) {
	for _, name := range files.Layout.Names() {
		path := files.Path(name)
		state, known, err := db.FileState(path)
		if err != nil {
			return nil, err
		}
		if !known {
			if err := adopt(db, files, path, log); err != nil {
				return nil, err
			}
		}
		damage, err := files.Open(name, state, snapshotsOf(db, files, name, 0, state.Lines))
		if err != nil {
			return nil, err
		}
		lost = append(lost, tellDamage(path, name, damage, log)...)
	}
	return lost, nil
}

// tellDamage says what was wrong with a file, and returns what is gone for good.
func tellDamage(path, name string, damage ndjson.Damage, log *slog.Logger) (lost []string) {
	switch {
	case damage == ndjson.Damage{}:
		return nil
	case damage.Taken && damage.Changed:
		log.Warn("a file is not as it was written", "file", path, "left_as_it_is", true)
		return []string{fmt.Sprintf("%s is not as it was written, and is left as it is, since another program rotates it; the rows are right", name)}
	case damage.Taken:
		log.Info("another program took a file away: a new one is begun", "file", path)
		return nil
	}
	what := "lines are missing from a file"
	if damage.Changed {
		what = "a file is not as it was written"
	}
	log.Warn(what, "file", path, "missing_bytes", damage.Bytes, "made_anew", damage.Made)
	switch {
	case damage.Made:
		return nil
	case damage.Changed:
		return []string{fmt.Sprintf("%s is not as it was written: lines of %d bytes that cannot be read were taken out, and another line may be wrong; "+
			"what the database still has of them is right", name, damage.Bytes)}
	case name == ndjson.EventsFile:
		return []string{fmt.Sprintf("%d bytes of %s are gone; the rows are there", damage.Bytes, name)}
	case damage.Lines > 0:
		return []string{fmt.Sprintf("%d lines of %s are gone, of which the database has no rows any more", damage.Lines, name)}
	}
	return nil
}

// adopt makes a file this database's. That is stored at once: from then on what the file holds is ours to cut.
func adopt(db *store.Store, files *ndjson.Files, path string, log *slog.Logger) error {
	aside, err := ndjson.SetAside(path)
	if err != nil {
		return err
	}
	if aside != "" {
		log.Warn("a file of another database was moved aside", "file", path, "to", aside)
	}
	return db.Write(func(tx *store.Tx) error { return tx.WriteFileState(path, files.Layout.Begun()) })
}

// snapshotsOf are the snapshots of the n newest lines of a file, but for as many newer ones as newer says: of a file of snapshots alone.
func snapshotsOf(db *store.Store, files *ndjson.Files, name string, newer, n int64) ndjson.Snapshots {
	if name != files.Layout.Snapshots {
		return nil
	}
	return func(line func(*schema.Message) error) error {
		ids, err := db.Tables().NewestSnapshots(newer + n)
		if err != nil {
			return err
		}
		for _, id := range slices.Backward(ids[min(newer, int64(len(ids))):]) {
			m, err := db.Tables().ReadSnapshot(id)
			if err != nil {
				return err
			}
			if err := line(m); err != nil {
				return err
			}
		}
		return nil
	}
}

// rotatedFile is a file that was rotated away, as the database has it.
type rotatedFile struct {
	name, path string
	state      ndjson.State
	newer      int64 // lines that are newer, in the files before it
}

// rotatedFiles are the files that were rotated away of which the database knows.
func rotatedFiles(db *store.Store, files *ndjson.Files) (all []rotatedFile, err error) {
	if files.Layout.Others {
		return nil, nil
	}
	for _, name := range files.Layout.Names() {
		path := files.Path(name)
		newest, _, err := db.FileState(path)
		if err != nil {
			return nil, err
		}
		newer := newest.Lines
		for _, path := range ndjson.Rotated(path) {
			state, known, err := db.FileState(path)
			if err != nil {
				return nil, err
			}
			if known {
				all = append(all, rotatedFile{name, path, state, newer})
			}
			newer += state.Lines
		}
	}
	return all, nil
}

// readRotated opens the files that were rotated away, to be checked.
func readRotated(db *store.Store, files *ndjson.Files) (readings []*ndjson.Reading, err error) {
	all, err := rotatedFiles(db, files)
	for _, f := range all {
		r, openErr := ndjson.ReadRotated(f.path, f.state)
		if r != nil {
			readings = append(readings, r)
		}
		err = errors.Join(err, openErr)
	}
	return readings, err
}

// mendRotated mends the files that were rotated away and are not as they were written, and returns them. What is gone is in lost.
func mendRotated(db *store.Store, files *ndjson.Files, log *slog.Logger) (mended []rotatedFile, lost []string, err error) {
	all, err := rotatedFiles(db, files)
	if err != nil {
		return nil, nil, err
	}
	for _, f := range all {
		r, err := ndjson.ReadRotated(f.path, f.state)
		if err == nil && r != nil {
			err = r.Check(func() bool { return true })
		}
		if err == nil {
			continue
		} else if !errors.Is(err, ndjson.ErrChanged) {
			return mended, lost, err
		}
		var damage ndjson.Damage
		if f.state, damage, err = ndjson.MendRotated(f.path, f.state, snapshotsOf(db, files, f.name, f.newer, f.state.Lines)); err != nil {
			return mended, lost, fmt.Errorf("mend %s: %w", f.path, err)
		}
		mended = append(mended, f)
		lost = append(lost, tellDamage(f.path, f.name, damage, log)...)
	}
	return mended, lost, nil
}
