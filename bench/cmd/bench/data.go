package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// tenMillion is a day of three hosts: 10 368 000 process rows.
var tenMillion = fleetOf{hosts: 3, processes: 200, interval: 5 * time.Second, duration: 24 * time.Hour}

// data measures the reads that people rely on, in a recording of ten million process rows, while a recorder adds to it.
// It makes the recording unless the folder has it.
func data(b *bench, dir string) error {
	if err := recording(b, dir, tenMillion); err != nil {
		return err
	}
	r, err := reads(b, dir)
	if err != nil {
		return err
	}
	b.add(fmt.Sprintf("of %s rows, while a recorder writes: a job's profile", thousands(r.rows)), "ms", atMost(10), r.of["profile"]...)
	b.add("… a job's report", "ms", atMost(10), r.of["report"]...)
	b.add("… the report of a run", "ms", atMost(20), r.of["run_report"]...)
	b.add("… why a process ended", "ms", atMost(20), r.of["why"]...)
	b.add("… who used most at a time", "ms", atMost(20), r.of["top_at"]...)
	b.add("… who used most in a day", "ms", atMost(1000), r.of["top_over_a_day"]...)
	b.add("… a day of one process", "ms", atMost(200), r.of["process"]...)
	b.add("… its newest 100 samples", "ms", noBar, r.of["process,_newest_100"]...)
	b.add("… a page of 100 snapshots × 200 processes", "ms", atMost(150), r.of["page"]...)
	b.add("… rows written meanwhile", "rows/s", noBar, r.written)
	return commands(b, dir)
}

// commands measures what commands take on the recording of a folder while a recorder adds to it. It makes the recording unless the folder has it.
func commands(b *bench, dir string) error {
	if err := recording(b, dir, tenMillion); err != nil {
		return err
	}
	rec, err := recordInto(b, dir)
	if err != nil {
		return err
	}
	return errors.Join(makeRuns(b, dir), ask(b, dir), rec.close())
}

// recordInto starts a recorder that samples this machine ten times a second into the database of a recording. Its settings keep retention from
// deleting the old rows.
func recordInto(b *bench, dir string) (*recorder, error) {
	rec, err := b.record(dir, "--host", "writer", "--interval", "100ms", "--full-resolution-hours", "8760", "--downsampled-days", "3650", "--events-days", "3650")
	if err == nil {
		_, err = b.awaitSnapshots(rec, "writer", 1)
	}
	return rec, err
}

// recordingMark is a file that marks the recording of a folder as complete.
const recordingMark = "bench-complete"

// recording makes a folder as a recorder leaves it, unless it exists.
func recording(b *bench, dir string, f fleetOf) error {
	mark := filepath.Join(dir, recordingMark)
	if _, err := os.Stat(mark); err == nil {
		return nil
	}
	if there, err := os.ReadDir(dir); err == nil && len(there) > 0 {
		return fmt.Errorf("%s is neither empty nor a recording that was finished; name another folder, or remove it", dir)
	}
	fmt.Fprintf(os.Stderr, "bench: generating %s rows in %s\n", thousands(int64(f.rows())), dir)
	if err := generate(b, dir, f); err != nil {
		return err
	}
	db := filepath.Join(dir, "monitor.db")
	r, err := b.run(b.proctape, "replay", "--data", dir, "--db", db)
	if err != nil {
		return err
	}
	made, err := foldedOf(r, db)
	if err != nil {
		return err
	}
	b.add(fmt.Sprintf("replay of %s rows", thousands(int64(made.Rows))), "rows/s", atLeast(350_000), made.perSecond())
	b.add("… database", "bytes/row", atMost(60), made.bytesPerRow())
	return os.WriteFile(mark, nil, 0o600)
}

// reading is how long reads took, in milliseconds.
type reading struct {
	of      map[string][]float64
	rows    int64   // that the recording holds
	written float64 // rows a second that a recorder added meanwhile
}

// reads runs the benchmark of the package query on a recording, while a recorder writes.
func reads(b *bench, dir string) (reading, error) {
	rec, err := recordInto(b, dir)
	if err != nil {
		return reading{}, err
	}
	const rows = `SELECT sum(child_count) FROM snapshots`
	before, err := rec.number(rows)
	if err != nil {
		return reading{}, err
	}
	began := time.Now()
	if err := os.Setenv("PROCTAPE_BENCH_DB", filepath.Join(dir, "monitor.db")); err != nil {
		return reading{}, err
	}
	out, err := b.run("go", "test", "-run", "^$", "-bench", "Recorded", "-benchtime", "500ms", "-count", strconv.Itoa(b.rounds), "./query")
	if err != nil {
		return reading{}, err
	}
	after, err := rec.number(rows)
	if err := errors.Join(err, rec.close()); err != nil {
		return reading{}, err
	}
	r := reading{of: map[string][]float64{}, rows: before, written: float64(after-before) / time.Since(began).Seconds()}
	for name, units := range parseBenchmarks(out.out) {
		r.of[filepath.Base(name)] = units["ms/op"]
	}
	return r, nil
}
