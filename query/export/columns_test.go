package export

import (
	"reflect"
	"slices"
	"testing"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema/metric"
)

func columnNamed(t *testing.T, table, name string) *column {
	t.Helper()
	columns := columnsOf(table)
	i := slices.IndexFunc(columns, func(c *column) bool { return c.name == name })
	if i < 0 {
		t.Fatalf("%s have no column %s", table, name)
	}
	return columns[i]
}

// Every metric that is shown has a column of the samples, with the unit and the meaning of the table of metrics.
func TestColumns_OfEveryMetric(t *testing.T) {
	n := 0
	for i := range metric.Table {
		m := &metric.Table[i]
		if m.Key == "" || !m.Measured() {
			continue
		}
		n++
		c := columnNamed(t, Samples, m.Key)
		want := m.Unit.Shown
		if m.Unit == metric.Counted {
			want = ""
		}
		if c.unit != want || c.doc != m.Doc {
			t.Errorf("%s has the unit %q and the meaning %q, want %q and %q", m.Key, c.unit, c.doc, want, m.Doc)
		}
		if spread := "_max"; m.Rollup == metric.Spread && columnNamed(t, Samples, m.Key+spread).base.name != m.Key {
			t.Errorf("%s_max is not known to be of %s", m.Key, m.Key)
		}
	}
	if n < 15 {
		t.Errorf("only %d metrics were looked up", n)
	}
	for table, names := range map[string][]string{Events: {"timestamp", "pid", "exit_code", "cpu_seconds", "peak_rss_mb"}, Runs: {"job_id", "run", "started", "total_cpu_seconds", "peak_rss_mb", "lower_bound"},
		Gaps: {"kind", "count", "from_time", "to_time"}, Samples: {"timestamp", "host", "pid", "start_ticks", "job_id", "sheet_num", "cgroup", "syscall_counts", "fleet"}} {
		for _, name := range names {
			columnNamed(t, table, name)
		}
	}
}

// What is unknown is no 0: neither where an answer has a default for it, nor where there is no minute that has a spread.
func TestColumns_Unknown(t *testing.T) {
	swap := 0.0
	known := query.Process{PID: 1, Measured: query.Measured{State: "S", Swap: &swap}}
	unknown := known
	unknown.Unknown = []string{"cpu_percent"}
	unknown.Swap = nil
	for _, c := range []struct {
		name       string
		p          query.Process
		resolution float64
		want       bool
	}{
		{"cpu_percent", known, 0, true}, {"cpu_percent", unknown, 0, false}, {"rss_mb", unknown, 0, true},
		{"swap_mb", known, 0, true}, {"swap_mb", unknown, 0, false}, {"job_id", known, 0, false}, {"fleet", known, 0, true},
		{"cpu_percent_max", known, 0, false}, {"cpu_percent_max", known, 60, true}, {"cpu_percent_max", unknown, 60, false},
		{"swap_mb_p95", known, 60, true}, {"swap_mb_p95", unknown, 60, false}, {"samples", known, 0, false}, {"command", known, 0, false},
	} {
		row := sample{Timestamp: 1, Host: "vm", Resolution: c.resolution, Process: &c.p}
		if got := columnNamed(t, Samples, c.name).of(reflect.ValueOf(&row)); got.known != c.want {
			t.Errorf("%s of %+v in %v s is known: %v, want %v", c.name, c.p.Unknown, c.resolution, got.known, c.want)
		}
	}
}
