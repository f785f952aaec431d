package projector_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/projector"
	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/verify"
	"github.com/proctape/proctape/schema"
)

// trim has the log forget the first half of a stream, and returns how many messages that are.
func (l *tapedLog) trim(t *testing.T, name string) uint64 {
	t.Helper()
	stream, err := l.js.Stream(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	state := stream.CachedInfo().State
	half := (state.FirstSeq + state.LastSeq) / 2
	if err := stream.Purge(t.Context(), jetstream.WithPurgeSequence(half)); err != nil {
		t.Fatal(err)
	}
	return half - 1
}

// pageOf is a page of a table, from 1.
func pageOf(t *testing.T, path, table string) int64 {
	t.Helper()
	return int64(numberOf(t, path, `SELECT max(pageno) FROM dbstat WHERE name = '`+table+`'`))
}

// turnBit turns a bit in the middle of a page of a database, from 1.
func turnBit(t *testing.T, path string, page int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b [1]byte
	at := page*4096 - 2000
	if _, err := f.ReadAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 4
	if _, err := f.WriteAt(b[:], at); err != nil {
		t.Fatal(err)
	}
}

// damagedTable is a table of which a page is damaged, and the tables and the data that this costs when the log no longer has its beginning.
type damagedTable struct {
	table, stream string
	tables        []string
	data          query.Data // of which not all is known then
	counted       bool       // the rows that are lost can be counted
}

// rebuild turns a bit of a table in a copy of a database, and has the copy made anew. It returns in which tables it differs afterwards, the
// stream and the count of the gap, and how much is known of the time in which the live one has snapshots.
func (d damagedTable) rebuild(t *testing.T, l *tapedLog, live string) (db string, differ []string, gap query.Gap, cover query.Coverage) {
	t.Helper()
	db = filepath.Join(t.TempDir(), "monitor.db")
	copyDatabase(t, live, db)
	turnBit(t, db, pageOf(t, db, d.table))
	l.project(t, db, nil)
	r, err := verify.Compare(t.Context(), verify.Config{Database: db, Against: live})
	if err != nil {
		t.Fatal(err)
	}
	q, err := query.Open(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	gaps, err := query.Gaps(t.Context(), q, query.Range{Until: float64(time.Now().Unix() + 3600)}, schema.GapDatabaseDamaged)
	if err != nil || len(gaps) != 1 {
		t.Fatalf("%s: gaps %+v, %v, want one", d.table, gaps, err)
	}
	from, to := numberOf(t, live, `SELECT min(timestamp) FROM snapshots`), numberOf(t, live, `SELECT max(timestamp) FROM snapshots`)
	covers, err := query.FullCoverage(t.Context(), q, query.Range{Since: from, Until: to, Host: "sim-0001"})
	if err != nil || len(covers) != 1 {
		t.Fatalf("%s: coverage %+v, %v", d.table, covers, err)
	}
	return db, slices.Compact(differences(r)), gaps[0], covers[0]
}

// numberOf is the one number that a query of a database at path gives.
func numberOf(t *testing.T, path, question string) (n float64) {
	t.Helper()
	db, err := sql.Open("sqlite", schema.ReaderDSN(path))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow(question).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestRebuild_TrimmedLog has databases made anew from a log that no longer has its beginning: what only the damaged table had of it is lost, and
// told, counted where that can be, and no answer takes the time for known. All else is as it was. The control is a log that is whole.
func TestRebuild_TrimmedLog(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	l := newTapedLog(t, 2)
	live := filepath.Join(t.TempDir(), "monitor.db")
	l.project(t, live, nil)
	tables := []damagedTable{
		{"samples", schema.StreamSnapshots, []string{"processes", "samples", "snapshots"}, query.DataSnapshots, false},
		{"process_events", schema.StreamEvents, []string{"process_events"}, query.DataEvents, true},
		{"jobs", schema.StreamEvents, []string{"job_pids", "job_sheets", "jobs"}, "", false},
	}
	for _, d := range tables {
		_, differ, gap, cover := d.rebuild(t, l, live)
		if len(differ) > 0 || gap.Count == nil || *gap.Count != 0 || !cover.Complete {
			t.Errorf("%s, with a whole log: differ %v, gap %+v, coverage %+v", d.table, differ, gap, cover)
		}
	}
	l.trim(t, schema.StreamSnapshots)
	l.trim(t, schema.StreamEvents)
	for _, d := range tables {
		db, differ, gap, cover := d.rebuild(t, l, live)
		slices.Sort(differ)
		if differ = slices.Compact(differ); !slices.Equal(differ, d.tables) || gap.Stream != d.stream || gap.To == nil {
			t.Errorf("%s: differs in %v, gap of %s until %v; want %v, %s", d.table, differ, gap.Stream, gap.To, d.tables, d.stream)
		}
		lost := int64(numberOf(t, live, `SELECT count(*) FROM `+d.table) - numberOf(t, db, `SELECT count(*) FROM `+d.table))
		if d.counted && (gap.Count == nil || *gap.Count != lost || lost == 0) || !d.counted && gap.Count != nil {
			t.Errorf("%s: %d rows are lost, the gap says %v", d.table, lost, gap.Count)
		}
		if knows := slices.ContainsFunc(cover.Reasons, func(r query.Reason) bool {
			return r.Kind == string(schema.GapDatabaseDamaged) && (d.data == "" || slices.Contains(r.Data, d.data))
		}); cover.Complete || !knows {
			t.Errorf("%s: coverage %+v", d.table, cover)
		}
	}
}

// TestRebuild_Limit damages a database under a projector, again and again: a pass notices it, the database is made anew, three times in an
// hour, and then the projector ends.
func TestRebuild_Limit(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	l := newTapedLog(t, 1)
	db, said := filepath.Join(t.TempDir(), "monitor.db"), new(words)
	p, err := projector.Open(t.Context(), l.js, projector.Config{DB: db, CheckInterval: time.Millisecond, Log: slog.New(slog.NewTextHandler(said, nil))})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	ctx, stop := context.WithTimeout(t.Context(), 5*time.Minute)
	defer stop()
	go func() { done <- p.Run(ctx) }()
	wrote := passed(t, db)
	for turned := 0; ; {
		select {
		case err := <-done:
			damage := new(store.DamagedError)
			if !errors.As(err, &damage) || !damage.Final || turned != 4 || strings.Count(said.String(), "the database is made anew") != 3 {
				t.Errorf("after %d bits: %v, want the end after the fourth\n%s", turned, err, said)
			}
			return
		case <-time.After(2 * time.Millisecond):
		}
		if isFolded(p) && turned < 4 && strings.Count(said.String(), "the database is made anew") == turned && wrote("") { // all is written back
			turned, wrote = turned+1, passed(t, db)
			turnBit(t, db, pageOf(t, db, "samples"))
		}
	}
}
