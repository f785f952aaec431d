package main

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/export"
)

// metricsText is what OpenMetrics has: the points of each series, by its name and labels, and what of the text is not as OpenMetrics 1.0 wants it.
type metricsText struct {
	points  map[string]map[float64]float64
	defects []string
}

var metricLine = regexp.MustCompile(`^([a-z_0-9]+)(\{(?:[a-z]+="(?:[^"\\]|\\.)*",?)+\}) (-?[0-9.e+-]+) ([0-9]+\.[0-9]{3})$`)

// readMetrics reads a text line by line: a family stands in one piece, and so does a series, whose times rise; a unit ends the name; the end is marked.
func readMetrics(text string) *metricsText {
	m := &metricsText{points: map[string]map[float64]float64{}}
	say := func(format string, args ...any) { m.defects = append(m.defects, fmt.Sprintf(format, args...)) }
	families, kind := map[string]bool{}, ""
	family, series, last := "", "", 0.0
	lines := strings.Split(text, "\n")
	if len(lines) < 2 || lines[len(lines)-2] != "# EOF" || lines[len(lines)-1] != "" {
		say("the last line is not # EOF")
	}
	for _, line := range lines {
		if words := strings.SplitN(line, " ", 4); strings.HasPrefix(line, "# ") && len(words) == 4 {
			if words[2] != family {
				if families[words[2]] {
					say("family %s stands in two pieces", words[2])
				}
				family, kind, series = words[2], "", ""
				families[family] = true
			}
			if words[1] == "TYPE" {
				kind = words[3]
			}
			if words[1] == "UNIT" && !strings.HasSuffix(family, "_"+words[3]) {
				say("the unit %s does not end %s", words[3], family)
			}
			continue
		}
		l := metricLine.FindStringSubmatch(line)
		if l == nil {
			if line != "" && line != "# EOF" {
				say("not a line of OpenMetrics: %s", line)
			}
			continue
		}
		if want := map[string]string{"gauge": family, "counter": family + "_total"}[kind]; l[1] != want {
			say("%s stands in family %s", l[1], family)
		}
		value, _ := strconv.ParseFloat(l[3], 64)
		at, _ := strconv.ParseFloat(l[4], 64)
		key := l[1] + l[2]
		if key != series {
			if m.points[key] != nil {
				say("series %s stands in two pieces", key)
			}
			m.points[key] = map[float64]float64{}
			series, last = key, 0
		}
		if at <= last {
			say("in %s the time %.3f comes behind %.3f", key, at, last)
		}
		last = at
		m.points[key][at] = value
	}
	return m
}

func openMetricsOf(t *testing.T, db *query.DB, q export.Question) string {
	t.Helper()
	spool, err := openSpool(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer spool.Close()
	var out bytes.Buffer
	if _, err := export.Write(t.Context(), db, q, export.Place{}, export.NewOpenMetrics(&out, spool), func(export.Place, float64) error { return nil }); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestOpenMetrics_TellsTheRecording: each snapshot is a point of each series, with what its processes used.
func TestOpenMetrics_TellsTheRecording(t *testing.T) {
	db, q := exported(t)
	q.What = []string{export.Samples, export.Events}
	text := openMetricsOf(t, db, q)
	got := readMetrics(text)
	for _, d := range got.defects {
		t.Error(d)
	}
	n := 0
	for s, err := range query.SnapshotSeq(t.Context(), db, q.Filter) {
		if err != nil {
			t.Fatal(err)
		}
		at := math.Round(s.Timestamp*1000) / 1000
		var cpu, job float64
		for _, p := range s.Processes {
			cpu += p.CPUPercent
			if p.JobID != nil && *p.JobID == "build-7" {
				job += p.RSS * (1 << 20)
			}
		}
		for series, want := range map[string]float64{`proctape_host_cpu_cores{host="` + s.Host + `"}`: cpu / 100, `proctape_host_memory_used_bytes{host="` + s.Host + `"}`: s.MemUsed * (1 << 20),
			`proctape_host_processes{host="` + s.Host + `"}`: float64(len(s.Processes)), `proctape_job_resident_memory_bytes{host="` + s.Host + `",job="build-7"}`: job} {
			v, is := got.points[series][at]
			if is != (want != 0 || !strings.Contains(series, "job=")) || math.Abs(v-want) > 1e-9 {
				t.Errorf("%s at %.3f is %v, %v; want %v", series, at, v, is, want)
			}
			n++
		}
	}
	last := 0.0
	for _, v := range got.points[`proctape_host_deaths_total{host="build-07"}`] {
		last = max(last, v)
	}
	if ratio := got.points[`proctape_recorded_ratio{host="web-01",data="snapshots"}`]; n < 80 || last != 1 || len(ratio) != 1 {
		t.Errorf("%d points were compared; deaths are %v, want 1; of web-01 is known %v", n, last, ratio)
	}
	for at, ratio := range got.points[`proctape_recorded_ratio{host="web-01",data="snapshots"}`] {
		if ratio <= 0 || ratio >= 1 {
			t.Errorf("of web-01, of which not all is known, %v is known at %v", ratio, at)
		}
	}
	checkPromtool(t, text)
}

// checkPromtool has Prometheus itself read the text.
func checkPromtool(t *testing.T, text string) {
	t.Helper()
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Log("SKIPPED: there is no promtool on this machine to read OpenMetrics with")
		return
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(promtool, "tsdb", "create-blocks-from", "openmetrics", file, filepath.Join(dir, "tsdb")).CombinedOutput()
	points := 0
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			points++
		}
	}
	if err != nil || !strings.Contains(string(out), fmt.Sprintf(" %d ", points)) {
		t.Errorf("promtool did not take %d points: %v\n%s", points, err, out)
	}
}

// TestOpenMetrics_OfAJob: of a filter there are no figures of whole hosts.
func TestOpenMetrics_OfAJob(t *testing.T) {
	db, q := exported(t)
	q.What, q.Job = []string{export.Samples, export.Events}, "build-7"
	for series := range readMetrics(openMetricsOf(t, db, q)).points {
		if strings.HasPrefix(series, "proctape_host_") || strings.Contains(series, "agent-7f3") {
			t.Errorf("of job build-7 there is %s", series)
		}
	}
}

// TestOpenMetrics_TheReaderSees is the control of the reader.
func TestOpenMetrics_TheReaderSees(t *testing.T) {
	const head = "# HELP a_cores Cores.\n# TYPE a_cores gauge\n# UNIT a_cores cores\n"
	const good = head + "a_cores{host=\"x\"} 1 1.000\na_cores{host=\"x\"} 2 2.000\na_cores{host=\"y\"} 1 1.000\n# EOF\n"
	if d := readMetrics(good).defects; len(d) > 0 {
		t.Fatalf("a good text has defects: %v", d)
	}
	for what, change := range map[string][2]string{
		"time":   {"2 2.000", "2 1.000"},
		"series": {"# EOF", "a_cores{host=\"x\"} 3 3.000\n# EOF"},
		"family": {"# EOF", "# TYPE b gauge\nb{host=\"x\"} 3 3.000\n# TYPE a_cores gauge\n# EOF"},
		"end":    {"# EOF\n", ""},
		"unit":   {"a_cores cores", "a_cores bytes"},
		"label":  {`"y"`, `y`},
		"name":   {`a_cores{host="y"}`, `c{host="y"}`},
	} {
		if len(readMetrics(strings.Replace(good, change[0], change[1], 1)).defects) == 0 {
			t.Errorf("a wrong %s is not seen", what)
		}
	}
}
