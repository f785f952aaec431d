package ndjson

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/schema/filecheck"
)

// Beside writes a file that another program rotates: one that renames it, or copies it and cuts it to
// nothing. Whatever that takes away is taken, and is never written again. A program that follows the file takes one that became
// shorter for a new one, so nothing is cut off here either: what a kill left behind the committed lines stays, and those lines are
// left out when they come.
type Beside struct {
	*Writer
	// left are the lines that were written before a kill and not committed, by what they are, and how many of each.
	left map[[sha256.Size]byte]int
	// all is the file with those lines. The writer's state is without them until a line is written behind them.
	all  State
	torn []byte // the beginning of a line at the end of the file
}

// mostLeft is the most of a file, in bytes, that is taken for lines that were not committed: more than any batch has.
const mostLeft = 64 << 20

// mostTaken is how many of the files beside it are searched for one that was taken away.
const mostTaken = 4

// OpenBeside opens the file at path, which another program rotates, to go on there.
func OpenBeside(path string, committed State) (*Beside, Damage, error) {
	w := &Beside{Writer: &Writer{path: path, state: committed}, left: map[[sha256.Size]byte]int{}}
	err := w.finishRotation() // begun before another program took over
	var damage Damage
	if err == nil {
		damage, err = w.settle()
	}
	if err != nil {
		return nil, damage, fmt.Errorf("recover %s: %w", path, err)
	}
	return w, damage, nil
}

// settle finds out what became of a file since it was committed.
func (w *Beside) settle() (damage Damage, err error) {
	if w.f, err = openBeside(w.path); err != nil {
		return damage, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.f.Close())
		}
	}()
	holds, size, err := holdsCommitted(w.f, &w.state)
	if err != nil {
		return damage, err
	}
	if holds && w.state.Size == 0 && w.state.Generation > 0 { // a file that was begun, and may have been taken away since
		if _, err := w.readTaken(); err != nil {
			return damage, err
		}
	}
	if !holds {
		damage = Damage{Taken: true, Changed: size >= w.state.Size}
		found, err := w.readTaken()
		if err != nil {
			return damage, err
		}
		damage.Changed = damage.Changed && !found
		w.state = State{Generation: w.state.Generation + 1}
	}
	w.state.Generation = max(w.state.Generation, 1) // of 0 is a file that was never opened
	return damage, w.readLeft(size)
}

