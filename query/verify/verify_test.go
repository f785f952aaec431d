package verify_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/producer/simulate"
	"github.com/proctape/proctape/projector"
	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/verify"
	"github.com/proctape/proctape/schema"
)

// recorded is the log of a few simulated hosts, and a database of it.
type recorded struct {
	t  testing.TB
	js jetstream.JetStream
	db string

	close func() // ends the log's server
}

// record makes a log and a database of it in a new folder.
func record(t testing.TB) *recorded {
	t.Helper()
	return recordInto(t, t.TempDir())
}

func recordInto(t testing.TB, dir string) *recorded {
	t.Helper()
	r := open(t, dir)
	if err := embeddednats.Declare(t.Context(), r.js, schema.Streams(schema.Policy{}, 1), true); err != nil {
		t.Fatal(err)
	}
	load := simulate.Load{Fleet: simulate.Config{Hosts: 2, Processes: 10, Interval: 5 * time.Second, Churn: 2, Jobs: 1, Seed: 1},
		Duration: time.Minute, Fast: true, Log: slog.New(slog.DiscardHandler)}
	if _, err := simulate.Run(t.Context(), r.js.Conn(), load); err != nil {
		t.Fatal(err)
	}
	if err := r.Replay(t.Context(), r.db, nil); err != nil {
		t.Fatal(err)
	}
	return r
}

// open serves the log of a folder until the test ends.
func open(t testing.TB, dir string) *recorded {
	t.Helper()
	a, err := embeddednats.Attach(t.Context(), embeddednats.Config{Dir: dir, Log: slog.New(slog.DiscardHandler)}, true)
	if err != nil {
		t.Fatal(err)
	}
	r := &recorded{t: t, db: filepath.Join(dir, "monitor.db"), close: sync.OnceFunc(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})}
	t.Cleanup(r.close)
	if r.js, err = jetstream.New(a.Conn); err != nil {
		t.Fatal(err)
	}
	return r
}

// Streams implements [verify.Log].
func (r *recorded) Streams(ctx context.Context) (map[string]*query.LogStream, error) {
	return query.LogStreams(ctx, r.js)
}

// Replay implements [verify.Log].
func (r *recorded) Replay(ctx context.Context, path string, until map[string]uint64) error {
	_, err := projector.Replay(ctx, r.js, projector.ReplayConfig{DB: path, UntilSequence: until, LackStreams: true, Log: slog.New(slog.DiscardHandler)})
	return err
}

func (r *recorded) compare(cfg verify.Config) *verify.Result {
	r.t.Helper()
	cfg.Database = r.db
	got, err := verify.Compare(r.t.Context(), cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	return got
}

// change changes the database behind proctape's back.
func (r *recorded) change(stmt string) {
	r.t.Helper()
	db, err := sql.Open("sqlite", schema.WriterDSN(r.db))
	if err != nil {
		r.t.Fatal(err)
	}
	defer db.Close()
	res, err := db.ExecContext(r.t.Context(), stmt)
	if err != nil {
		r.t.Fatal(err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		r.t.Fatalf("it changed %d rows, %v", n, err)
	}
}

func TestCompare_WithTheLog(t *testing.T) {
	r := record(t)
	got := r.compare(verify.Config{Log: r})
	if got.Equal == nil || !*got.Equal || len(got.Differences) > 0 || len(got.Damage) > 0 || got.NotCompared != nil || got.Against != "the log" {
		t.Errorf("got %+v, want equal to the log", got)
	}
	if got.Tables["snapshots"].Rows != 24 || got.Tables["samples"].Rows != 240 {
		t.Errorf("got %+v, want 24 snapshots of 10 processes", got.Tables)
	}

	// The control: one value in one row of one table.
	r.change(`UPDATE samples SET rss_kib = rss_kib + 1 WHERE id = (SELECT max(id) FROM samples)`)
	got = r.compare(verify.Config{Log: r})
	if got.Equal == nil || *got.Equal {
		t.Fatalf("got %+v, want a difference", got)
	}
	if len(got.Differences) != 1 || got.Differences[0].Table != "samples" || got.Differences[0].Rows != got.Differences[0].Against {
		t.Errorf("got %+v, want one, in the samples", got.Differences)
	}
}

func TestCompare_WithAnotherDatabase(t *testing.T) {
	r := record(t)
	other := filepath.Join(t.TempDir(), "other.db")
	if err := r.Replay(t.Context(), other, nil); err != nil {
		t.Fatal(err)
	}
	if got := r.compare(verify.Config{Against: other}); got.Equal == nil || !*got.Equal {
		t.Errorf("got %+v, want equal", got)
	}
	r.change(`DELETE FROM process_events WHERE id = (SELECT min(id) FROM process_events)`)
	got := r.compare(verify.Config{Against: other})
	if len(got.Differences) != 1 || got.Differences[0].Table != "process_events" || got.Differences[0].Rows != got.Differences[0].Against-1 {
		t.Errorf("got %+v, want one event that is missing", got.Differences)
	}
}

// An exec that is another, or that is not there, is found.
func TestCompare_Execs(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	r := record(t)
	rows := r.compare(verify.Config{}).Tables["process_execs"].Rows
	if rows < 3 {
		t.Fatalf("the simulated hosts have %d execs: the test shows nothing", rows)
	}
	for _, step := range []struct {
		change string
		less   int64 // rows of that host and day than the log gives
	}{
		{`UPDATE process_execs SET command = NULL WHERE timestamp = (SELECT max(timestamp) FROM process_execs)`, 0},
		{`DELETE FROM process_execs WHERE timestamp = (SELECT max(timestamp) FROM process_execs)`, 1},
	} {
		r.change(step.change)
		got := r.compare(verify.Config{Log: r})
		if len(got.Differences) != 1 || got.Differences[0].Table != "process_execs" || got.Differences[0].Against-got.Differences[0].Rows != step.less {
			t.Errorf("%s: got %+v, want one difference, in the execs", step.change, got.Differences)
		}
		if expired := got.NotCompared != nil && got.NotCompared.Expired == 1; expired != (step.less == 1) {
			t.Errorf("%s: got %+v", step.change, got.NotCompared)
		}
	}
}

func TestCompare_ReadsOnly(t *testing.T) {
	r := record(t)
	got := r.compare(verify.Config{})
	if got.Equal != nil || len(got.Tables) == 0 {
		t.Errorf("got %+v, want hashes and no verdict", got)
	}
	files, err := filepath.Glob(filepath.Join(filepath.Dir(r.db), ".verify-*"))
	if err != nil || len(files) > 0 {
		t.Errorf("it left %v, %v", files, err)
	}
	missing := filepath.Join(t.TempDir(), "none", "monitor.db")
	if _, err := verify.Compare(t.Context(), verify.Config{Database: missing}); !errors.Is(err, query.ErrNoDatabase) {
		t.Errorf("got %v, want ErrNoDatabase", err)
	}
	if _, err := os.Stat(filepath.Dir(missing)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it made a folder (%v)", err)
	}
}
