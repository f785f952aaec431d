package store

import (
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/proctape/proctape/schema"
)

// copyKilled copies a database that is open, as a kill would leave it.
func copyKilled(t testing.TB, from string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "monitor.db")
	for _, suffix := range []string{"", "-wal", "-sums"} {
		b, err := os.ReadFile(from + suffix)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		if err := os.WriteFile(to+suffix, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// foreignWriteBack opens a database that was killed with another program, which writes its write-ahead log back and deletes it.
func foreignWriteBack(t testing.TB, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if err := db.QueryRow(`SELECT count(*) FROM meta`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func randomRows(tx *Tx, rng *rand.Rand) error {
	for range 1 + rng.IntN(300) {
		if _, err := tx.Exec(`INSERT OR REPLACE INTO meta(key, value) VALUES (?, ?)`, fmt.Sprint(rng.IntN(2000)), fmt.Sprintf("%0*d", rng.IntN(6000), 1)); err != nil {
			return err
		}
	}
	if rng.IntN(4) == 0 {
		_, err := tx.Exec(`DELETE FROM meta WHERE key != 'database_id' AND key < ?`, fmt.Sprint(rng.IntN(2000)))
		return err
	}
	return nil
}

// Whatever is written, written back, cut off and opened again: a sound database is never called damaged, and one bit always is.
func TestProver_NoFalseAlarm(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	seeds := 3
	if os.Getenv("PROCTAPE_SOAK") != "" {
		seeds = 60
	}
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(uint64(seed), 1))
		path := filepath.Join(t.TempDir(), "monitor.db")
		s, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		var reader *sql.Tx
		readers, err := sql.Open("sqlite", schema.ReaderDSN(path))
		if err != nil {
			t.Fatal(err)
		}
		stopReader := func() {
			if reader != nil {
				_ = reader.Rollback()
			}
			reader = nil
		}
		reopen := func(at string) {
			stopReader()
			if err := errors.Join(readers.Close(), s.Close()); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			path = at
			if s, err = Open(path); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if readers, err = sql.Open("sqlite", schema.ReaderDSN(path)); err != nil {
				t.Fatal(err)
			}
		}
		for step := range 40 {
			what := rng.IntN(12)
			switch {
			case what == 0:
				reopen(path)
			case what == 1:
				reopen(copyKilled(t, path))
			case what == 2:
				killed := copyKilled(t, path)
				foreignWriteBack(t, killed)
				reopen(killed)
			case what == 3 && reader == nil:
				if reader, err = readers.Begin(); err == nil {
					_, err = reader.Exec(`SELECT count(*) FROM meta`)
				}
			case what == 4:
				stopReader()
			case what == 5:
				_, err = s.TrimWAL()
			case what == 6:
				err = s.Write(func(tx *Tx) error {
					_, err := tx.Exec(`PRAGMA incremental_vacuum`)
					return err
				})
			default:
				err = s.Write(func(tx *Tx) error { return randomRows(tx, rng) })
			}
			if err == nil {
				err = s.sums.CheckAll()
			}
			if err != nil {
				t.Fatalf("seed %d, step %d (%d): %v", seed, step, what, err)
			}
		}
		reopen(path)
		if err := errors.Join(readers.Close(), s.Close()); err != nil {
			t.Fatal(err)
		}
		flipBit(t, path, rng)
		var damage *DamagedError
		if _, err := Open(path); !errors.As(err, &damage) || len(damage.Pages) != 1 {
			t.Errorf("seed %d: got %v for a flipped bit, want it damaged in one page", seed, err)
		}
	}
}

func flipBit(t testing.TB, path string, rng *rand.Rand) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A page that is damaged while the database is open is noticed when it is written anew, before it is written back.
func TestProver_ReadForWriting(t *testing.T) {
	path := filepath.Join(t.TempDir(), "monitor.db")
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	write := func(n int, value string) error {
		return s.Write(func(tx *Tx) error {
			for i := range n {
				if _, err := tx.Exec(`INSERT OR REPLACE INTO meta(key, value) VALUES (?, ?)`, fmt.Sprintf("%04d", i), value); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := write(2000, "a value that is there before"); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(path); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := 4096; at < len(b); at += 4096 {
		b[at+2000] ^= 4 // beside what is read by SQLite as it is
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	var damage *DamagedError
	if err := write(2000, "a value that comes in its place"); !errors.As(err, &damage) {
		t.Errorf("got %v, want it to be noticed", err)
	}
}

// A power cut tears a page that is being written back. The write-ahead log still has it, and SQLite mends it: it is no damage. Where the
// log is gone, or has lost a part of what was written back, it is.
func TestProver_CutWhileWritingBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "monitor.db")
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	rng := rand.New(rand.NewPCG(7, 7))
	for range 3 {
		if err := s.Write(func(tx *Tx) error { return randomRows(tx, rng) }); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.TrimWAL(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // pages that are there already, so that their sums before count
		if err := s.Write(func(tx *Tx) error { return randomRows(tx, rng) }); err != nil {
			t.Fatal(err)
		}
	}
	var cut string
	err = s.sums.Checkpoint(func() (frames, done int, err error) {
		cut = copyKilled(t, path) // what is noted is noted, and nothing is written back yet
		return 1, 0, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	tear := func(wal func([]byte) []byte) error {
		torn := copyKilled(t, cut)
		log, err := os.ReadFile(torn + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(torn, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		const frame = 24 + 4096
		for at := 32; at < len(log); at += frame { // the second half of each page
			page := int64(binary.BigEndian.Uint32(log[at:]))
			if _, err := f.WriteAt(log[at+24+2048:at+frame], (page-1)*4096+2048); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(torn+"-wal", wal(log), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(torn)
		if err == nil {
			err = errors.Join(s.CheckIntegrity(), s.Close())
		}
		return err
	}
	if err := tear(func(log []byte) []byte { return log }); err != nil {
		t.Errorf("got %v for a page that SQLite mends", err)
	}
	var damage *DamagedError
	if err := tear(func([]byte) []byte { return nil }); !errors.As(err, &damage) || len(damage.Pages) == 0 {
		t.Errorf("got %v without the write-ahead log, want damaged pages", err)
	}
	bit := func(log []byte) []byte { log[len(log)-2000] ^= 1; return log }
	if err := tear(bit); !errors.As(err, &damage) {
		t.Errorf("got %v for a write-ahead log that lost its end, want it damaged", err)
	}
}

// BenchmarkProver_Check is what checking a mebibyte costs.
func BenchmarkProver_Check(b *testing.B) {
	s, err := Open(filepath.Join(b.TempDir(), "monitor.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	rng := rand.New(rand.NewPCG(1, 1))
	for range 40 {
		if err := s.Write(func(tx *Tx) error { return randomRows(tx, rng) }); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := s.TrimWAL(); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(4 * passPages * 4096)
	for b.Loop() {
		for range 4 {
			if _, err := s.CheckPages(); err != nil {
				b.Fatal(err)
			}
		}
	}
}
