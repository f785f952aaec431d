package projector_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proctape/proctape/projector/ndjson"
	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

// TestFileDamage_OneBit turns one bit of what is written of a file of lines, or zeroes a piece of it: it is noticed at the next start, the
// lines of snapshots are written again as they were, and of events each line can be read. The control is a file without its sum.
func TestFileDamage_OneBit(t *testing.T) {
	l := newTapedLog(t, 1)
	live := filepath.Join(t.TempDir(), "monitor.db")
	l.project(t, live, nil)
	want := readFile(t, filepath.Join(filepath.Dir(live), "monitor.jsonl"))
	trials := 10
	if os.Getenv("PROCTAPE_SOAK") != "" {
		trials = 150
	}
	for _, name := range []string{"monitor.jsonl", "events.jsonl"} {
		for i := range trials {
			rng := rand.New(rand.NewPCG(uint64(i), uint64(len(name))))
			db := filepath.Join(t.TempDir(), "monitor.db")
			copyDatabase(t, live, db)
			path := filepath.Join(filepath.Dir(db), name)
			where := flip(t, path, rng)
			if i%5 == 4 {
				where = zeroPage(t, path, rng)
			}
			said := l.project(t, db, nil)
			if !strings.Contains(said, "a file is not as it was written") {
				t.Errorf("%s, %s: it is not said:\n%s", name, where, said)
			}
			told, _ := gapsOf(t, db, schema.GapLinesLost)
			if got := readFile(t, path); name == "monitor.jsonl" && (!bytes.Equal(got, want) || told != 0) {
				t.Errorf("%s, %s: the lines are not what they were, %d gaps", name, where, told)
			} else if name == "events.jsonl" && (!isReadable(got) || told != 1) {
				t.Errorf("%s, %s: a line cannot be read, or %d gaps instead of one", name, where, told)
			}
		}
	}
	db := filepath.Join(t.TempDir(), "monitor.db")
	copyDatabase(t, live, db)
	s, err := store.Open(db)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(filepath.Dir(db), "monitor.jsonl")
	state, known, err := s.FileState(path)
	state.Sum = ndjson.NoSum
	err = errors.Join(err, s.Write(func(tx *store.Tx) error { return tx.WriteFileState(path, state) }), s.Close())
	if err != nil || !known {
		t.Fatal(known, err)
	}
	flip(t, path, rand.New(rand.NewPCG(1, 1)))
	if said := l.project(t, db, nil); strings.Contains(said, "not as it was written") {
		t.Error("a file without a sum has every bit noticed too: this test catches nothing")
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// isReadable reports whether a text is lines of JSON.
func isReadable(b []byte) bool {
	for line := range bytes.Lines(b) {
		if !json.Valid(line) || line[len(line)-1] != '\n' {
			return false
		}
	}
	return true
}

// zeroPage zeroes 512 bytes of a file, and returns where.
func zeroPage(t *testing.T, path string, rng *rand.Rand) string {
	t.Helper()
	b := readFile(t, path)
	at := rng.IntN(max(len(b)-512, 1))
	clear(b[at:min(at+512, len(b))])
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("512 bytes at %d", at)
}
