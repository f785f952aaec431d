package ndjson

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/filecheck"
)

// Snapshots calls line for the newest snapshots of a file of which there are rows, oldest first. A nil Snapshots knows of none.
type Snapshots func(line func(*schema.Message) error) error

// Damage is what was missing from a file, or changed. The file was mended: it holds whole lines.
type Damage struct {
	Bytes   int64 // that are missing now
	Lines   int64 // that are missing now, where their number can be told
	Changed bool  // bytes were not what was written
	// Made is whether the file is again what was written, by its sum.
	Made bool
	// Taken is whether another program took the file away, whose work it is: nothing is missing then.
	Taken bool
}

// mend puts a file in the place of the one at path, which is not as it was written. Lines of which there are rows are made of them, those before
// are kept. When that does not give what was written, all lines that can be read are kept of a file that is as long as it was. Of one that is
// not, the lines are those of the rows, or the whole lines where there are no rows.
func mend(path string, was State, rows Snapshots) (State, Damage, error) {
	old, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		old, err = os.Open(os.DevNull)
	}
	if err != nil {
		return State{}, Damage{}, err
	}
	defer old.Close()
	info, err := old.Stat()
	if err != nil {
		return State{}, Damage{}, err
	}
	damage := Damage{Changed: info.Size() >= was.Size}
	lines := func() *io.SectionReader { return io.NewSectionReader(old, 0, was.Size) }
	now, err := State{}, error(nil)
	if rows != nil {
		now, err = replace(path, was, func(w io.Writer) error { return writeRows(w, lines(), was.Size, rows) })
		damage.Made = err == nil && now.Size == was.Size && (was.Sum == NoSum || now.Sum == was.Sum)
	}
	switch {
	case err != nil || damage.Made:
	case rows != nil && !damage.Changed: // nobody knows which lines are left
		now, err = replace(path, was, func(w io.Writer) error { return writeSnapshots(w, rows) })
	default:
		now, err = replace(path, was, func(w io.Writer) error { return copyLines(w, lines(), damage.Changed) })
	}
	damage.Bytes, damage.Lines = was.Size-now.Size, was.Lines-now.Lines
	return now, damage, err
}

// writeRows writes the lines of rows, and before them as much of the file as comes before them in size bytes.
func writeRows(w io.Writer, file io.Reader, size int64, rows Snapshots) error {
	newest := &counter{w: io.Discard}
	if err := writeSnapshots(newest, rows); err != nil {
		return err
	}
	if before := size - newest.size; before > 0 {
		if err := copyLines(w, io.LimitReader(file, before), false); err != nil {
			return err
		}
	}
	return writeSnapshots(w, rows)
}

func writeSnapshots(w io.Writer, rows Snapshots) error {
	var b []byte
	return rows(func(m *schema.Message) error {
		b = AppendSnapshot(b[:0], m)
		_, err := w.Write(b)
		return err
	})
}

// copyLines copies whole lines, or those that are JSON.
func copyLines(w io.Writer, file io.Reader, readable bool) error {
	for r := bufio.NewReader(file); ; {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if readable && !json.Valid(line) {
			continue
		}
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
}

// replace puts what write writes in the place of the file at path, and returns its state.
func replace(path string, was State, write func(io.Writer) error) (now State, err error) {
	f, err := filecheck.Create(path+".mended", os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return now, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("mend: %w", err), os.Remove(f.Name()))
		}
	}()
	b := bufio.NewWriter(f)
	c := &counter{w: b}
	if err := write(c); err != nil {
		return now, errors.Join(err, f.Close())
	}
	if err := errors.Join(b.Flush(), f.Sync(), f.Close()); err != nil {
		return now, err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return now, err
	}
	return State{Generation: was.Generation, Size: c.size, Lines: c.lines, Sum: int64(c.sum)}, syncFolder(filepath.Dir(path))
}

// counter counts and sums what is written.
type counter struct {
	w           io.Writer
	size, lines int64
	sum         uint32
}

// Write implements [io.Writer].
func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.size += int64(n)
	c.lines += int64(bytes.Count(b[:n], []byte{'\n'}))
	c.sum = crc32.Update(c.sum, castagnoli, b[:n])
	return n, err
}
