// Package ndjson keeps rotating files of JSON lines: lines go in, and out come files that hold exactly the lines
// up to the last commit, whatever happened in between.
//
// A writer does not know what is committed; its caller keeps a [State] in the transaction that holds the rows, and
// gives it back after a restart. What a file holds beyond that state is cut off then, and written again. The order
// is: Append, Flush (which syncs), commit the State. Rotation is a step of its own between two transactions, so
// that one transaction never loses what an earlier one relies on.
package ndjson

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/schema/filecheck"
)

// DefaultLimit is the size from which a file is rotated before the next line: 50 MiB.
const DefaultLimit = 52428800

// preparedSuffix ends the name of a file that is to take another's place.
const preparedSuffix = ".new"

// Writer writes one file and keeps at most two old ones beside it: path, path.1, path.2. One goroutine uses it.
type Writer struct {
	path    string
	limit   int64
	f       *os.File
	state   State  // on disk, synced or not
	pending []byte // appended since Flush
}

// Open brings the file at path to the committed state, and opens it to go on there. A file that is not as it was committed is mended: the lines
// of rows are made of them.
func Open(path string, limit int64, committed State, rows Snapshots) (*Writer, Damage, error) {
	if limit <= 0 {
		limit = DefaultLimit
	}
	w := &Writer{path: path, limit: limit, state: committed}
	err := w.finishRotation()
	var damage Damage
	if err == nil {
		damage, err = w.recover(rows)
	}
	if err != nil {
		return nil, damage, fmt.Errorf("recover %s: %w", path, err)
	}
	return w, damage, nil
}

// recover opens the current file, mends it, and cuts off what was not committed.
func (w *Writer) recover(rows Snapshots) (damage Damage, err error) {
	sound, err := w.open()
	if err == nil && !sound {
		err = w.f.Close()
		if err == nil {
			w.state, damage, err = mend(w.path, w.state, rows)
		}
		if err == nil {
			_, err = w.open()
		}
	}
	if err != nil {
		return damage, err
	}
	if err := w.truncate(); err != nil {
		return damage, errors.Join(err, w.f.Close())
	}
	return damage, nil
}

// open opens the current file, and reports whether it holds what was committed.
func (w *Writer) open() (sound bool, err error) {
	if err := filecheck.File(w.path); err != nil {
		return false, err
	}
	if w.f, err = filecheck.Create(w.path, os.O_RDWR|os.O_CREATE|os.O_APPEND); err != nil {
		return false, err
	}
	size, sum, err := sumOf(w.f, w.state.Size)
	if err != nil {
		return false, errors.Join(err, w.f.Close())
	}
	if size < w.state.Size || w.state.Sum != NoSum && w.state.Sum != sum {
		return false, nil
	}
	w.state.Sum = sum
	return true, nil
}

func (w *Writer) truncate() error {
	if err := w.f.Truncate(w.state.Size); err != nil {
		return err
	}
	return unix.Fdatasync(int(w.f.Fd()))
}

// unchanged checks that the file is still the one at its path, and as long as it was left. Somebody who moves it away or
// cuts it short while it is written ends the writing; opening it again puts it right.
func (w *Writer) unchanged() error {
	mine, err := w.f.Stat()
	if err != nil {
		return err
	}
	there, err := os.Lstat(w.path)
	if err != nil {
		return err
	}
	if !os.SameFile(mine, there) || mine.Size() != w.state.Size {
		return fmt.Errorf("%s: somebody else moved it or changed its size; a program that rotates it needs --ndjson-rotate never", w.path)
	}
	return nil
}

// SetAside moves a file out of the way that is none of the caller's, to path.aside or, where there is one, path.aside.1
// and so on. It returns where it is; nothing when there was no such file, or an empty one.
func SetAside(path string) (string, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return "", nil
	} else if err != nil {
		return "", err
	}
	aside := path + ".aside"
	for n := 1; ; n++ {
		if err := os.Link(path, aside); err == nil {
			return aside, os.Remove(path)
		} else if !errors.Is(err, fs.ErrExist) {
			return "", err
		}
		aside = fmt.Sprintf("%s.aside.%d", path, n)
	}
}

// Append adds a line, with its newline, to what the next Flush writes.
func (w *Writer) Append(line func([]byte) []byte) { w.pending = line(w.pending) }

// Full reports whether the file has reached its limit, so that it must be rotated before another line.
func (w *Writer) Full() bool { return w.state.Size+int64(len(w.pending)) >= w.limit }

// Flush writes what was appended and syncs it. After an error the writer is of no more use: what a failed sync
// left on disk nobody knows, and only opening the file again tells.
func (w *Writer) Flush() (State, error) {
	if len(w.pending) == 0 {
		return w.state, nil
	}
	if err := w.unchanged(); err != nil {
		return w.state, err
	}
	if err := w.write(w.pending); err != nil {
		return w.state, err
	}
	return w.sync()
}

// write writes whole lines.
func (w *Writer) write(lines []byte) error {
	n, err := w.f.Write(lines)
	w.state = w.state.with(lines[:n])
	return err
}

// sync ends a flush: nothing is pending then.
func (w *Writer) sync() (State, error) {
	w.pending = w.pending[:0]
	if err := unix.Fdatasync(int(w.f.Fd())); err != nil {
		return w.state, &fs.PathError{Op: "fdatasync", Path: w.path, Err: err}
	}
	return w.state, nil
}

// PrepareRotation makes ready for a new file and returns the state to commit before [Writer.Rotate]. Nothing may
// be pending.
func (w *Writer) PrepareRotation() (State, error) {
	f, err := filecheck.Create(w.path+preparedSuffix, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return State{}, err
	}
	if err := errors.Join(f.Close(), syncFolder(filepath.Dir(w.path))); err != nil {
		return State{}, err
	}
	return State{Generation: w.state.Generation + 1}, nil
}

// Rotate moves to the new file; the state that PrepareRotation returned has been committed.
func (w *Writer) Rotate() error {
	if err := w.f.Close(); err != nil {
		return err
	}
	w.state = State{Generation: w.state.Generation + 1}
	if err := w.finishRotation(); err != nil {
		return err
	}
	_, err := w.recover(nil)
	return err
}

// finishRotation does what is left of a rotation. The file path.new says that one was begun, and a committed size
// of 0 that it is to be finished: only a full file is rotated, so a size of 0 is the new file's.
func (w *Writer) finishRotation() error {
	if _, err := os.Lstat(w.path + preparedSuffix); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	if w.state.Size > 0 || w.state.Generation == 0 {
		return os.Remove(w.path + preparedSuffix) // prepared, never committed
	}
	// The current file is missing when it was moved already, and then so was the older one.
	if _, err := os.Lstat(w.path); err == nil {
		if err := rename(w.path+".1", w.path+".2"); err != nil {
			return err
		}
		if err := rename(w.path, w.path+".1"); err != nil {
			return err
		}
	}
	if err := rename(w.path+preparedSuffix, w.path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(w.path))
}

// rename moves a file that may be missing.
func rename(from, to string) error {
	if err := os.Rename(from, to); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// toCheck opens what is on disk, to be checked.
func (w *Writer) toCheck() (*Reading, error) {
	f, err := os.Open(w.path)
	if err != nil {
		return nil, err
	}
	return &Reading{Path: w.path, f: f, state: w.state}, nil
}

func (w *Writer) at() string { return w.path }

// Close closes the file. What was appended and not flushed is lost, as it is not committed either.
func (w *Writer) Close() error { return w.f.Close() }
