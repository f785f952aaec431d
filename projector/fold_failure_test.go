package projector

import (
	"fmt"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/proctape/proctape/projector/ndjson"
	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

// Nothing of a transaction that its function gave up is there afterwards, however far it came.
func TestFold_AbandonedTransaction(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	told := story{late: true, poison: true}.tell(seeded(3), 40)
	p := newTape(t, 0)
	p.fold(told[:20]...)
	before, lines := p.dump(), p.files()
	for n := 0; n <= 20; n += 4 {
		for _, flush := range []bool{false, true} {
			p.abandon(told[20:20+n], flush)
			p.reopen()
			if d := diff(p.dump(), before); d != "" {
				t.Errorf("%d messages, flushed %t:\n%s", n, flush, d)
			}
			if d := diffFiles(p.files(), lines); d != "" {
				t.Errorf("%d messages, flushed %t:\n%s", n, flush, d)
			}
		}
	}
	p.fold(told[20:]...)
	whole := newTape(t, 0)
	whole.fold(told...)
	if d := diff(p.dump(), whole.dump()); d != "" {
		t.Error(d)
	}
}

// A statement that fails takes its whole transaction with it, whichever table it was for; also when SQLite itself
// rolls back, as it does when the disk is full, so that a statement that followed would stand alone.
func TestFold_FailedStatement(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	told := story{late: true, poison: true}.tell(seeded(5), 50)
	first, second := told[:20], told[20:]
	p := newTape(t, 0)
	p.fold(first...)
	before, lines := p.dump(), p.files()
	p.close()

	whole := copyTape(t, p.dir, 0)
	written := whole.watch(slices.Sorted(maps.Keys(before)))
	whole.fold(second...)
	want := whole.dump()
	writes := whole.rows(written)
	if len(writes) < 20 {
		t.Fatalf("the story writes only in these ways: %q", writes)
	}
	for i, write := range writes {
		table, event, _ := strings.Cut(write, " ")
		actions := []string{"ABORT", "ROLLBACK"}
		if !soak {
			actions = actions[i%2 : i%2+1] // in turn: what fails, and how, do not depend on each other
		}
		for _, action := range actions {
			t.Run(table+" "+event+" "+action, func(t *testing.T) {
				p := copyTape(t, p.dir, 0)
				p.exec(fmt.Sprintf(`CREATE TEMP TRIGGER broken BEFORE %s ON main.%s BEGIN SELECT RAISE(%s, 'broken'); END`,
					event, table, action))
				if err := p.s.commit(second); err == nil {
					t.Fatal("got no error")
				}
				p.reopen()
				if d := diff(p.dump(), before); d != "" {
					t.Errorf("after the failure:\n%s", d)
				}
				if d := diffFiles(p.files(), lines); d != "" {
					t.Errorf("files after the failure:\n%s", d)
				}
				p.fold(second...)
				if d := diff(p.dump(), want); d != "" {
					t.Errorf("at the end:\n%s", d)
				}
			})
		}
	}
}

// watch notes from now on in which ways tables are written. The query that it returns lists them: table, statement.
func (p *tape) watch(tables []string) string {
	p.t.Helper()
	p.exec(`CREATE TEMP TABLE written(name TEXT, statement TEXT)`)
	for _, table := range tables {
		for _, statement := range []string{"INSERT", "UPDATE", "DELETE"} {
			p.exec(fmt.Sprintf(`CREATE TEMP TRIGGER watch_%s_%s AFTER %s ON main.%s BEGIN
				INSERT INTO written VALUES ('%s', '%s'); END`, table, statement, statement, table, table, statement))
		}
	}
	return `SELECT DISTINCT name, statement FROM written ORDER BY 1, 2`
}

func (p *tape) exec(statement string) {
	p.t.Helper()
	err := p.s.store.Write(func(tx *store.Tx) error {
		_, err := tx.Exec(statement)
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
}

// copyTape is a tape of its own with the contents of a closed one.
func copyTape(t *testing.T, dir string, limit int64) *tape {
	t.Helper()
	p := &tape{t: t, dir: fastDir(t) + "/copy", limit: limit}
	if err := os.CopyFS(p.dir, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	p.open()
	t.Cleanup(p.close)
	return p
}

// Files that cannot be opened leave no descriptor behind, as the projector tries again for as long as it takes.
func TestOpenFiles_FailureLeaksNothing(t *testing.T) {
	for _, name := range []string{ndjson.SnapshotsFile, ndjson.EventsFile} {
		t.Run(name, func(t *testing.T) {
			p := newTape(t, -1)
			if err := os.MkdirAll(p.dir+"/"+name+"/in the way", 0o700); err != nil {
				t.Fatal(err)
			}
			defer debug.SetGCPercent(debug.SetGCPercent(-1)) // which would close what was lost
			before := 0
			for i := range 10 {
				var err error
				if p.s.files, err = ndjson.LockFiles(ndjson.Layout{Dir: p.dir}); err != nil {
					t.Fatal(err)
				}
				if err := p.s.openFiles(); err == nil {
					t.Error("a folder was opened")
				}
				if err := p.s.files.Close(); err != nil {
					t.Error(err)
				}
				p.s.files = nil
				if i == 0 {
					before = descriptors(t)
				}
			}
			if after := descriptors(t); after > before {
				t.Errorf("got %d descriptors, want %d as before", after, before)
			}
		})
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// Without files, there is nothing to rotate, flush or close.
func TestFold_NoFiles(t *testing.T) {
	p := newTape(t, -1)
	p.fold(story{}.tell(seeded(1), 20)...)
	if files := p.files(); len(files) > 0 {
		t.Errorf("got the files %v, want none", files)
	}
	if n := p.value(`SELECT count(*) FROM files`); n != 0 {
		t.Errorf("got %d rows in files, want none", n)
	}
}

// A file is rotated before the line that follows its limit, whatever the batches.
func TestFold_RotatesFiles(t *testing.T) {
	l, h := newLog(), newHost("h", schema.Process{PID: 5})
	var list []*received
	for range 7 {
		list = append(list, l.publish(h.snapshot()))
	}
	one := newTape(t, 0)
	one.fold(list[0])
	size := int64(len(one.files()[ndjson.SnapshotsFile]))

	p := newTape(t, 2*size-10) // two lines fill a file
	p.fold(list...)
	files := p.files()
	for name, want := range map[string]int64{ndjson.SnapshotsFile: 1, ndjson.SnapshotsFile + ".1": 2, ndjson.SnapshotsFile + ".2": 2} {
		if got := int64(len(files[name])) / (size - 5); got != want {
			t.Errorf("%s: got %d lines, want %d", name, got, want)
		}
	}
	p.wantRows(`SELECT name, generation FROM files ORDER BY name`, "events.jsonl 0", "monitor.jsonl 3", "monitor.jsonl.1 2", "monitor.jsonl.2 1")
}
