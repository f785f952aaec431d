package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/schema/filecheck"
	"github.com/proctape/proctape/schema/trouble"
)

// Path is the file in which the process that writes a database says how it is.
func Path(db string) string { return db + ".state" }

// fileSize is what the file has from its beginning to its end, in bytes: what is written later replaces what is there, which a
// full disk allows.
const fileSize = 16 << 10

// maxTroubles is how many troubles the file tells of, and maxReason how many bytes of a reason.
const (
	maxTroubles = 20
	maxReason   = 250
)

// File is the file as its process writes it. Close it.
type File struct{ f *os.File }

// Create makes the file at path, or takes the one that is there, and writes all of it once, so that it has its place on the disk.
// Whoever calls it holds the lock of the database.
func Create(path string) (*File, error) {
	f, err := filecheck.Create(path, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(fmt.Errorf("%s is no file", path), err, f.Close())
	}
	if _, err := f.WriteAt(make([]byte, fileSize), 0); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &File{f}, f.Truncate(fileSize)
}

// Write says how the process is.
func (f *File) Write(p Process) error {
	b, err := encode(p)
	if err != nil {
		return err
	}
	_, err = f.f.WriteAt(b, 0)
	return err
}

// isAt reports whether the file is still the one at path: somebody may have removed it, or put another in its place.
func (f *File) isAt(path string) bool {
	mine, err := f.f.Stat()
	there, err2 := os.Lstat(path)
	return err == nil && err2 == nil && os.SameFile(mine, there)
}

// Close closes the file, which stays.
func (f *File) Close() error { return f.f.Close() }

// encode is the content of the file: a checksum, the state as JSON, and blanks to its end. Of very much trouble it tells the
// oldest.
func encode(p Process) ([]byte, error) {
	all := p.Troubles
	for n := min(len(all), maxTroubles); ; n /= 2 {
		p.Troubles = make([]trouble.Trouble, n)
		for i := range p.Troubles {
			p.Troubles[i] = all[i]
			p.Troubles[i].Reason, p.Troubles[i].About = cut(all[i].Reason), cut(all[i].About)
		}
		b, err := json.Marshal(p)
		if err != nil {
			return nil, err
		}
		b = append(fmt.Appendf(nil, "%08x ", crc32.ChecksumIEEE(b)), append(b, '\n')...)
		if len(b) <= fileSize {
			return append(b, bytes.Repeat([]byte{' '}, fileSize-len(b))...), nil
		}
		if n == 0 {
			return nil, fmt.Errorf("the state has %d bytes, and the file room for %d", len(b), fileSize)
		}
	}
}

// cut shortens a text to whole runes of at most maxReason bytes.
func cut(s string) string {
	if len(s) <= maxReason {
		return s
	}
	n := maxReason
	for n > 0 && s[n]&0xc0 == 0x80 {
		n--
	}
	return s[:n] + "…"
}

// ErrUnreadable is returned by Read for a file that holds no state: it is damaged, or was not written to its end.
var ErrUnreadable = errors.New("the state cannot be read")

// Read reads what the process that wrote the file last said. Nothing says that the process still runs: compare PID with who
// holds the lock of the database, and Said with [Now]. A file that is not there is fs.ErrNotExist.
func Read(path string) (Process, error) {
	var p Process
	err := ErrUnreadable
	for try := 0; try < 5 && errors.Is(err, ErrUnreadable); try++ { // it may be read while it is written
		if try > 0 {
			time.Sleep(5 * time.Millisecond)
		}
		p, err = read(path)
	}
	return p, err
}

func read(path string) (Process, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return Process{}, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, fileSize))
	if err != nil {
		return Process{}, err
	}
	return decode(b)
}

// decode reads the content of the file.
func decode(b []byte) (Process, error) {
	var p Process
	sum, text, ok := bytes.Cut(bytes.TrimRight(b, " \n\x00"), []byte{' '})
	if !ok || string(sum) != fmt.Sprintf("%08x", crc32.ChecksumIEEE(text)) {
		return p, ErrUnreadable
	}
	if err := json.Unmarshal(text, &p); err != nil {
		return p, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	return p, nil
}
