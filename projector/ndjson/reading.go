package ndjson

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Reading is a file as it was at a time. Check closes it.
type Reading struct {
	Path  string
	f     *os.File
	state State
	cut   bool // another program may cut it to nothing
}

// Rotated are the paths to which a file at path is rotated away, the newest first.
func Rotated(path string) []string { return []string{path + ".1", path + ".2"} }

// ReadRotated opens a file that was rotated away, whose state then was was, to be checked. It returns nil for one that somebody took away, and
// for one that has no sum.
func ReadRotated(path string, was State) (*Reading, error) {
	if was.Sum == NoSum {
		return nil, nil
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	return &Reading{Path: path, f: f, state: was}, nil
}

// MendRotated mends a file that was rotated away and is not as it was written, as [Open] does.
func MendRotated(path string, was State, rows Snapshots) (State, Damage, error) {
	return mend(path, was, rows)
}

// ErrChanged is returned for a file that is not as it was written.
var ErrChanged = errors.New("not as it was written")

// checkedBytes is how many bytes of a file are read at a time.
const checkedBytes = 256 << 10

// Check reads the file, and returns [ErrChanged] when it is not what was written. Between two pieces it calls wait, and gives up when that
// returns false.
func (r *Reading) Check(wait func() bool) (err error) {
	defer func() { err = errors.Join(err, r.f.Close()) }()
	sum, b, size := uint32(0), make([]byte, checkedBytes), int64(0)
	for from := io.NewSectionReader(r.f, 0, r.state.Size); ; {
		n, err := io.ReadFull(from, b)
		sum = crc32.Update(sum, castagnoli, b[:n])
		size += int64(n)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return err
		}
		if err != nil {
			break
		}
		if !wait() {
			return nil
		}
	}
	if info, err := r.f.Stat(); err != nil || r.cut && info.Size() < r.state.Size {
		return err
	}
	if size != r.state.Size || int64(sum) != r.state.Sum {
		return fmt.Errorf("%s is %w", r.Path, ErrChanged)
	}
	return nil
}
