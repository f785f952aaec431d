package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// fleetOf is a load of simulate.
type fleetOf struct {
	hosts, processes int
	interval         time.Duration
	duration         time.Duration
}

// rows returns how many process rows it makes.
func (f fleetOf) rows() int { return int(f.duration/f.interval) * f.hosts * f.processes }

func (f fleetOf) args(dir string) []string {
	return []string{"simulate", "--data", dir, "--hosts", strconv.Itoa(f.hosts), "--processes", strconv.Itoa(f.processes),
		"--interval", f.interval.String(), "--duration", f.duration.String()}
}

// generate puts a load into the log of a folder, as fast as the log takes it.
func generate(b *bench, dir string, f fleetOf) error {
	_, err := b.run(b.proctape, append(f.args(dir), "--fast")...)
	return err
}

// day is a host's day of snapshots, one every ten seconds: 1 728 000 process rows.
var day = fleetOf{hosts: 1, processes: 200, interval: 10 * time.Second, duration: 24 * time.Hour}

// insertRows is how many rows of the day are inserted; inserts are slow.
const insertRows = 500_000

// replay folds a generated day several times: into a database, and into a database and files. For comparison it inserts
// the first rows one by one, with a prepared statement, into tables as readers see them.
func replay(b *bench) error {
	dir, err := b.folder()
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := generate(b, dir, day); err != nil {
		return err
	}
	var plain, files, inserts, ratio, ownCPU, insertCPU, bytes, insertBytes []float64
	for range b.rounds {
		p, err := fold(b, dir, "")
		if err != nil {
			return err
		}
		f, err := fold(b, dir, filepath.Join(dir, "files"))
		if err != nil {
			return err
		}
		i, err := foldByInserts(b, filepath.Join(dir, "fresh.db"))
		if err != nil {
			return err
		}
		plain, files, inserts = append(plain, p.perSecond()), append(files, f.perSecond()), append(inserts, i.perSecond())
		ratio = append(ratio, p.perSecond()/i.perSecond())
		ownCPU, insertCPU = append(ownCPU, p.cpuPerRow()), append(insertCPU, i.cpuPerRow())
		bytes, insertBytes = append(bytes, p.bytesPerRow()), append(insertBytes, i.bytesPerRow())
	}
	b.add("replay of a day into a database", "rows/s", atLeast(350_000), plain...)
	b.add("… of its CPU time, log and decoding included", "µs/row", noBar, ownCPU...)
	b.add("… and into files", "rows/s", atLeast(200_000), files...)
	b.add("… database", "bytes/row", atMost(60), bytes...)
	b.add("its first 500 000 rows by prepared inserts into the readers' tables", "rows/s", noBar, inserts...)
	b.add("… of their CPU time, inserts alone", "µs/row", noBar, insertCPU...)
	b.add("… database", "bytes/row", noBar, insertBytes...)
	b.add("replay over inserts, pair by pair", "times", noBar, ratio...)
	return nil
}

// folded is the cost of writing rows.
type folded struct {
	Rows    int     `json:"rows"`
	Seconds float64 `json:"seconds"`
	CPU     float64 `json:"cpu_seconds"`
	Bytes   int64   `json:"bytes"`
}

func (f folded) perSecond() float64   { return float64(f.Rows) / f.Seconds }
func (f folded) cpuPerRow() float64   { return 1e6 * f.CPU / float64(f.Rows) }
func (f folded) bytesPerRow() float64 { return float64(f.Bytes) / float64(f.Rows) }

// foldedLine is what replay prints at the end.
var foldedLine = regexp.MustCompile(`(?:Folded|Projected) \d+ messages into .* in (\S+): \d+ snapshots, (\d+) process samples`)

// fold replays the log of a folder into its file fresh.db, new each time, and into files in a folder unless that is empty.
// The time is the one that replay prints: from the opened log to the last commit.
func fold(b *bench, dir, files string) (folded, error) {
	db := filepath.Join(dir, "fresh.db")
	if err := errors.Join(removeDatabase(db), os.RemoveAll(files)); err != nil {
		return folded{}, err
	}
	args := []string{"replay", "--data", dir, "--db", db}
	if files != "" {
		args = append(args, "--ndjson", files)
	}
	r, err := b.run(b.proctape, args...)
	if err != nil {
		return folded{}, err
	}
	return foldedOf(r, db)
}

func removeDatabase(db string) (err error) {
	for _, file := range []string{db, db + "-wal", db + "-shm", db + ".lock"} {
		err = errors.Join(err, os.RemoveAll(file))
	}
	return err
}

func foldedOf(r ran, db string) (f folded, err error) {
	m := foldedLine.FindSubmatch(r.out)
	if m == nil {
		return f, fmt.Errorf("replay printed %q", r.out)
	}
	took, err := time.ParseDuration(string(m[1]))
	if err != nil {
		return f, err
	}
	if f.Rows, err = strconv.Atoi(string(m[2])); err != nil {
		return f, err
	}
	info, err := os.Stat(db)
	if err != nil {
		return f, err
	}
	f.Seconds, f.CPU, f.Bytes = took.Seconds(), r.cpu.Seconds(), info.Size()
	return f, nil
}

// foldByInserts puts rows of a database into another one by plain inserts.
func foldByInserts(b *bench, db string) (f folded, err error) {
	to := db + ".inserts"
	r, err := b.run(filepath.Join(b.helpers, "inserts"), "-from", db, "-to", to, "-rows", strconv.Itoa(insertRows))
	if err != nil {
		return f, err
	}
	if err := json.Unmarshal(r.out, &f); err != nil {
		return f, err
	}
	return f, os.Remove(to)
}
