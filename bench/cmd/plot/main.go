// Command plot draws the measurements of bench grow: it reads CSV files and writes SVG pictures.
//
//	plot -from bench/results -to docs
package main

import (
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// pictures are the charts, each with the series and the file that it shows.
var pictures = []struct {
	file, to string
	chart    chart
	series   []string
}{
	{"processes.csv", "growth-processes.svg", chart{title: "CPU time of one sample", x: "processes", y: "ms"}, []string{"top -b", "proctape sample"}},
	{"hosts.csv", "growth-hosts.svg", chart{title: "Recorder of many hosts: 200 processes each, every 5 s", x: "hosts", y: "% of a core"}, []string{"recorder"}},
	{"hosts.csv", "growth-replay.svg", chart{title: "Replay of a million process rows", x: "hosts they are of", y: "rows/s"}, []string{"replay"}},
	{"rows.csv", "growth-rows.svg", chart{title: "Reads while a recorder writes", x: "process rows in the database", y: "ms"},
		[]string{"a page of 100 snapshots", "a job's report", "100 samples of a process", "a job's profile"}},
}

func main() {
	from := flag.String("from", "bench/results", "`folder` of the CSV files")
	to := flag.String("to", "docs", "`folder` for the pictures")
	flag.Parse()
	if err := run(*from, *to); err != nil {
		fmt.Fprintln(os.Stderr, "plot:", err)
		os.Exit(1)
	}
}

func run(from, to string) error {
	for _, p := range pictures {
		measured, err := read(filepath.Join(from, p.file))
		if errors.Is(err, fs.ErrNotExist) {
			fmt.Fprintln(os.Stderr, "plot:", p.to, "left as it is:", err)
			continue
		} else if err != nil {
			return err
		}
		for _, name := range p.series {
			if len(measured[name]) == 0 {
				return fmt.Errorf("%s has no %q", p.file, name)
			}
			p.chart.lines = append(p.chart.lines, line{name, measured[name]})
		}
		if err := os.WriteFile(filepath.Join(to, p.to), []byte(p.chart.svg()), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// read returns the points of a file by series, in the order of their sizes.
func read(path string) (map[string][]point, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comment = '#'
	records, err := r.ReadAll()
	if err != nil {
		return nil, err
	}
	if len(records) == 0 || len(records[0]) != 6 {
		return nil, fmt.Errorf("%s holds no table of six columns", path)
	}
	series := map[string][]point{}
	for i, record := range records[1:] { // the first names the columns: size, series, unit, median, least, most
		var p point
		for column, into := range map[int]*float64{0: &p.x, 3: &p.y, 4: &p.least, 5: &p.most} {
			if *into, err = strconv.ParseFloat(record[column], 64); err != nil {
				return nil, fmt.Errorf("%s, row %d: %w", path, i+1, err)
			}
		}
		series[record[1]] = append(series[record[1]], p)
	}
	for _, points := range series {
		slices.SortFunc(points, func(a, b point) int { return int(a.x - b.x) })
	}
	return series, nil
}
