package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// packages are the benchmarks beside the code that the table shows, by package. Those that first make a load run a fixed
// number of times; a fixed duration would go mostly into making the load.
var packages = []struct{ path, pattern, times string }{
	{"./schema", ".", "300ms"},
	{"./producer/procfs", "Processes|ParseStat", "500ms"},
	{"./producer/lifecycle/netlink", ".", "5x"},
	{"./producer/scrub", ".", "300ms"},
	{"./projector", "Fold|Rules", "1x"},
	{"./projector/ndjson", "Append|Writer", "300ms"},
	{"./query", "Page$|Day|Hundred|Profile|Report", "300ms"},
	{"./query/live", "Follow", "300ms"},
	{"./query/web", "Stream", "300ms"},
}

// shown are their figures: a unit of a benchmark, and the divisor that makes it readable.
var shown = []struct {
	benchmark, unit string
	name            string
	per             float64
	as              string
	bar             bar
}{
	{"Encode/msgpack", "ns/op", "encode a snapshot of 200 processes", 1000, "µs", atMost(80)},
	{"Encode/msgpack", "allocs/op", "…", 1, "allocations", atMost(0)},
	{"Decode/msgpack", "ns/op", "decode it", 1000, "µs", atMost(200)},
	{"Encode/json", "ns/op", "encode it as JSON", 1000, "µs", noBar},
	{"Decode/json", "ns/op", "decode it from JSON", 1000, "µs", noBar},
	{"Processes/children=1000", "cpu-us/process", "read /proc, 1000 sleeping processes", 1, "CPU ms/1000", atMost(8)},
	{"ParseStat", "ns/op", "parse one stat line", 1, "ns", noBar},
	{"Connector_Read", "cpu-ns/message", "read an event of the proc connector", 1000, "CPU µs", noBar},
	{"Taskstats_Read", "cpu-ns/message", "read an exit record of taskstats", 1000, "CPU µs", noBar},
	{"Command/secret", "ns/op", "scrub a command line", 1000, "µs", noBar},
	{"Fold/ndjson=false/batch=20", "rows/s", "fold, 20 snapshots a transaction", 1, "rows/s", noBar},
	{"Fold/ndjson=false/batch=20", "cpu-ns/row", "…", 1000, "CPU µs/row", noBar},
	{"Fold/ndjson=true/batch=20", "rows/s", "… with files", 1, "rows/s", noBar},
	{"Fold/ndjson=false/batch=1", "rows/s", "… one snapshot a transaction", 1, "rows/s", noBar},
	{"Rules", "rules-%", "all built-in rules, of the CPU of a fold", 1, "%", atMost(15)},
	{"AppendSnapshot", "ns/op", "write a snapshot's line of JSON", 1000, "µs", noBar},
	{"Writer", "ns/op", "… 20 of them to a file, with a sync", 1e6, "ms", noBar},
	{"Snapshots_Page", "ms/op", "read 100 snapshots × 200 processes, of 1 million rows", 1, "ms", atMost(150)},
	{"History_Day", "ms/op", "read a day of one process, of 1 million rows", 1, "ms", atMost(200)},
	{"Profile", "ms/op", "read a job's profile, of 1 million rows", 1, "ms", atMost(10)},
	{"Report", "ms/op", "read a job's report, of 1 million rows", 1, "ms", atMost(10)},
	{"Follow/readers=1", "p99-ms", "publish to delivery, 1 reader: p99", 1, "ms", atMost(5)},
	{"Follow/readers=10", "p99-ms", "… 10 readers", 1, "ms", atMost(5)},
	{"Follow/readers=50", "p99-ms", "… 50 readers", 1, "ms", atMost(5)},
	{"Follow/readers=1", "cpu-us/message", "decode what is followed, a snapshot of 200 for a reader", 1, "CPU µs", noBar},
	{"Stream/reads=all", "cpu-us/message", "the API's stream, a snapshot of 200 for one of ten readers", 1, "CPU µs", noBar},
	{"Stream/reads=host", "cpu-us/message", "… who asks for another host", 1, "CPU µs", atMost(300)},
	{"Stream/reads=job", "cpu-us/message", "… who asks for another job", 1, "CPU µs", atMost(300)},
	{"Stream/reads=pid", "cpu-us/message", "… who asks for one process of it", 1, "CPU µs", atMost(700)},
}

// besideTheCode runs the benchmarks beside the code, keeps their output in go.txt for benchstat, and adds the figures
// that are shown.
func besideTheCode(b *bench) error {
	var all bytes.Buffer
	var failed error
	for _, p := range packages {
		fmt.Fprintln(os.Stderr, "bench: go test -bench", p.path)
		r, err := b.run("go", "test", "-run", "^$", "-bench", p.pattern, "-benchmem", "-benchtime", p.times, "-count", strconv.Itoa(b.rounds), p.path)
		failed = errors.Join(failed, err)
		all.Write(r.out)
	}
	failed = errors.Join(failed, os.WriteFile(filepath.Join(b.helpers, "go.txt"), all.Bytes(), 0o600))
	measured := parseBenchmarks(all.Bytes())
	for _, s := range shown {
		values := measured[s.benchmark][s.unit]
		if len(values) == 0 {
			b.note("Not measured here: " + s.benchmark + ".")
			continue
		}
		scaled := make([]float64, len(values))
		for i, v := range values {
			scaled[i] = v / s.per
		}
		b.add(s.name, s.as, s.bar, scaled...)
	}
	return failed
}

// parseBenchmarks returns the values of each benchmark by unit: "BenchmarkName-8  100  12.3 ns/op  0 allocs/op".
func parseBenchmarks(out []byte) map[string]map[string][]float64 {
	found := map[string]map[string][]float64{}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name := strings.TrimPrefix(fields[0], "Benchmark")
		if i := strings.LastIndexByte(name, '-'); i > 0 {
			name = name[:i]
		}
		if found[name] == nil {
			found[name] = map[string][]float64{}
		}
		for i := 2; i+1 < len(fields); i += 2 {
			if v, err := strconv.ParseFloat(fields[i], 64); err == nil {
				found[name][fields[i+1]] = append(found[name][fields[i+1]], v)
			}
		}
	}
	return found
}
