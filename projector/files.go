package projector

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/proctape/proctape/projector/ndjson"
)

// The NDJSON files beside the database. The contract says that nothing but snapshots goes into the first.
const (
	snapshotsFile = "monitor.jsonl"
	eventsFile    = "events.jsonl"
)

// openFiles opens the NDJSON files in dir as far as the database has them.
func (f *fold) openFiles(dir string, limit int64) (damaged []ndjson.Damage, err error) {
	states := map[string]ndjson.State{}
	err = f.db.query(`SELECT name, generation, size FROM files`, func(r *sql.Rows) error {
		var name string
		var s ndjson.State
		if err := r.Scan(&name, &s.Generation, &s.Size); err != nil {
			return err
		}
		states[name] = s
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read how far the files are: %w", err)
	}
	for name, w := range map[string]**ndjson.Writer{snapshotsFile: &f.snapshots, eventsFile: &f.events} {
		var damage ndjson.Damage
		if *w, damage, err = ndjson.Open(filepath.Join(dir, name), limit, states[name]); err != nil {
			return nil, err
		}
		if damage.Missing > 0 {
			damaged = append(damaged, damage)
		}
	}
	return damaged, nil
}

// files are the open files by name.
func (f *fold) files() map[string]*ndjson.Writer {
	if f.snapshots == nil {
		return nil
	}
	return map[string]*ndjson.Writer{snapshotsFile: f.snapshots, eventsFile: f.events}
}

// flushFiles writes and syncs the lines, and books how far they go. It comes before the commit: rows without their
// lines could not be told from rows whose lines were lost.
func (f *fold) flushFiles() error {
	for name, w := range f.files() {
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
	_, err := f.db.exec(`INSERT INTO files(name, generation, size) VALUES (?,?,?)
		ON CONFLICT(name) DO UPDATE SET generation=excluded.generation, size=excluded.size`, name, s.Generation, s.Size)
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
