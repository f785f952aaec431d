package ndjson

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/lockfile"
)

// The names of the files beside a database, where no other is asked for. The contract says that nothing but snapshots goes into the first.
const (
	SnapshotsFile = "monitor.jsonl"
	EventsFile    = "events.jsonl"
)

// Files are the two files of a folder: what the snapshots tell, and what started, ended and is missing. A nil Files
// keeps no files. One goroutine uses it.
type Files struct {
	Layout    Layout
	lock      *lockfile.Lock
	snapshots lineFile // nil until it is opened
	events    lineFile
}

// lineFile is a [Writer] or a [Beside].
type lineFile interface {
	Append(line func([]byte) []byte)
	Full() bool
	Flush() (State, error)
	PrepareRotation() (State, error)
	Rotate() error
	Close() error
	toCheck() (*Reading, error)
	at() string
}

// LockPath returns the file whose lock says who writes the files in dir.
func LockPath(dir string) string { return filepath.Join(dir, "ndjson.lock") }

// Layout says where the files are, and who rotates them.
type Layout struct {
	Dir       string
	Snapshots string // name of the file of snapshots; default [SnapshotsFile]
	Limit     int64  // bytes from which a file is rotated; default [DefaultLimit]
	// Others is whether another program rotates the files, such as logrotate: what that takes away is not written again, and Limit
	// does not count.
	Others bool
}

// Names are the names of the files.
func (l Layout) Names() []string { return []string{l.Snapshots, EventsFile} }

// Begun is the state of a file that is to be opened for the first time, as it is stored: for a kill may come before another one is.
func (l Layout) Begun() State {
	if l.Others {
		return State{Generation: 1}
	}
	return State{}
}

// LockFiles locks the files of a layout. Files that another process writes are a *[lockfile.HeldError]. Open opens them, and
// Close lets go of them.
func LockFiles(layout Layout) (*Files, error) {
	lock, err := lockfile.Acquire(LockPath(layout.Dir))
	if err != nil {
		return nil, fmt.Errorf("lock the files: %w", err)
	}
	layout.Snapshots = cmp.Or(layout.Snapshots, SnapshotsFile)
	return &Files{Layout: layout, lock: lock}, nil
}

// Path returns the path of a file.
func (f *Files) Path(name string) string { return filepath.Join(f.Layout.Dir, name) }

// Open brings a file to its committed state. It returns what was wrong with the file, which is mended; the lines of rows are made of
// them. What another program took away is not written again where that rotates the files.
func (f *Files) Open(name string, committed State, rows Snapshots) (Damage, error) {
	w, damage, err := f.openFile(name, committed, rows)
	switch {
	case err != nil:
	case name == f.Layout.Snapshots:
		f.snapshots = w
	default:
		f.events = w
	}
	return damage, err
}

func (f *Files) openFile(name string, committed State, rows Snapshots) (lineFile, Damage, error) {
	if f.Layout.Others {
		return OpenBeside(f.Path(name), committed)
	}
	return Open(f.Path(name), f.Layout.Limit, committed, rows)
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
			return fmt.Errorf("write %s: %w", w.at(), err)
		}
		if err := save(w.at(), state); err != nil {
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
			err = save(w.at(), state)
		}
		if err == nil {
			err = w.Rotate()
		}
		if err != nil {
			return fmt.Errorf("rotate %s: %w", w.at(), err)
		}
	}
	return nil
}

// Reopen opens the files anew that another program took away, and passes on how far each of them goes. Where no other program
// rotates them it does nothing.
func (f *Files) Reopen(save func(path string, s State) error) error {
	for _, w := range f.open() {
		beside, ok := w.(*Beside)
		if !ok {
			continue
		}
		before := beside.state
		err := beside.follow()
		if err == nil && beside.state != before {
			err = save(beside.path, beside.state)
		}
		if err != nil {
			return fmt.Errorf("open %s again: %w", beside.path, err)
		}
	}
	return nil
}

// open are the writers of the files that are open.
func (f *Files) open() []lineFile {
	if f == nil {
		return nil
	}
	var open []lineFile
	for _, w := range []lineFile{f.snapshots, f.events} {
		if w != nil {
			open = append(open, w)
		}
	}
	return open
}

// Readings are the files as far as they are on disk now, to be checked beside their writer.
func (f *Files) Readings() (all []*Reading, err error) {
	for _, w := range f.open() {
		r, err := w.toCheck()
		if err != nil {
			for _, r := range all {
				err = errors.Join(err, r.f.Close())
			}
			return nil, err
		}
		if r != nil {
			all = append(all, r)
		}
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
