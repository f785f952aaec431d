package notify

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/proctape/proctape/schema/filecheck"
)

// StatePath is the file in which the notices of a database wait.
func StatePath(db string) string { return db + ".notices" }

// largestState is how large that file may be.
const largestState = 256 << 20

// state is what is kept in the file: it holds what the log was told to be done with.
type state struct {
	ID        string             `json:"id"`  // of the durable on the log
	Seq       uint64             `json:"seq"` // of the last message that was taken in
	Receivers map[string]*outbox `json:"receivers"`
}

// loadState reads the file, or begins a new one.
func loadState(path string) (*state, error) {
	b, err := filecheck.ReadOurs(path, largestState)
	if errors.Is(err, fs.ErrNotExist) {
		id := make([]byte, 16)
		_, err := rand.Read(id)
		return &state{ID: hex.EncodeToString(id), Receivers: map[string]*outbox{}}, err
	} else if err != nil {
		return nil, err
	}
	s := new(state)
	if err := json.Unmarshal(b, s); err != nil || s.ID == "" {
		return nil, fmt.Errorf("read %s: it is not what was written (%v)", path, err)
	}
	return s, nil
}

// outboxes gives each receiver its place, and takes away those of receivers that are no more.
func (s *state) outboxes(c *Config) {
	kept := map[string]*outbox{}
	for i := range c.Receivers {
		name := c.Receivers[i].Name
		o := s.Receivers[name]
		if o == nil {
			o = new(outbox)
		}
		if o.Waiting == nil {
			o.Waiting = map[string]*pending{}
		}
		kept[name] = o
	}
	s.Receivers = kept
}

// save writes the file for good: what is in it is there after a cut of power too.
func (s *state) save(path string) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return replaceFile(path, b)
}
