// Package backup describes a folder that holds a copy of a recording: which files are in it, and the sums by which they are known to be
// whole. Files go in, a list of them comes out; what is in them is the business of others.
package backup

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/proctape/proctape/schema/filecheck"
)

// Database is the name of the database's file in a backup.
const Database = "monitor.db"

// listName is the file that is written last: a folder without it was not finished.
const listName = "backup.json"

// version is that of the list.
const version = 1

// List says what a backup holds.
type List struct {
	Version int       `json:"version"`
	Made    time.Time `json:"made"` // when it was begun
	By      string    `json:"by"`   // version of the program
	Files   []File    `json:"files"`
}

// File is a file of a backup.
type File struct {
	Name   string `json:"name"` // within the folder, without one of its own
	Size   int64  `json:"size"` // bytes
	SHA256 string `json:"sha256"`
	Stream string `json:"stream,omitempty"` // of the log; empty for the database
	Made   int64  `json:"made,omitempty"`   // when the stream was made, in Unix ns
	// Config and State are what the log's server says of a stream, and wants to be told when it is restored.
	Config json.RawMessage `json:"config,omitempty"`
	State  json.RawMessage `json:"state,omitempty"`
}

// Sum describes a file of a backup, which it reads to its end, and syncs it.
func Sum(folder, name string) (File, error) {
	f, err := os.Open(filepath.Join(folder, name))
	if err != nil {
		return File{}, err
	}
	defer f.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, f)
	if err == nil {
		err = f.Sync()
	}
	return File{Name: name, Size: size, SHA256: hex.EncodeToString(sum.Sum(nil))}, err
}

// Finish writes the list of a backup, and syncs the folder.
func Finish(folder string, l List) error {
	l.Version = version
	b, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(folder, listName), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	dir, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// ErrUnfinished is returned by [Check] for a folder that is no backup, or one that was not finished.
var ErrUnfinished = errors.New("it holds no backup, or one that was not finished")

// Check reads a backup's list, and all of its files, and says whether each is as it was written.
func Check(folder string) (List, error) {
	var l List
	b, err := filecheck.Read(filepath.Join(folder, listName), 1<<20)
	if errors.Is(err, os.ErrNotExist) {
		return l, fmt.Errorf("%s: %w", folder, ErrUnfinished)
	} else if err != nil {
		return l, err
	}
	if err := json.Unmarshal(b, &l); err != nil {
		return l, fmt.Errorf("read %s: %w", filepath.Join(folder, listName), err)
	}
	if l.Version != version {
		return l, fmt.Errorf("%s is of version %d: this proctape reads version %d", filepath.Join(folder, listName), l.Version, version)
	}
	for _, f := range l.Files {
		if f.Name != filepath.Base(f.Name) || f.Name == "." || f.Name == ".." {
			return l, fmt.Errorf("%s names the file %q, which is not in the folder", filepath.Join(folder, listName), f.Name)
		}
		got, err := Sum(folder, f.Name)
		if err != nil {
			return l, err
		}
		if got.Size != f.Size || got.SHA256 != f.SHA256 {
			return l, fmt.Errorf("%s is not as it was written: it has %d bytes, and had %d", filepath.Join(folder, f.Name), got.Size, f.Size)
		}
	}
	return l, nil
}
