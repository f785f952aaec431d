package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/export"
)

// exportState is how far an export into a file has come, for --resume. Bytes are those of FILE.part that are of rows up to the place.
type exportState struct {
	Format   string          `json:"format"`
	Question export.Question `json:"question"`
	Source   string          `json:"source"`
	Place    export.Place    `json:"place"`
	Bytes    int64           `json:"bytes"`
}

// exportFile is a file that is written as FILE.part and has its name when it is whole. FILE.part.json holds how far it is.
type exportFile struct {
	path    string
	resumes bool
	f       *os.File
	w       *bufio.Writer
	bytes   int64 // that were written in all
	state   exportState
	every   time.Duration // how much work a crash costs at most
	saved   time.Time
}

// savedEvery is how often an export says how far it is.
const savedEvery = 2 * time.Second

func (e *exportFile) part() string    { return e.path + ".part" }
func (e *exportFile) journal() string { return e.path + ".part.json" }

// createExport begins a file.
func createExport(path string, state exportState, resumes bool) (*exportFile, error) {
	e := &exportFile{path: path, resumes: resumes, state: state, every: savedEvery, saved: time.Now()}
	if _, err := os.Lstat(path); err == nil {
		return nil, hinted(fmt.Errorf("%s exists, and an export replaces nothing", path), "name a file that does not exist")
	}
	if _, err := os.Lstat(e.journal()); err == nil {
		return nil, hinted(fmt.Errorf("an export into %s was cut", path), `"proctape export --resume -o %s" goes on with it; delete %s to begin anew`, path, e.journal())
	}
	if err := e.open(os.O_CREATE); err != nil {
		return nil, err
	}
	if err := e.f.Truncate(0); err != nil {
		return nil, errors.Join(err, e.f.Close())
	}
	return e, nil
}

// reopenExport goes on with a file that was cut: what is of rows behind the last place that was saved is cut off.
func reopenExport(path string) (*exportFile, error) {
	e := &exportFile{path: path, resumes: true, every: savedEvery, saved: time.Now()}
	text, err := os.ReadFile(e.journal())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, hinted(fmt.Errorf("no export into %s was cut, or not in a form that goes on", path), "begin it without --resume")
	}
	if err == nil {
		err = json.Unmarshal(text, &e.state)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", e.journal(), err)
	}
	if err := e.open(0); err != nil {
		return nil, err
	}
	size, err := e.f.Seek(0, io.SeekEnd)
	if err == nil && size < e.state.Bytes {
		err = hinted(fmt.Errorf("%s is shorter than when it was saved", e.part()), "delete it and %s, and begin anew", e.journal())
	}
	if err == nil {
		err = e.f.Truncate(e.state.Bytes)
	}
	if err == nil {
		e.bytes, err = e.f.Seek(e.state.Bytes, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, e.f.Close())
	}
	return e, nil
}

// open opens FILE.part, which nobody else may be writing.
func (e *exportFile) open(flags int) error {
	f, err := os.OpenFile(e.part(), os.O_RDWR|unix.O_NOFOLLOW|flags, 0o600)
	if err != nil {
		return err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return errors.Join(hinted(fmt.Errorf("another export writes %s", e.part()), "wait for it, or name another file"), f.Close())
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return errors.Join(fmt.Errorf("%s is not a file", e.part()), err, f.Close())
	}
	e.f, e.w = f, bufio.NewWriterSize(f, 1<<18)
	return nil
}

// Write takes bytes of rows.
func (e *exportFile) Write(b []byte) (int, error) {
	n, err := e.w.Write(b)
	e.bytes += int64(n)
	return n, err
}

// fill writes the export, and gives the file its name.
func (e *exportFile) fill(cmd *cobra.Command, db *query.DB, format *exportFormat) error {
	err := (&exporting{format, e.state.Question, e.state.Place, e, filepath.Dir(e.path), e.note}).run(cmd, db)
	if err == nil {
		return e.finish()
	}
	return e.leave(err)
}

// leave leaves an export that did not come to its end, for an error: so that it can go on, or else it is taken away.
func (e *exportFile) leave(err error) error {
	if !e.resumes {
		return errors.Join(err, e.f.Close(), os.Remove(e.part()))
	}
	if e.state.Place != (export.Place{}) { // with a full disk, the place that was saved before is still right
		err = errors.Join(err, e.save())
	}
	if _, none := os.Lstat(e.journal()); none != nil {
		return errors.Join(err, e.f.Close(), os.Remove(e.part()))
	}
	return errors.Join(hinted(err, `"proctape export --resume -o %s" goes on from there`, e.path), e.f.Close())
}

// note takes a place behind which all bytes are written, and saves it from time to time.
func (e *exportFile) note(p export.Place) error {
	e.state.Place, e.state.Bytes = p, e.bytes
	if !e.resumes || time.Since(e.saved) < e.every {
		return nil
	}
	return e.save()
}

// save syncs the bytes, and then says how many they are.
func (e *exportFile) save() error {
	if err := errors.Join(e.w.Flush(), e.f.Sync()); err != nil {
		return err
	}
	text, err := json.Marshal(&e.state)
	if err != nil {
		return err
	}
	next := e.journal() + ".new"
	if err := os.WriteFile(next, text, 0o600); err != nil {
		return err
	}
	e.saved = time.Now()
	return os.Rename(next, e.journal())
}

// finish gives the whole file its name.
func (e *exportFile) finish() error {
	if err := errors.Join(e.w.Flush(), e.f.Sync(), os.Rename(e.part(), e.path), e.f.Close()); err != nil {
		return err
	}
	if err := os.Remove(e.journal()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// close leaves the file as it is.
func (e *exportFile) close() error { return e.f.Close() }
