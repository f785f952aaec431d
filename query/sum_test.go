package query_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/report"
	"github.com/proctape/proctape/query/verify"
	"github.com/proctape/proctape/schema"
)

// noFigure are the columns whose numbers are no figures: they name a row, a place or a time.
var noFigure = []string{"id", "host_id", "process_id", "rollup_id", "pid", "ppid", "daemon_pid", "uid", "start_ticks", "boot_ns", "ended_boot_ns", "last_boot_ns",
	"wall_ns", "first_ns", "last_ns", "ended_ns", "interval_ns", "message_time", "created", "first_snapshot", "last_snapshot", "sheet_num", "fleet", "core", "partial",
	"epoch", "at_seq", "n", "first_seq", "last_seq", "seq", "id_base", "tick", "rank", "last_hour", "exit_code", "signal_num"}

// atTheBounds is a recording of two hosts in which every figure of every row is the largest that a sum stops at.
func atTheBounds(t *testing.T) *recording {
	r := newRecording(t)
	r.insert("hosts", row{"id": 2, "name": "beta"})
	r.insert("hosts", row{"id": 3, "name": schema.Fleet})
	r.insert("checkpoints", row{"stream": schema.StreamSnapshots, "seq": 9, "epoch": 1})
	for host := int64(1); host <= 2; host++ {
		of := row{"host_id": host, "boot_id": fmt.Sprint("boot-", host)}
		for i := int64(0); i < 4; i++ {
			r.snapshot(10*i+host, float64(1000+60*i), row{"wall_ns": (1000 + 60*i) * 1e9, "boot_ns": (900 + 60*i) * 1e9, "interval_ns": int64(60e9)}.with(of))
			r.process(100*host+i, 42+i, host, row{"job_id": "night", "fleet": 1, "sheet_num": 1, "start_ticks": 90_000}.with(of))
		}
		for i := int64(0); i < 16; i++ {
			r.sample(10*(i%4)+host, 100*host+i/4, row{"cpu_ms": 1 << 50 * (i % 4)})
		}
		for i, kind := range []string{"spawn", "exit", "signal", "kill", "oom"} {
			r.event(100*host+int64(i), float64(1010+i), kind, row{"job_id": "night", "fleet": 1, "start_ticks": 90_000}.with(of))
		}
		r.execution(100*host, 1010, row{"job_id": "night", "fleet": 1}.with(of))
		job := row{"job_id": "night", "fleet": 1, "host_id": host}
		r.insert("jobs", row{"first_seen": 1000.0, "last_seen": 1180.0}.with(job))
		r.insert("job_sheets", row{"sheet_num": 1}.with(job))
		r.insert("job_pids", row{"pid": 42}.with(job))
		r.insert("job_syscalls", row{"name": "read"}.with(job))
		r.insert("rosters", row{"last_snapshot": 30 + host, "instance": "i", "seq": 4, "wall_ns": int64(1180e9), "interval_ns": int64(60e9)}.with(of))
		for i := range 600 { // as many lives, each with a number near the largest
			r.insert("producers", row{"instance": fmt.Sprint(i), "kind": "spawn", "last_ns": int64(1180e9)}.with(of))
		}
		for minute := int64(0); minute < 3; minute++ {
			r.insert("rollups", row{"id": 10*minute + host, "timestamp": float64(60 * minute), "covers": "[]"}.with(of))
			r.insert("process_rollups", row{"process_id": host, "rollup_id": 10*minute + host})
		}
		r.insert("rollup_processes", row{"id": host, "pid": 42, "job_id": "night", "fleet": 1}.with(of))
		r.insert("gaps", row{"stream": schema.StreamEvents, "n": host, "timestamp": 1010.0, "kind": "missing", "host_id": host})
		for _, stream := range []string{schema.StreamEvents, schema.StreamSnapshots} {
			r.insert("quarantine_counts", row{"stream": stream, "host": of["boot_id"], "reason": "undecodable", "count": 1})
		}
		r.insert("quarantine", row{"stream": schema.StreamEvents, "seq": host, "subject": "s", "reason": "undecodable", "error": "e", "sha256": "0"})
	}
	r.raise()
	return r
}

