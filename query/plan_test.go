package query_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"modernc.org/sqlite"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/report"
	"github.com/proctape/proctape/schema"
)

// asked is a statement and its arguments.
type asked struct {
	text string
	args []any
}

// watched is a driver whose connections say what they are asked, before they do it.
type watched struct {
	inner driver.Driver
	dsn   string
	note  func(asked)
}

// watch opens the recording for reading by one connection, and has note called with all that it is asked.
func (r *recording) watch(note func(asked)) *query.DB {
	r.Helper()
	handle := sql.OpenDB(watched{&sqlite.Driver{}, schema.ReaderDSN(r.path), note})
	handle.SetMaxOpenConns(1)
	r.Cleanup(func() { handle.Close() })
	return query.Over(handle)
}

func (w watched) Driver() driver.Driver { return w.inner }

func (w watched) Connect(context.Context) (driver.Conn, error) {
	c, err := w.inner.Open(w.dsn)
	return watchedConn{c, w.note}, err
}

type watchedConn struct {
	driver.Conn
	note func(asked)
}

func (c watchedConn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	a := asked{text: text}
	for _, v := range args {
		a.args = append(a.args, v.Value)
	}
	c.note(a)
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, text, args)
}

// large are the tables that grow with time. No read may go through one from end to end.
var large = []string{"samples", "processes", "process_events", "process_execs"}

// eventfulJob inserts a job with steps, system calls and an event of every type.
func eventfulJob(r *recording) {
	r.Helper()
	r.build7(nil)
	r.sheet("build-7", 1, 292352, 850)
	r.syscalls("build-7", "read", 6100, "futex", 14020)
	for i, kind := range []string{"spawn", "signal", "kill", "oom", "exit"} {
		r.event(int64(i+1), 999_000+float64(i), kind, row{"job_id": "build-7"})
	}
}

// ask asks a question whose answer does not matter.
func ask[A, T any](t *testing.T, db *query.DB, question func(context.Context, *query.DB, A) (T, error), about A) func() error {
	return func() error {
		_, err := question(t.Context(), db, about)
		return err
	}
}

// history is the history of process 42.
func history(ctx context.Context, db *query.DB, r query.Range) ([]query.HistoryPoint, error) {
	return query.History(ctx, db, 42, r)
}

// extremes are those of process 42.
func extremes(ctx context.Context, db *query.DB, r query.Range) (*query.Extremes, error) {
	return query.ExtremesOf(ctx, db, query.Identity{PID: 42}, r)
}

// TestPlans asks SQLite how it would run every statement of every read.
func TestPlans(t *testing.T) {
	r := newRecording(t)
	eventfulJob(r)
	wholeRows(r)
	var log []asked
	db := r.watch(func(a asked) { log = append(log, a) })
	ranges := map[string]query.Range{
		"everything": {}, "since": {Since: 5}, "until": {Until: 5e9}, "between": {Since: 5, Until: 5e9}, "a page": {Limit: 1},
		"the newest": {Limit: 1, Newest: true}, "a host": {Host: "alpha"}, "the newest of a host": {Host: "alpha", Limit: 1, Newest: true},
		"all of it": {Since: 5, Until: 5e9, Host: "alpha", Limit: 1, Newest: true},
	}
	for name, span := range ranges {
		for read, f := range map[string]func() error{
			"Snapshots":                ask(t, db, query.Snapshots, span),
			"History":                  ask(t, db, history, span),
			"Events":                   ask(t, db, query.Events, query.Filter{Range: span}),
			"Events of a job":          ask(t, db, query.Events, query.Filter{Range: span, Job: "build-7"}),
			"Events of a job and type": ask(t, db, query.Events, query.Filter{Range: span, Job: "build-7", Types: []string{"signal", "kill"}}),
			"Events of a pid":          ask(t, db, query.Events, query.Filter{Range: span, PID: 42}),
			"Events of a type":         ask(t, db, query.Events, query.Filter{Range: span, Types: []string{"oom"}}),
			"Execs":                    ask(t, db, query.Execs, query.Filter{Range: span}),
			"Execs of a job":           ask(t, db, query.Execs, query.Filter{Range: span, Job: "build-7"}),
			"Execs of a pid":           ask(t, db, query.Execs, query.Filter{Range: span, PID: 42}),
			"Profile":                  ask(t, db, query.JobProfile, query.JobFilter{Name: "build-7"}),
			"Report": func() error {
				_, err := report.Read(t.Context(), db, query.JobFilter{Name: "build-7"}, time.Unix(1e6, 0))
				return err
			},
			"Jobs": ask(t, db, query.Jobs, span),
		} {
			t.Run(read+"/"+name, func(t *testing.T) {
				log = nil
				if err := f(); err != nil {
					t.Fatal(err)
				}
				if len(log) == 0 {
					t.Fatal("nothing was asked")
				}
				for _, a := range log {
					wantSearch(t, r, a)
				}
			})
		}
	}
}

