package projector

import (
	"fmt"
	"slices"

	"github.com/proctape/proctape/projector/ndjson"
	"github.com/proctape/proctape/projector/store"
)

// openFiles opens the files as far as the database has them. A file that the database knows nothing of is another's,
// and is moved aside. Snapshots that are missing from their file are written again, from their rows.
func (s *session) openFiles() error {
	for _, name := range []string{ndjson.SnapshotsFile, ndjson.EventsFile} {
		path := s.files.Path(name)
		state, known, err := s.store.FileState(path)
		if err != nil {
			return err
		}
		if !known {
			if err := s.adopt(path); err != nil {
				return err
			}
		}
		damage, err := s.files.Open(name, state)
		if err != nil {
			return err
		}
		if damage == (ndjson.Damage{}) {
			continue
		}
		s.cfg.Log.Warn("lines are missing from a file", "file", path, "bytes", damage.Bytes)
		if err := s.repair(name, state, damage); err != nil {
			return fmt.Errorf("repair %s: %w", path, err)
		}
	}
	return nil
}

// adopt makes a file this database's. That is stored at once: from then on what the file holds is ours to cut.
func (s *session) adopt(path string) error {
	aside, err := ndjson.SetAside(path)
	if err != nil {
		return err
	}
	if aside != "" {
		s.cfg.Log.Warn("a file of another database was moved aside", "file", path, "to", aside)
	}
	return s.commitFileState(path, ndjson.State{})
}

// repair writes lines again that were committed and are gone: all of the current file's snapshots, for what is left of
// them may be any part. The lines of the events come from several streams, in an order that the rows do not tell: they
// are not made up, and a gap says so.
func (s *session) repair(name string, state ndjson.State, damage ndjson.Damage) error {
	if name == ndjson.SnapshotsFile {
		err := s.files.RewriteSnapshots(func(flush func() error) error { return rewriteSnapshots(s.store.Tables(), s.files, state.Lines, flush) })
		if err != nil {
			return err
		}
	} else {
		s.fold.NoteLostLines(fmt.Sprintf("%d bytes of %s are gone; the rows are there", damage.Bytes, name), s.batch)
		s.lines.append(s.files, s.batch)
	}
	return s.write()
}

// rewriteSnapshots appends the lines of the newest n snapshots, oldest first.
func rewriteSnapshots(tables store.Tables, files *ndjson.Files, n int64, flush func() error) error {
	ids, err := tables.NewestSnapshots(n)
	if err != nil {
		return err
	}
	for i, id := range slices.Backward(ids) {
		if i%100 == 0 {
			if err := flush(); err != nil {
				return err
			}
		}
		m, err := tables.ReadSnapshot(id)
		if err != nil {
			return err
		}
		files.AppendSnapshot(m)
	}
	return nil
}