// openBeside opens the file at path. One that is made is there after a power cut too.
func openBeside(path string) (*os.File, error) {
	if err := filecheck.File(path); err != nil {
		return nil, err
	}
	f, err := filecheck.Create(path, os.O_RDWR|os.O_CREATE|os.O_APPEND)
	if err != nil {
		return nil, err
	}
	if err := syncFolder(filepath.Dir(path)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// holdsCommitted reports whether a file begins with what was committed, and how long it is.
func holdsCommitted(f *os.File, committed *State) (holds bool, size int64, err error) {
	info, err := f.Stat()
	if err != nil || info.Size() < committed.Size {
		return false, infoSize(info), err
	}
	_, sum, err := sumOf(f, committed.Size)
	if committed.Sum == NoSum {
		committed.Sum = sum
	}
	return committed.Sum == sum, info.Size(), err
}

func infoSize(info fs.FileInfo) int64 {
	if info == nil {
		return 0
	}
	return info.Size()
}

// readLeft reads what stands in the file behind what is committed.
func (w *Beside) readLeft(size int64) error {
	w.all = w.state
	known := size-w.state.Size <= mostLeft
	err := eachLine(io.NewSectionReader(w.f, w.state.Size, size-w.state.Size), func(line []byte) {
		if line[len(line)-1] != '\n' {
			w.torn = bytes.Clone(line)
			return
		}
		w.all = w.all.with(line)
		if known {
			w.remember(line)
		}
	})
	if len(w.left) == 0 {
		w.state = w.all
	}
	return err
}

// readTaken looks for the file that was committed under the names that it may have been given, and reads what else it has, and what
// those have that are newer. Nothing tells a file from others that had just been begun: it is one of the newest.
func (w *Beside) readTaken() (found bool, err error) {
	names, err := takenNames(w.path)
	if err != nil {
		return false, err
	}
	for _, name := range names[:min(len(names), mostTaken)] {
		f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
		if err != nil {
			continue // gone meanwhile, or another's
		}
		committed := w.state
		holds, size, err := holdsCommitted(f, &committed)
		from := int64(0)
		if holds {
			from = committed.Size
		}
		if err == nil && size-from <= mostLeft {
			err = eachLine(io.NewSectionReader(f, from, size-from), w.remember)
		}
		if err = errors.Join(err, f.Close()); err != nil || holds && committed.Size > 0 {
			return holds, err
		}
	}
	return false, nil
}

// remember notes a line that was written and perhaps not committed. One that was does no harm: it never comes again.
func (w *Beside) remember(line []byte) {
	if line[len(line)-1] == '\n' {
		w.left[sha256.Sum256(line)]++
	}
}

// takenNames are the files beside the one at path that have its name at their beginning, the newest first.
func takenNames(path string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	type named struct {
		path string
		time int64
	}
	var all []named
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && e.Type().IsRegular() && strings.HasPrefix(e.Name(), filepath.Base(path)) && e.Name() != filepath.Base(path) {
			all = append(all, named{filepath.Join(filepath.Dir(path), e.Name()), info.ModTime().UnixNano()})
		}
	}
	slices.SortFunc(all, func(a, b named) int { return cmp.Compare(b.time, a.time) })
	paths := make([]string, len(all))
	for i, n := range all {
		paths[i] = n.path
	}
	return paths, nil
}

// eachLine calls do for each line, with its newline, and for what stands behind the last.
func eachLine(from io.Reader, do func(line []byte)) error {
	for r := bufio.NewReader(from); ; {
		line, err := r.ReadBytes('\n')
		if len(line) > 0 {
			do(line)
		}
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// Full implements what a [Writer] does: another program says when a file is full.
func (w *Beside) Full() bool { return false }

// Flush writes what was appended, but for lines that are there, and syncs it.
func (w *Beside) Flush() (State, error) {
	if len(w.pending) == 0 {
		return w.state, nil
	}
	if err := w.writeFresh(); err != nil {
		return w.state, err
	}
	return w.sync()
}

// toCheck opens what is on disk, to be checked; nil where another program has taken it away, which the next line finds out.
func (w *Beside) toCheck() (*Reading, error) {
	r, err := w.Writer.toCheck()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if !isAt(r.f, w.f) {
		return nil, r.f.Close()
	}
	r.cut = true
	return r, nil
}

// writeFresh writes what is pending, but for lines that are there.
func (w *Beside) writeFresh() error {
	if err := w.follow(); err != nil {
		return err
	}
	fresh := w.notLeft()
	if len(fresh) == 0 {
		if len(w.left) == 0 {
			w.state = w.all
		}
		return nil
	}
	w.state = w.all
	if torn := w.torn; len(torn) > 0 {
		w.torn = nil
		if !bytes.HasPrefix(fresh, torn) {
			if err := w.f.Truncate(w.state.Size); err != nil {
				return err
			}
		} else {
			w.state.Size += int64(len(torn))
			w.state.Sum = int64(crc32.Update(uint32(w.state.Sum), castagnoli, torn))
			fresh = fresh[len(torn):]
		}
	}
	err := w.write(fresh)
	w.all = w.state
	return err
}

// notLeft returns the lines that are pending, without those that a kill left.
func (w *Beside) notLeft() []byte {
	left := w.left
	if len(left) == 0 {
		return w.pending
	}
	var fresh []byte
	for line := range bytes.Lines(w.pending) {
		key := sha256.Sum256(line)
		switch left[key] {
		case 0:
			fresh = append(fresh, line...)
			continue
		case 1:
			delete(left, key)
		default:
			left[key]--
		}
	}
	return fresh
}

// follow goes on in another file where the one at the path is no longer the writer's, and at the beginning of one that was cut.
func (w *Beside) follow() error {
	mine, err := w.f.Stat()
	if err != nil {
		return err
	}
	there, err := os.Lstat(w.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	moved := err != nil || !os.SameFile(mine, there)
	size := w.all.Size + int64(len(w.torn))
	switch {
	case !moved && mine.Size() == size:
		return nil
	case !moved && mine.Size() > size:
		return fmt.Errorf("%s: somebody else wrote into it", w.path)
	case moved:
		f, err := openBeside(w.path)
		if err != nil {
			return err
		}
		if err := errors.Join(w.f.Close(), err); err != nil {
			return errors.Join(err, f.Close())
		}
		w.f = f
	}
	return w.beginAnew()
}

// beginAnew begins with what the file has now, which is none of what was written before: as a rule nothing.
func (w *Beside) beginAnew() error {
	info, err := w.f.Stat()
	if err != nil {
		return err
	}
	now := State{Generation: w.state.Generation + 1}
	w.torn = nil
	err = eachLine(io.NewSectionReader(w.f, 0, info.Size()), func(line []byte) {
		if line[len(line)-1] == '\n' {
			now = now.with(line)
		} else {
			w.torn = bytes.Clone(line)
		}
	})
	w.state, w.all = now, now
	return err
}

// isAt reports whether two open files are one.
func isAt(a, b *os.File) bool {
	x, errX := a.Stat()
	y, errY := b.Stat()
	return errX == nil && errY == nil && os.SameFile(x, y)
}
