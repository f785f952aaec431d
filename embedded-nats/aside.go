package embeddednats

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// asideName is the folder, below the data folder, of what was damaged or nobody's.
const asideName = "damaged"

// notesSuffix is that of the names in it which are none of them.
const notesSuffix = ".json"

// asideBytes and asideFiles bound what is kept for inspection. The oldest goes first.
const (
	asideBytes = 256 << 20
	asideFiles = 200
)

// aside keeps files for inspection.
type aside struct {
	dir   string
	bytes int64 // at most; asideBytes but in tests
}

func newAside(dir string) *aside { return &aside{filepath.Join(dir, asideName), asideBytes} }

// name is a new name in the folder for a file of the store.
func (a *aside) name(path string) (string, error) {
	if err := os.MkdirAll(a.dir, 0o700); err != nil {
		return "", err
	}
	stream := filepath.Base(filepath.Dir(filepath.Dir(path)))
	base := fmt.Sprintf("%s-%s-%s", time.Now().UTC().Format("20060102T150405.000000"), stream, filepath.Base(path))
	return filepath.Join(a.dir, base), nil
}

// move moves a file or folder of the store aside, and returns where it is.
func (a *aside) move(path string) (to string, err error) {
	if to, err = a.name(path); err == nil {
		err = os.Rename(path, to)
	}
	return to, errors.Join(err, a.bound())
}

// copy keeps a file of the store as it is now, while whoever calls it goes on to replace it, and returns where it is.
func (a *aside) copy(path string) (to string, err error) {
	if to, err = a.name(path); err != nil {
		return "", err
	}
	if os.Link(path, to) != nil { // a file system without links
		b, err := os.ReadFile(path)
		if err == nil {
			err = writeSynced(to, b)
		}
		if err != nil {
			return "", err
		}
	}
	return to, a.bound()
}

// bound deletes the oldest until what is left is within the bounds. The newest stays.
func (a *aside) bound() error {
	entries, err := os.ReadDir(a.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	type kept struct {
		path string
		size int64
	}
	var files []kept
	for _, e := range entries {
		if filepath.Ext(e.Name()) != notesSuffix {
			path := filepath.Join(a.dir, e.Name())
			files = append(files, kept{path, sizeOf(path)})
		}
	}
	slices.SortFunc(files, func(x, y kept) int { return cmp.Compare(y.path, x.path) }) // the newest first
	total := int64(0)
	for i, f := range files {
		if total += f.size; i > 0 && (total > a.bytes || i >= asideFiles) {
			if err := os.RemoveAll(f.path); err != nil {
				return err
			}
		}
	}
	return nil
}

// sizeOf is the bytes of a file, or of all files of a folder, as far as they can be seen.
func sizeOf(path string) (n int64) {
	_ = filepath.WalkDir(path, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			if info, err := e.Info(); err == nil {
				n += info.Size()
			}
		}
		return nil
	})
	return n
}
