package publish

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/filecheck"
	"github.com/proctape/proctape/schema/lockfile"
)

// maxLifeFile is more than any life has to say, in bytes.
const maxLifeFile = 64 << 10

// lifeText is what the file of a life says: a line of JSON, and a line with its CRC-32C.
func lifeText(host string, e *schema.End) ([]byte, error) {
	line, err := json.Marshal(lifeLine{Version: 1, Host: host, End: *e})
	if err != nil {
		return nil, err
	}
	line = append(line, '\n')
	return fmt.Appendf(line, "%08x\n", crc32of(line)), nil
}

// lifeLine is the first line of the file of a life.
type lifeLine struct {
	Version int        `json:"v"`
	Host    string     `json:"host"`
	End     schema.End `json:"end"`
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func crc32of(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// parseLife reads what the file of a life of a host says.
func parseLife(host string, b []byte) (life schema.End, err error) {
	i := bytes.IndexByte(b, '\n') + 1
	if want := fmt.Appendf(nil, "%08x\n", crc32of(b[:i])); i == 0 || !bytes.Equal(b[i:], want) {
		return life, errors.New("its checksum is wrong")
	}
	var line lifeLine
	if err := json.Unmarshal(b[:i], &line); err != nil {
		return life, err
	}
	switch {
	case line.Version != 1:
		return life, fmt.Errorf("version %d is not 1", line.Version)
	case line.Host != host:
		return life, fmt.Errorf("it is of host %.80q", line.Host)
	}
	return line.End, line.End.Validate()
}

// lifeFile is the file of a life. Who has it open holds its lock.
type lifeFile struct {
	path string
	f    *os.File
}

// errReplaced says that a file was replaced between its opening and its locking: its life goes on.
var errReplaced = errors.New("the file was replaced")

// openLifeFile opens and locks the file of a life that has ended. It returns a *[lockfile.HeldError] for one that goes on.
func openLifeFile(path string) (*lifeFile, error) {
	if err := filecheck.File(path); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	l := &lifeFile{path, f}
	if err := errors.Join(lockfile.Try(f), l.stillThere()); err != nil {
		f.Close()
		return nil, err
	}
	return l, nil
}

// stillThere checks that the file is what stands at its path: a life replaces its file when it writes it.
func (l *lifeFile) stillThere() error {
	opened, err := l.f.Stat()
	if err != nil {
		return err
	}
	if now, err := os.Lstat(l.path); err != nil || !os.SameFile(opened, now) {
		return errReplaced
	}
	return nil
}

// read returns what the file says.
func (l *lifeFile) read() ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(l.f, maxLifeFile+1))
	if err == nil && len(b) > maxLifeFile {
		return nil, fmt.Errorf("it is larger than %d bytes", maxLifeFile)
	}
	return b, err
}

// write replaces the file by one that is locked already, and returns when the disk has it.
func (l *lifeFile) write(b []byte) error {
	next := l.path + unfinished
	f, err := os.OpenFile(next, os.O_RDWR|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	err = lockfile.Try(f)
	if err == nil {
		_, err = f.Write(b)
	}
	if err = errors.Join(err, f.Sync()); err == nil {
		err = os.Rename(next, l.path)
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	if l.f != nil {
		err = l.f.Close()
	}
	l.f = f
	return errors.Join(err, syncFolder(filepath.Dir(l.path)))
}

// unfinished is the end of the name of a file that is being written.
const unfinished = ".new"

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// remove deletes the file and gives its lock up.
func (l *lifeFile) remove() error {
	err := os.Remove(l.path)
	return errors.Join(err, l.close())
}

// setAside renames a file that cannot be read, so that nobody minds it again, and gives its lock up.
func (l *lifeFile) setAside() error {
	err := os.Rename(l.path, l.path+".bad")
	return errors.Join(err, l.close())
}

// close gives the lock up.
func (l *lifeFile) close() error {
	if l.f == nil {
		return nil
	}
	return l.f.Close()
}