// raise sets every figure to the largest that a sum stops at.
func (r *recording) raise() {
	r.Helper()
	rows, err := r.db.QueryContext(r.Context(), `SELECT t.name, c.name FROM sqlite_master t JOIN pragma_table_info(t.name) c
		WHERE t.type = 'table' AND c.type = 'INTEGER' AND t.name NOT LIKE 'sqlite%'`)
	if err != nil {
		r.Fatal(err)
	}
	defer rows.Close()
	var updates []string
	for rows.Next() {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			r.Fatal(err)
		}
		if slices.Contains(noFigure, column) || table == "samples" && column == "cpu_ms" {
			continue
		}
		updates = append(updates, fmt.Sprintf(`UPDATE %s SET %s = %d`, table, column, int64(schema.MaxSum)))
	}
	if err := rows.Err(); err != nil {
		r.Fatal(err)
	}
	rows.Close()
	for _, update := range updates {
		r.exec(update)
	}
}

// plainSum is a sum that overflows when it is one of integers.
var plainSum = regexp.MustCompile(`(?i)\bsum\s*\(`)

// TestSums_AtTheBounds reads everything of two hosts whose figures are the largest that are stored. Nothing fails, and no figure wraps
// below 0. No statement makes a sum of integers, so that what one host says cannot end a read for all.
func TestSums_AtTheBounds(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	r := atTheBounds(t)
	var asks []asked
	db := r.watch(func(a asked) { asks = append(asks, a) })
	ctx, all := t.Context(), query.Filter{}
	reads := map[string]func() (any, error){
		"hosts":       func() (any, error) { return query.Hosts(ctx, db) },
		"checkpoints": func() (any, error) { return query.Checkpoints(ctx, db) },
		"coverage":    func() (any, error) { return query.HostCoverage(ctx, db, query.Range{Since: 1000, Until: 2000}) },
		"jobs":        func() (any, error) { return query.Jobs(ctx, db, query.Range{}) },
		"jobs of one": func() (any, error) { return query.Jobs(ctx, db, query.Range{Host: "beta"}) },
		"profile":     func() (any, error) { return query.JobProfile(ctx, db, query.JobFilter{Name: "night"}) },
		"report": func() (any, error) {
			return report.Read(ctx, db, query.JobFilter{Name: "night"}, time.Unix(2000, 0))
		},
		"snapshots":         func() (any, error) { return query.Snapshots(ctx, db, query.Range{}) },
		"events":            func() (any, error) { return query.Events(ctx, db, all) },
		"execs":             func() (any, error) { return query.Execs(ctx, db, all) },
		"history":           func() (any, error) { return query.History(ctx, db, 42, query.Range{}) },
		"processes":         func() (any, error) { return query.ProcessesAt(ctx, db, 1180, all) },
		"tree":              func() (any, error) { return query.TreeAt(ctx, db, 1180, all) },
		"orphans":           func() (any, error) { return query.OrphansAt(ctx, db, 1180, all) },
		"diff":              func() (any, error) { return query.Diff(ctx, db, 1000, 1180, all) },
		"gaps":              func() (any, error) { return query.Gaps(ctx, db, query.Range{}, "") },
		"silences":          func() (any, error) { return query.Silences(ctx, db, 9000, "") },
		"not come":          func() (any, error) { return query.NotCome(ctx, db, 9000, "") },
		"quarantine":        func() (any, error) { return query.Quarantine(ctx, db, -1, true) },
		"quarantine counts": func() (any, error) { return query.QuarantineCounts(ctx, db) },
		"content": func() (any, error) {
			_, err := verify.ReadContent(ctx, db)
			return nil, err
		},
	}
	for _, by := range query.TopBy {
		for _, metric := range query.TopMetrics {
			q := query.TopQuery{Filter: query.Filter{Range: query.Range{Until: 2000}}, By: by, Sort: metric}
			reads["top by "+by+" of "+metric] = func() (any, error) { return query.TopOf(ctx, db, q) }
			reads["top now by "+by+" of "+metric] = func() (any, error) { return query.TopAt(ctx, db, 1180, q) }
		}
	}
	for name, read := range reads {
		t.Run(name, func(t *testing.T) {
			answer, err := read()
			if err != nil {
				t.Fatal(err)
			}
			b, err := json.Marshal(answer) // refuses infinity and what is no number
			if err != nil {
				t.Fatal(err)
			}
			var value any
			if err := json.Unmarshal(b, &value); err != nil {
				t.Fatal(err)
			}
			if below := belowZero(value, ""); len(below) > 0 {
				t.Errorf("below 0: %q", below)
			}
		})
	}
	for _, a := range asks {
		if plainSum.MatchString(a.text) {
			t.Errorf("a sum that can overflow: %s", a.text)
		}
	}
}