// wantSearch checks that a statement goes through no large table, and that a page of snapshots is not sorted out of all
// of them.
func wantSearch(t *testing.T, r *recording, a asked) {
	t.Helper()
	steps := plan(t, r, a)
	for _, s := range steps {
		sorts := strings.Contains(a.text, "FROM snapshots t") && !strings.HasPrefix(a.text, "WITH apart") // which picks a few
		if scansLarge(a.text, s) || sorts && strings.Contains(s, "TEMP B-TREE") {
			t.Errorf("%s\n%s\n%s", s, a.text, strings.Join(steps, "\n"))
		}
	}
}

// scansLarge reports whether a step of a plan goes through a large table from end to end. The step names the table as
// the statement does.
func scansLarge(text, step string) bool {
	words := strings.Fields(step)
	if len(words) < 2 || words[0] != "SCAN" {
		return false
	}
	spaced := strings.Join(strings.Fields(text), " ") + " "
	return slices.ContainsFunc(large, func(table string) bool {
		return words[1] == table || strings.Contains(spaced, " "+table+" "+words[1]+" ")
	})
}

// statementsOf are the statements that a document asks in its samples.
func statementsOf(document string) (statements []string) {
	for _, m := range regexp.MustCompile(`\$ (?:proctape sql|sqlite3)[^"\n]*"([^"]+)"`).FindAllStringSubmatch(document, -1) {
		statements = append(statements, m[1])
	}
	return statements
}

// scansOf are the steps of a statement that go through a large table from end to end, by its name or by that in the view.
func scansOf(t *testing.T, r *recording, text string) (scans []string) {
	t.Helper()
	inView := strings.Contains(text, "process_metrics")
	for _, s := range plan(t, r, asked{text: text}) {
		if scansLarge(text, s) || inView && (strings.HasPrefix(s+" ", "SCAN m ") || strings.HasPrefix(s+" ", "SCAN p ")) {
			scans = append(scans, s)
		}
	}
	return scans
}

// The forms that docs/sql.md calls fast go through no large table; one that it warns of is the control.
func TestPlans_Document(t *testing.T) {
	r := newRecording(t)
	eventfulJob(r)
	wholeRows(r)
	text, err := os.ReadFile("../docs/sql.md")
	if err != nil {
		t.Fatal(err)
	}
	statements := statementsOf(string(text))
	if len(statements) < 8 {
		t.Fatalf("got %d statements", len(statements))
	}
	for _, s := range statements {
		if scans := scansOf(t, r, s); len(scans) > 0 {
			t.Errorf("%s\n%q", s, scans)
		}
	}
	for _, s := range []string{`SELECT pid FROM process_metrics WHERE command = 'x'`, `SELECT pid FROM process_events WHERE command = 'x'`} {
		if len(scansOf(t, r, s)) == 0 {
			t.Errorf("%s is taken for fast", s)
		}
	}
}

// TestPlans_Catches is the control: what the test above exists to find is found.
func TestPlans_Catches(t *testing.T) {
	r := newRecording(t)
	for text, want := range map[string]bool{
		`SELECT count(*) FROM samples`: true,
		`SELECT * FROM snapshots t
			JOIN samples m ON m.rss_kib = t.id`: true,
		`SELECT * FROM processes p WHERE p.command = 'x'`:        true,
		`SELECT pid FROM process_events t ORDER BY t.timestamp`:  true,
		`SELECT pid FROM process_events t WHERE t.timestamp > 1`: false,
		`SELECT pid FROM process_execs t ORDER BY t.seq`:         true,
		`SELECT * FROM samples m WHERE m.id = 1`:                 false,
	} {
		steps := plan(t, r, asked{text: text})
		if got := slices.ContainsFunc(steps, func(s string) bool { return scansLarge(text, s) }); got != want {
			t.Errorf("%s: got %v, want %v: %q", text, got, want, steps)
		}
	}
}

func plan(t *testing.T, r *recording, a asked) []string {
	t.Helper()
	rows, err := r.db.QueryContext(t.Context(), `EXPLAIN QUERY PLAN `+a.text, a.args...)
	if err != nil {
		t.Fatalf("%s: %v", a.text, err)
	}
	defer rows.Close()
	var steps []string
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, step)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return steps
}

