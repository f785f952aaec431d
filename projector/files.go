package projector

import (
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/proctape/proctape/projector/ndjson"
	"github.com/proctape/proctape/schema"
)

// The NDJSON files beside the database. The contract says that nothing but snapshots goes into the first.
const (
	snapshotsFile = "monitor.jsonl"
	eventsFile    = "events.jsonl"
)

// openFiles opens the NDJSON files in dir as far as the database has them. A file that the database knows nothing of is
// another's, and is moved aside. Snapshots that are missing from their file are written again, from their rows.
func (f *fold) openFiles(dir string, limit int64, log *slog.Logger) error {
	states := map[string]ndjson.State{}
	err := f.db.query(`SELECT name, generation, size, lines FROM files`, func(r *sql.Rows) error {
		var name string
		var s ndjson.State
		if err := r.Scan(&name, &s.Generation, &s.Size, &s.Lines); err != nil {
			return err
		}
		states[name] = s
		return nil
	})
	if err != nil {
		return fmt.Errorf("read how far the files are: %w", err)
	}
	f.dir = dir
	for name, w := range map[string]**ndjson.Writer{snapshotsFile: &f.snapshots, eventsFile: &f.events} {
		path := filepath.Join(dir, name)
		state, known := states[f.fileKey(name)]
		if !known {
			if err := f.adopt(name, path, log); err != nil {
				return err
			}
		}
		var damage ndjson.Damage
		if *w, damage, err = ndjson.Open(path, limit, state); err != nil {
			return err
		}
		if damage != (ndjson.Damage{}) {
			log.Warn("lines are missing from a file", "file", path, "bytes", damage.Bytes)
			if err := f.repair(name, state, damage); err != nil {
				return fmt.Errorf("repair %s: %w", path, err)
			}
		}
	}
	return nil
}

// adopt makes a file this database's. It is booked at once: from then on what the file holds is ours to cut.
func (f *fold) adopt(name, path string, log *slog.Logger) error {
	aside, err := ndjson.SetAside(path)
	if err != nil {
		return err
	}
	if aside != "" {
		log.Warn("a file of another database was moved aside", "file", path, "to", aside)
	}
	return f.saveFile(name, ndjson.State{})
}

// fileKey names a file by the way to it from the database: in another folder it is another file, and a data folder that
// is moved keeps its own.
func (f *fold) fileKey(name string) string {
	path := filepath.Join(f.dir, name)
	if rel, err := filepath.Rel(filepath.Dir(f.db.path), path); err == nil {
		return rel
	}
	return path
}

// repair writes lines again that were committed and are gone: all of the current file's snapshots, for what is left of
// them may be any part. The lines of events.jsonl come from several streams, in an order that the rows do not tell:
// they are not made up, and a gap says so.
func (f *fold) repair(name string, state ndjson.State, damage ndjson.Damage) error {
	if name == snapshotsFile {
		if err := f.snapshots.Clear(); err != nil {
			return err
		}
		if err := f.rewriteSnapshots(state.Lines); err != nil {
			return err
		}
	}
	return f.db.transact(func() error {
		if name == eventsFile {
			if _, err := f.gap(f.positions[schema.StreamEvents], gap{reason: "lines lost",
				details: fmt.Sprintf("%d bytes of %s are gone; the rows are there", damage.Bytes, name)}); err != nil {
				return err
			}
		}
		return f.flushFiles()
	})
}

// files are the open files by name.
func (f *fold) files() map[string]*ndjson.Writer {
	if f.snapshots == nil && f.events == nil {
		return nil
	}
	return map[string]*ndjson.Writer{snapshotsFile: f.snapshots, eventsFile: f.events}
}

// flushFiles writes and syncs the lines, and books how far they go. It comes before the commit: rows without their
// lines could not be told from rows whose lines were lost.
func (f *fold) flushFiles() error {
	for name, w := range f.files() {
		if w == nil {
			continue // not opened yet
		}
		state, err := w.Flush()
		if err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		if err := f.saveFile(name, state); err != nil {
			return err
		}
	}
	return nil
}

func (f *fold) saveFile(name string, s ndjson.State) error {
	_, err := f.db.exec(`INSERT INTO files(name, generation, size, lines) VALUES (?,?,?,?)
		ON CONFLICT(name) DO UPDATE SET generation=excluded.generation, size=excluded.size, lines=excluded.lines`,
		f.fileKey(name), s.Generation, s.Size, s.Lines)
	return err
}

// full reports whether a file must be rotated before another message is folded.
func (f *fold) full() bool {
	return f.snapshots != nil && (f.snapshots.Full() || f.events.Full())
}

// rotate moves on from the files that are full, each in a transaction of its own. Nothing may be pending.
func (f *fold) rotate() error {
	for name, w := range f.files() {
		if !w.Full() {
			continue
		}
		state, err := w.PrepareRotation()
		if err != nil {
			return fmt.Errorf("rotate %s: %w", name, err)
		}
		if err := f.db.transact(func() error { return f.saveFile(name, state) }); err != nil {
			return fmt.Errorf("rotate %s: %w", name, err)
		}
		if err := w.Rotate(); err != nil {
			return fmt.Errorf("rotate %s: %w", name, err)
		}
	}
	return nil
}

func (f *fold) closeFiles() error {
	var errs []error
	for _, w := range []*ndjson.Writer{f.snapshots, f.events} { // of which one may have failed to open
		if w != nil {
			errs = append(errs, w.Close())
		}
	}
	return errors.Join(errs...)
}
