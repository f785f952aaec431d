package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// point is a figure at one size.
type point struct {
	size int64
	figure
}

// growths are what is measured at several sizes.
var growths = []struct {
	name    string
	measure func(*bench) ([]point, error)
}{
	{"processes", growProcesses},
	{"hosts", growHosts},
	{"rows", growRows},
}

// grow measures at several sizes, and writes a CSV file for each kind of growth.
func grow(b *bench, out, only string) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	var failed error
	for _, g := range growths {
		if only != "" && !slices.Contains(strings.Split(only, ","), g.name) {
			continue
		}
		b.machine = thisMachine()
		points, err := g.measure(b)
		b.sweep()
		if len(points) > 0 {
			err = errors.Join(err, writeCSV(b, filepath.Join(out, g.name+".csv"), points))
		}
		failed = errors.Join(failed, err)
	}
	return failed
}

// growProcesses measures the sampler, and top beside it, with more and more sleeping processes.
func growProcesses(b *bench) (points []point, err error) {
	for _, sleepers := range []int{200, 1000, 2000, 5000, 10_000} {
		s, err := startSampler(b, "sleepers", sleepers)
		if err != nil {
			return points, err
		}
		own, other := figure{name: "proctape sample", unit: "CPU ms"}, figure{name: "top -b", unit: "CPU ms"}
		for range b.rounds {
			cost, err := s.cost()
			if err != nil {
				return points, err
			}
			own.values = append(own.values, cost*float64(s.processes)/1000)
			if cost, err = toolCost(b, tools[0]); err != nil {
				return points, err
			}
			if cost > 0 {
				other.values = append(other.values, cost)
			}
		}
		memory, err := s.sampler.memory("VmHWM")
		if err != nil {
			return points, err
		}
		points = append(points, point{s.processes, own}, point{s.processes, figure{name: "memory", unit: "MiB", values: []float64{memory}}})
		if len(other.values) > 0 {
			points = append(points, point{s.processes, other})
		}
		b.sweep()
	}
	return points, nil
}

// growHosts measures a recorder of more and more hosts, and the replay of about a million rows of as many.
func growHosts(b *bench) (points []point, err error) {
	for _, hosts := range []int{1, 10, 100, 1000, 2000} {
		f := fleetOf{hosts: hosts, processes: 200, interval: 5 * time.Second, duration: 45 * time.Second}
		l, err := live(b, f)
		if err != nil {
			return points, err
		}
		f.duration = time.Duration(max(1, 5000/hosts)) * f.interval
		rates, err := foldRate(b, f)
		if err != nil {
			return points, err
		}
		for _, of := range []figure{
			{name: "recorder", unit: "% of a core", values: []float64{l.cpu}},
			{name: "memory", unit: "MiB", values: []float64{l.memory}},
			{name: "behind", unit: "s", values: []float64{l.behind}},
			{name: "at most behind", unit: "messages", values: []float64{l.most}},
			{name: "not stored", unit: "snapshots", values: []float64{l.missing}},
			{name: "acknowledged, p99", unit: "ms", values: []float64{l.ack}},
			{name: "replay", unit: "rows/s", values: rates},
		} {
			points = append(points, point{int64(hosts), of})
		}
	}
	return points, nil
}

// foldRate returns how many rows a second replay folds of a load, one value a round.
func foldRate(b *bench, f fleetOf) (rates []float64, err error) {
	dir, err := b.folder()
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := generate(b, dir, f); err != nil {
		return nil, err
	}
	for range b.rounds {
		p, err := fold(b, dir, "")
		if err != nil {
			return nil, err
		}
		rates = append(rates, p.perSecond())
	}
	return rates, nil
}

// growRows folds larger and larger recordings, and reads them while a recorder writes. The largest is that of bench data.
func growRows(b *bench) (points []point, err error) {
	for _, hours := range []float64{0.25, 2.4, 24} {
		f, dir := tenMillion, b.largest
		if f.duration = time.Duration(hours * float64(time.Hour)); f != tenMillion {
			if dir, err = b.folder(); err != nil {
				return points, err
			}
		}
		if err := recording(b, dir, f); err != nil {
			return points, err
		}
		r, err := reads(b, dir)
		if err != nil {
			return points, err
		}
		p, err := fold(b, dir, "")
		if err := errors.Join(err, removeDatabase(filepath.Join(dir, "fresh.db"))); err != nil {
			return points, err
		}
		points = append(points, point{r.rows, figure{name: "replay", unit: "rows/s", values: []float64{p.perSecond()}}},
			point{r.rows, figure{name: "database", unit: "bytes/row", values: []float64{p.bytesPerRow()}}})
		for _, read := range []struct{ key, name string }{{"profile", "a job's profile"}, {"report", "a job's report"}, {"page", "a page of 100 snapshots"},
			{"process,_newest_100", "100 samples of a process"}, {"process", "all samples of a process"}} {
			points = append(points, point{r.rows, figure{name: read.name, unit: "ms", values: r.of[read.key]}})
		}
	}
	return points, nil
}

// writeCSV writes points, with a comment that describes the machine.
func writeCSV(b *bench, path string, points []point) error {
	var text strings.Builder
	fmt.Fprintf(&text, "# %s\n", b.machine.describe())
	w := csv.NewWriter(&text)
	_ = w.Write([]string{"size", "series", "unit", "median", "least", "most"}) // a strings.Builder takes all
	for _, p := range points {
		if len(p.values) == 0 {
			continue
		}
		short := func(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }
		_ = w.Write([]string{strconv.FormatInt(p.size, 10), p.name, p.unit, short(p.median()), short(slices.Min(p.values)), short(slices.Max(p.values))})
	}
	w.Flush()
	return os.WriteFile(path, []byte(text.String()), 0o644)
}