// belowZero are the numbers below 0 of a value of JSON, by the keys that lead there.
func belowZero(value any, at string) (found []string) {
	switch v := value.(type) {
	case float64:
		if v < 0 && !strings.HasSuffix(at, ".start_ticks") { // which is -1 where it is not known
			found = []string{fmt.Sprint(at, " ", v)}
		}
	case []any:
		for _, item := range v {
			found = append(found, belowZero(item, at)...)
		}
	case map[string]any:
		for key, item := range v {
			found = append(found, belowZero(item, at+"."+key)...)
		}
	}
	return found
}

// The control: the rows are such that a plain sum of them fails, for all hosts; and what wrapped is noticed.
func TestSums_AtTheBoundsControl(t *testing.T) {
	r := atTheBounds(t)
	for _, plain := range []string{`sum(cpu_ms + exit_cpu_ms) FROM jobs`, `sum(cpu_ms + exit_cpu_ms) FROM job_sheets`, `sum(next_seq - 1) FROM producers`,
		`sum(count) FROM quarantine_counts`, `sum(cpu_mean) FROM process_rollups`} {
		var n any
		if err := r.db.QueryRowContext(t.Context(), `SELECT `+plain).Scan(&n); err == nil || !strings.Contains(err.Error(), "overflow") {
			t.Errorf("%s: got %v, %v, want an overflow", plain, n, err)
		}
		if !plainSum.MatchString(plain) {
			t.Errorf("%s is not found", plain)
		}
	}
	n := int64(schema.MaxSum)
	wrapped := map[string]any{"items": []any{map[string]any{"n": float64(4 * n)}}}
	if len(belowZero(wrapped, "")) != 1 {
		t.Error("a wrapped sum is not found")
	}
}

// Figures whose sums stopped say so.
func TestSums_SayAtLeast(t *testing.T) {
	db := atTheBounds(t).open()
	jobs, err := query.Jobs(t.Context(), db, query.Range{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := query.JobProfile(t.Context(), db, query.JobFilter{Name: "night"})
	if err != nil {
		t.Fatal(err)
	}
	hosts, err := query.Hosts(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	hosts = slices.DeleteFunc(hosts, func(h query.HostBalance) bool { return h.Host == schema.Fleet })
	for name, c := range map[string]struct{ got, want []string }{
		"job":     {jobs[0].AtLeast, []string{"total_cpu_seconds"}},
		"profile": {p.AtLeast, []string{"total_cpu_seconds", "syscall_hotspots"}},
		"step":    {p.Sheets[1].AtLeast, []string{"total_cpu_seconds"}},
		"host":    {hosts[0].AtLeast, []string{"produced", "stored", "quarantined", "missing", "duplicates"}},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%s: got %q, want %q", name, c.got, c.want)
		}
	}
	// The control: sums that did not stop say nothing.
	r := newRecording(t)
	eventfulJob(r)
	if p, err = query.JobProfile(t.Context(), r.open(), query.JobFilter{Name: "build-7"}); err != nil || p.AtLeast != nil {
		t.Errorf("got %q, %v of a plain job", p.AtLeast, err)
	}
}
