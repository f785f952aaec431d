package ndjson

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/lockfile"
)

// The names of the files beside a database. The contract says that nothing but snapshots goes into the first.
const (
	SnapshotsFile = "monitor.jsonl"
	EventsFile    = "events.jsonl"
)

// Files are the two files of a folder: what the snapshots tell, and what started, ended and is missing. A nil Files
// keeps no files. One goroutine uses it.
type Files struct {
	dir       string
	limit     int64
	lock      *lockfile.Lock
	snapshots *Writer // nil until it is opened
	events    *Writer
}

// LockPath returns the file whose lock says who writes the files in dir.
func LockPath(dir string) string { return filepath.Join(dir, "ndjson.lock") }

// LockFiles locks the files in dir, which are rotated from limit bytes on (0 for [DefaultLimit]). Files that another
// process writes are a *[lockfile.HeldError]. Open opens them, and Close lets go of them.
func LockFiles(dir string, limit int64) (*Files, error) {
	lock, err := lockfile.Acquire(LockPath(dir))
	if err != nil {
		return nil, fmt.Errorf("lock the files: %w", err)
	}
	return &Files{dir: dir, limit: limit, lock: lock}, nil
}

// Path returns the path of a file.
func (f *Files) Path(name string) string { return filepath.Join(f.dir, name) }

// Open brings a file to its committed state. It returns what was wrong with the file, which is mended; the lines of rows are made of them.
func (f *Files) Open(name string, committed State, rows Snapshots) (Damage, error) {
	w, damage, err := Open(f.Path(name), f.limit, committed, rows)
	if err != nil {
		return damage, err
	}
	if name == SnapshotsFile {
		f.snapshots = w
	} else {
		f.events = w
	}
	return damage, nil
}

// AppendSnapshot appends the line of a snapshot.
func (f *Files) AppendSnapshot(m *schema.Message) {
	if f != nil {
		f.snapshots.Append(func(b []byte) []byte { return AppendSnapshot(b, m) })
	}
}

// AppendEvent appends the line of a lifecycle event.
func (f *Files) AppendEvent(m *schema.Message, e *schema.Event) {
	if f != nil {
		f.events.Append(func(b []byte) []byte { return AppendEvent(b, m, e) })
	}
}

// AppendExec appends the line of an exec.
func (f *Files) AppendExec(m *schema.Message, e *schema.Exec) {
	if f != nil {
		f.events.Append(func(b []byte) []byte { return AppendExec(b, m, e) })
	}
}

// AppendGap appends the line of a gap.
func (f *Files) AppendGap(g Gap) {
	if f != nil {
		f.events.Append(func(b []byte) []byte { return AppendGap(b, g) })
	}
}

// Flush writes and syncs the lines, and passes on how far each file goes. It comes before the commit: rows without their
// lines could not be told from rows whose lines were lost.
func (f *Files) Flush(save func(path string, s State) error) error {
	for _, w := range f.open() {
		state, err := w.Flush()
		if err != nil {
			return fmt.Errorf("write %s: %w", w.path, err)
		}
		if err := save(w.path, state); err != nil {
			return err
		}
	}
	return nil
}

// Full reports whether a file must be rotated before another message is folded.
func (f *Files) Full() bool {
	for _, w := range f.open() {
		if w.Full() {
			return true
		}
	}
	return false
}

// Rotate moves on from the files that are full; nothing may be pending. save commits the new state of a file before its
// files are renamed: those of [Rotated].
func (f *Files) Rotate(save func(path string, s State) error) error {
	for _, w := range f.open() {
		if !w.Full() {
			continue
		}
		state, err := w.PrepareRotation()
		if err == nil {
			err = save(w.path, state)
		}
		if err == nil {
			err = w.Rotate()
		}
		if err != nil {
			return fmt.Errorf("rotate %s: %w", w.path, err)
		}
	}
	return nil
}

// open are the writers of the files that are open.
func (f *Files) open() []*Writer {
	if f == nil {
		return nil
	}
	var open []*Writer
	for _, w := range []*Writer{f.snapshots, f.events} {
		if w != nil {
			open = append(open, w)
		}
	}
	return open
}

// Readings are the files as far as they are on disk now, to be checked beside their writer.
func (f *Files) Readings() (all []*Reading, err error) {
	for _, w := range f.open() {
		file, err := os.Open(w.path)
		if err != nil {
			for _, r := range all {
				err = errors.Join(err, r.f.Close())
			}
			return nil, err
		}
		all = append(all, &Reading{w.path, file, w.state})
	}
	return all, nil
}

// Close closes the files and releases their lock.
func (f *Files) Close() error {
	if f == nil {
		return nil
	}
	var errs []error
	for _, w := range f.open() {
		errs = append(errs, w.Close())
	}
	return errors.Join(append(errs, f.lock.Release())...)
}
