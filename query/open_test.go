package query_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema"
)

func TestOpen_Refuses(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	foreign := filepath.Join(dir, "foreign.db")
	db, err := sql.Open("sqlite", schema.WriterDSN(foreign))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`CREATE TABLE snapshots(id INTEGER PRIMARY KEY)`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	text := file("notes.txt", []byte("hello"))
	for _, c := range []struct {
		name, path string
		want       string
		missing    bool // the error is ErrNoDatabase
	}{
		{"a missing file", filepath.Join(dir, "none.db"), "none.db", true},
		{"a missing folder", filepath.Join(dir, "none", "run.db"), "run.db", true},
		{"a folder", dir, "open database", false},
		{"a file as a folder", filepath.Join(text, "run.db"), "open database", false},
		{"an empty file", file("empty.db", nil), "holds no recording", false},
		{"a short text", text, "not a database", false},
		{"garbage", file("garbage.db", bytes.Repeat([]byte{0xa5}, 8192)), "not a database", false},
		{"a truncated database", file("truncated.db", append([]byte("SQLite format 3\x00"), make([]byte, 50)...)), "open database", false},
		{"another program's database", foreign, "holds no recording", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			db, err := query.Open(t.Context(), c.path)
			if err == nil {
				db.Close()
				t.Fatal("it opened")
			}
			if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), filepath.Base(c.path)) {
				t.Errorf("got %v, want the path and %q", err, c.want)
			}
			if errors.Is(err, query.ErrNoDatabase) != c.missing {
				t.Errorf("got %v, want ErrNoDatabase: %v", err, c.missing)
			}
		})
	}
	// Whoever looks for a recording leaves nothing behind.
	if _, err := os.Stat(filepath.Join(dir, "none.db")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want no file where there was none", err)
	}
}

func TestOpen_AnyPath(t *testing.T) {
	for _, name := range []string{"a b.db", "what?.db", "100%.db", "%41.db", "a?mode=rwc&x=%20.db", "#hash.db", "a;b.db", "größe.db", "a\nb.db", "-x.db", `back\slash.db`} {
		t.Run(name, func(t *testing.T) {
			r := newRecordingAt(t, filepath.Join(t.TempDir(), name))
			r.snapshot(1, 10, nil)
			db := r.open()
			if db.Path() != r.path {
				t.Errorf("got path %q, want %q", db.Path(), r.path)
			}
			snaps, err := query.Snapshots(t.Context(), db, query.Range{})
			if err != nil || len(snaps) != 1 {
				t.Errorf("got %d snapshots, %v, want 1", len(snaps), err)
			}
		})
	}
}

func TestOpen_RelativePath(t *testing.T) {
	r := newRecording(t)
	t.Chdir(filepath.Dir(r.path))
	db, err := query.Open(t.Context(), filepath.Base(r.path))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if !filepath.IsAbs(db.Path()) || filepath.Base(db.Path()) != filepath.Base(r.path) {
		t.Errorf("got path %q, want %q", db.Path(), r.path)
	}
}

// The handle that reads cannot write, whatever it is asked.
func TestOpen_ReadOnly(t *testing.T) {
	r := newRecording(t)
	db, err := sql.Open("sqlite", schema.ReaderDSN(r.path))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, stmt := range []string{
		`INSERT INTO hosts(id, name) VALUES (2, 'beta')`, `UPDATE hosts SET name = 'x'`, `DELETE FROM hosts`, `DROP TABLE hosts`,
		`CREATE TABLE mine(x)`, `PRAGMA user_version = 9`, `PRAGMA query_only = 0; DELETE FROM hosts`,
	} {
		if _, err := db.ExecContext(t.Context(), stmt); err == nil {
			t.Errorf("%s: it was done", stmt)
		}
	}
	var n int
	if err := r.db.QueryRow(`SELECT count(*) FROM hosts`).Scan(&n); err != nil || n != 1 {
		t.Errorf("got %d hosts, %v, want 1", n, err)
	}
}

// Readers see what was committed, and neither wait for the writer nor keep it waiting.
func TestDB_ReadsBesideAWriter(t *testing.T) {
	r := newRecording(t)
	r.process(1, 42, 1, nil)
	r.snapshot(1, 10, nil)
	r.sample(1, 1, nil)
	db := r.open()
	tx, err := r.db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec(`UPDATE snapshots SET timestamp = 99`); err != nil {
		t.Fatal(err)
	}
	snaps, err := query.Snapshots(t.Context(), db, query.Range{})
	if err != nil || len(snaps) != 1 || snaps[0].Timestamp != 10 {
		t.Fatalf("got %v, %v, want the snapshot as it was committed", snaps, err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	snaps, err = query.Snapshots(t.Context(), db, query.Range{})
	if err != nil || len(snaps) != 1 || snaps[0].Timestamp != 99 {
		t.Errorf("got %v, %v, want the snapshot as it is now", snaps, err)
	}
}

func TestDB_ManyReadersAndAWriter(t *testing.T) {
	r := newRecording(t)
	r.process(1, 42, 1, nil)
	r.snapshot(1, 1, nil)
	r.sample(1, 1, nil)
	db := r.open()
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				snaps, err := query.Snapshots(t.Context(), db, query.Range{})
				if err != nil {
					t.Error(err)
					return
				}
				for _, s := range snaps {
					if len(s.Processes) != 1 {
						t.Errorf("snapshot %d has %d processes, want 1", s.ID, len(s.Processes))
					}
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for id := int64(2); id <= 20; id++ {
		tx, err := r.db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(`CREATE TEMP TABLE one AS SELECT * FROM snapshots WHERE id = ?1 - 1; UPDATE one SET id = ?1, timestamp = ?1;
			INSERT INTO snapshots SELECT * FROM one; DROP TABLE one; INSERT INTO samples(id, process_id) SELECT ?1 << 22 | pid, 1 FROM processes WHERE id = 1`, id); err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	close(done)
	readers.Wait()
}

func TestDB_EndsWithItsContext(t *testing.T) {
	db := newRecording(t).open()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := query.Snapshots(ctx, db, query.Range{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	if _, err := query.Open(ctx, db.Path()); !errors.Is(err, context.Canceled) {
		t.Errorf("open: got %v, want %v", err, context.Canceled)
	}
}
