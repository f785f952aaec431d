package top_test

import (
	"context"
	"database/sql"
	"os"
	"testing"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/top"
	"github.com/proctape/proctape/schema"
)

// BenchmarkRecorded reads what the screen shows, of the recording that PROCTAPE_BENCH_DB names, to which a recorder may be writing meanwhile.
func BenchmarkRecorded(b *testing.B) {
	path := os.Getenv("PROCTAPE_BENCH_DB")
	if path == "" {
		b.Skip("SKIPPED: PROCTAPE_BENCH_DB names no recording")
	}
	host, last := lookInto(b, path)
	db, err := query.Open(b.Context(), path)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	source := top.NewDatabase(db, func(context.Context, top.AskStory) (string, error) { return "", nil })
	frame := func(b *testing.B, at float64) {
		if f, err := source.Frame(b.Context(), at, host); err != nil || len(f.Rows) == 0 {
			b.Fatal(f, err)
		}
	}
	b.Run("step", func(b *testing.B) { // each to a snapshot that was not read before, as long as there are any
		b.ReportAllocs()
		for at := last; b.Loop(); {
			if at, err = source.Step(b.Context(), at, top.StopSample, true, host); err != nil || at == 0 {
				at = last
			}
			frame(b, at)
		}
	})
	b.Run("again", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			frame(b, last)
		}
	})
	b.Run("line", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := source.Line(b.Context(), query.Range{Since: last - 3600, Until: last, Host: host}, 120); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// lookInto finds a simulated host, and the time of its last snapshot.
func lookInto(b *testing.B, path string) (host string, last float64) {
	b.Helper()
	db, err := sql.Open("sqlite", schema.ReaderDSN(path))
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	err = db.QueryRowContext(b.Context(), `SELECT name, (SELECT max(timestamp) FROM snapshots WHERE host_id = hosts.id) FROM hosts
		WHERE name LIKE 'sim-%' ORDER BY name LIMIT 1`).Scan(&host, &last)
	if err != nil {
		b.Fatal("find the host: ", err)
	}
	return host, last
}