// TestPlans_Index says which index each statement that matters takes.
func TestPlans_Index(t *testing.T) {
	r := newRecording(t)
	eventfulJob(r)
	wholeRows(r)
	r.insert("rosters", row{"host_id": 1, "last_snapshot": 1, "interval_ns": int64(5e9)})
	r.exec(`UPDATE processes SET (peak_snapshot, peak_rss_kib) = (SELECT id >> 22, rss_kib FROM samples WHERE process_id = processes.id AND rss_kib > 0 LIMIT 1)`)
	var log []asked
	db := r.watch(func(a asked) { log = append(log, a) })
	for _, c := range []struct {
		name string
		read func() error
		from string // what marks the statement
		want string
	}{
		{"a page", ask(t, db, query.Snapshots, query.Range{Limit: 1}), "FROM snapshots t", "snapshots_by_time"},
		{"a page of a host", ask(t, db, query.Snapshots, query.Range{Limit: 1, Host: "alpha"}), "FROM snapshots t", "snapshots_by_time"},
		{"a snapshot's samples", ask(t, db, query.Snapshots, query.Range{}), "FROM samples", "PRIMARY KEY (rowid>? AND rowid<?)"},
		{"the processes of a pid", ask(t, db, history, query.Range{}), "FROM processes", "processes_by_pid"},
		{"a history", ask(t, db, history, query.Range{}), "CROSS JOIN samples", "snapshots_by_host (host_id=? AND id>? AND id<?)"},
		{"a history until", ask(t, db, history, query.Range{Until: 5e9}), "CROSS JOIN samples", "snapshots_by_host (host_id=? AND id>? AND id<?)"},
		{"the end of a history", ask(t, db, history, query.Range{Limit: 1, Newest: true}), "CROSS JOIN samples", "snapshots_by_time"},
		{"a history's samples", ask(t, db, history, query.Range{}), "CROSS JOIN samples", "SEARCH m USING INTEGER PRIMARY KEY (rowid=?)"},
		{"the snapshots of a span of a host", ask(t, db, history, query.Range{Since: 1, Host: "alpha"}), "min(+id)", "COVERING INDEX snapshots_by_host_time (host_id=? AND timestamp>?)"},
		{"where stretches end", ask(t, db, query.FullCoverage, query.Range{Since: 1, Until: 5e9, Host: "alpha"}), "WITH apart", "INDEX snapshots_apart (host_id=? AND timestamp>? AND timestamp<?)"},
		{"how many snapshots they have", ask(t, db, query.FullCoverage, query.Range{Since: 1, Until: 5e9, Host: "alpha"}), "WITH apart", "COVERING INDEX snapshots_by_host_time (host_id=? AND timestamp>? AND timestamp<?)"},
		{"the snapshots of a short time", ask(t, db, query.FullCoverage, query.Range{Since: 1, Until: 5, Host: "alpha"}), "FROM snapshots t", "INDEX snapshots_by_time"},
		{"how many samples a process has", ask(t, db, extremes, query.Range{Host: "alpha"}), "goes_on IS NULL", "SEARCH t USING INDEX snapshots_apart (host_id=? AND timestamp>? AND timestamp<?)"},
		{"events", ask(t, db, query.Events, query.Filter{}), "FROM process_events", "process_events_by_time"},
		{"events of a job", ask(t, db, query.Events, query.Filter{Job: "build-7"}), "FROM process_events", "process_events_by_job"},
		{"events of a pid", ask(t, db, query.Events, query.Filter{PID: 42}), "FROM process_events", "process_events_by_pid"},
		{"counts of a job's events", func() error {
			_, err := report.Read(t.Context(), db, query.JobFilter{Name: "build-7"}, time.Unix(1e6, 0))
			return err
		}, "count(*) FROM process_events", "COVERING INDEX process_events_by_job"},
		{"a job", ask(t, db, query.JobProfile, query.JobFilter{Name: "build-7"}), "FROM jobs", "PRIMARY KEY (job_id=?)"},
		{"a job's steps", ask(t, db, query.JobProfile, query.JobFilter{Name: "build-7"}), "FROM job_sheets", "PRIMARY KEY (job_id=?)"},
		{"a job's hotspots", ask(t, db, query.JobProfile, query.JobFilter{Name: "build-7"}), "FROM job_syscalls", "PRIMARY KEY (job_id=?)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			log = nil
			if err := c.read(); err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(log, func(a asked) bool { return strings.Contains(a.text, c.from) })
			if i < 0 {
				t.Fatalf("no statement has %q", c.from)
			}
			if steps := strings.Join(plan(t, r, log[i]), "\n"); !strings.Contains(steps, c.want) {
				t.Errorf("got\n%s, want %s in it", steps, c.want)
			}
		})
	}
}
