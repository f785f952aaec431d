package projector_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proctape/proctape/projector"
	"github.com/proctape/proctape/projector/ndjson"
	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/proof"
)

// soak asks for the long campaigns (make soak).
var soak = os.Getenv("PROCTAPE_SOAK") == "1"

// fileLimit has the lines of the test's log in three files each.
const fileLimit = 40 << 10

// checked projects a log beside passes that come at once, until cond holds, and returns what was said.
func (l *tapedLog) checked(t *testing.T, db string, cond func(said string) bool) string {
	t.Helper()
	said := new(words)
	l.projectAs(t, projector.Config{DB: db, FileLimit: fileLimit, CheckInterval: time.Millisecond}, said, func() {
		for deadline := time.Now().Add(5 * time.Minute); !cond(said.String()); time.Sleep(2 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("it does not come to what is awaited: %s", said)
			}
		}
	})
	return said.String()
}

// passed is true after two passes that began since it was called first.
func passed(t *testing.T, db string) func(string) bool {
	var ended []time.Time
	return func(string) bool {
		state, err := proof.ReadState(db)
		if err != nil {
			return false // it is made anew
		}
		if at := state.PassEnded; !at.IsZero() && !slices.Contains(ended, at) {
			ended = append(ended, at)
		}
		return len(ended) > 3 // the pages of the third pass are checked after the files of the second
	}
}

// TestFileDamage_OneBit turns one bit of what is written of a file of lines, or zeroes a piece of it, also where the file was rotated away: one
// pass, or a start, notices it. The lines of snapshots are written again as they were, and of events each line can be read and a gap
// tells it. The controls are a file without its sum, and one that is sound.
func TestFileDamage_OneBit(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	l := newTapedLog(t, 1)
	live := filepath.Join(t.TempDir(), "monitor.db")
	l.checked(t, live, passed(t, live))
	trials, flips, zeroed := 2, 0, 2 // every second is a piece that is zeroed
	if soak {
		trials, zeroed = 80, 4 // of five files three quarters are flips: 300
	}
	want := map[string][]byte{}
	for _, name := range []string{"monitor.jsonl", "monitor.jsonl.1", "monitor.jsonl.2", "events.jsonl", "events.jsonl.1", "events.jsonl.2"} {
		want[name] = readFile(t, filepath.Join(filepath.Dir(live), name))
		t.Logf("%s has %d bytes", name, len(want[name]))
		if len(want[name]) == 0 {
			continue // it was just rotated
		}
		for i := range trials {
			rng := rand.New(rand.NewPCG(uint64(i), uint64(len(name))))
			db := filepath.Join(t.TempDir(), "monitor.db")
			copyDatabase(t, live, db)
			path := filepath.Join(filepath.Dir(db), name)
			where := flip(t, path, rng)
			if i%zeroed == zeroed-1 {
				where = zeroPage(t, path, rng)
			} else {
				flips++
			}
			noticed := func(said string) bool { return strings.Contains(said, "a file is not as it was written") }
			said := l.checked(t, db, noticed)
			told, _ := gapsOf(t, db, schema.GapLinesLost)
			if got := readFile(t, path); strings.HasPrefix(name, "monitor") && (!bytes.Equal(got, want[name]) || told != 0) {
				t.Errorf("%s, %s: the lines are not what they were, %d gaps", name, where, told)
			} else if strings.HasPrefix(name, "events") && (!isReadable(got) || told != 1) {
				t.Errorf("%s, %s: a line cannot be read, or %d gaps instead of one", name, where, told)
			}
			if i == 0 {
				if again := l.checked(t, db, passed(t, db)); noticed(again) {
					t.Errorf("%s, %s: after it was mended it is noticed again:\n%s\n%s", name, where, said, again)
				}
			}
		}
	}
	t.Logf("%d bits turned", flips)
	for _, name := range []string{"monitor.jsonl", "events.jsonl", "monitor.jsonl.2"} {
		if len(want[name]) > 0 {
			l.isSilentWithoutSum(t, live, name)
		}
	}
}

// isSilentWithoutSum is the control: a bit of a file of which the database has no sum is not noticed.
func (l *tapedLog) isSilentWithoutSum(t *testing.T, live, name string) {
	t.Helper()
	db := filepath.Join(t.TempDir(), "monitor.db")
	copyDatabase(t, live, db)
	s, err := store.Open(db)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(filepath.Dir(db), name)
	state, known, err := s.FileState(path)
	state.Sum = ndjson.NoSum
	err = errors.Join(err, s.Write(func(tx *store.Tx) error { return tx.WriteFileState(path, state) }), s.Close())
	if err != nil || !known {
		t.Fatal(known, err)
	}
	flip(t, path, rand.New(rand.NewPCG(1, 1)))
	if said := l.checked(t, db, passed(t, db)); strings.Contains(said, "not as it was written") {
		t.Errorf("%s: a file without a sum has every bit noticed too: this test catches nothing", name)
	}
}

// TestFileDamage_RowsAreGone damages files of snapshots of which retention has deleted the older rows: lines of which there are rows are made
// of them, those before are kept, and what cannot be read is taken out and told.
func TestFileDamage_RowsAreGone(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	l := newTapedLog(t, 1)
	live := filepath.Join(t.TempDir(), "monitor.db")
	l.project(t, live, nil)
	db, err := sql.Open("sqlite", live) // a database that its own projector writes later: the sums are made anew
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`DELETE FROM snapshots WHERE id IN (SELECT id FROM snapshots ORDER BY id LIMIT (SELECT count(*) / 2 FROM snapshots))`); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Close(), os.Remove(proof.Path(live))); err != nil {
		t.Fatal(err)
	}
	want := readFile(t, filepath.Join(filepath.Dir(live), "monitor.jsonl"))
	for _, test := range []struct {
		name   string
		damage func(b []byte) []byte
		told   int64
		lines  int // that are gone
	}{
		{"in a line that has rows", func(b []byte) []byte { b[len(b)-100] ^= 1; return b }, 0, 0},
		{"in a line that has none", func(b []byte) []byte { b[0] ^= 1; return b }, 1, 1},
		{"the end is cut off", func(b []byte) []byte { return b[:len(b)-100] }, 0, 0},
		{"all is gone", func([]byte) []byte { return nil }, 1, bytes.Count(want, []byte("\n")) / 2},
	} {
		copied := filepath.Join(t.TempDir(), "monitor.db")
		copyDatabase(t, live, copied)
		path := filepath.Join(filepath.Dir(copied), "monitor.jsonl")
		if err := os.WriteFile(path, test.damage(bytes.Clone(want)), 0o600); err != nil {
			t.Fatal(err)
		}
		said := l.project(t, copied, nil)
		told, _ := gapsOf(t, copied, schema.GapLinesLost)
		got := readFile(t, path)
		if gone := bytes.Count(want, []byte("\n")) - bytes.Count(got, []byte("\n")); told != test.told || gone != test.lines || !bytes.HasSuffix(want, got) {
			t.Errorf("%s: %d gaps, %d lines gone, want %d and %d; said:\n%s", test.name, told, gone, test.told, test.lines, said)
		}
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
