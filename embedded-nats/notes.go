package embeddednats

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/proctape/proctape/schema"
)

// notesName is the file in the folder asideName of the gaps that nobody has published yet.
const notesName = "untold" + notesSuffix

// notesLimit is how many gaps wait at most to be published: a log that nobody records into for long may be checked often.
const notesLimit = 500

// notes are the gaps that the check of the log found. They wait on the disk until somebody publishes them.
type notes struct {
	path string

	mu    sync.Mutex
	gaps  []schema.Gap
	taken int // how many of them were handed out
}

// openNotes reads the notes of a data folder. A file that cannot be read is none: what it said was also logged.
func openNotes(dir string) (*notes, error) {
	n := &notes{path: filepath.Join(dir, asideName, notesName)}
	b, err := os.ReadFile(n.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if json.Unmarshal(b, &n.gaps) != nil {
		n.gaps = nil
	}
	return n, nil
}

// add notes a gap.
func (n *notes) add(g schema.Gap) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.gaps) >= notesLimit {
		return nil
	}
	n.gaps = append(n.gaps, g)
	return n.write()
}

// take hands out the gaps that were not handed out yet. Those of the call before are crossed out, for by now they have been
// published: who is killed in between publishes them once more.
func (n *notes) take() ([]schema.Gap, error) {
	if err := n.crossOut(); err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.taken = len(n.gaps)
	return n.gaps[:n.taken:n.taken], nil
}

// crossOut forgets the gaps that were handed out.
func (n *notes) crossOut() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.taken == 0 {
		return nil
	}
	n.gaps, n.taken = n.gaps[n.taken:], 0
	return n.write()
}

func (n *notes) write() error {
	b, err := json.Marshal(n.gaps)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(n.path), 0o700)
	}
	if err == nil {
		err = writeSynced(n.path, b)
	}
	if err != nil {
		return fmt.Errorf("note what the log lost: %w", err)
	}
	return nil
}
