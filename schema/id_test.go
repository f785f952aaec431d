package schema

import (
	"database/sql"
	"os/exec"
	"strings"
	"testing"
)

// byID are reads by id and in the order of ids or of snapshots. Each gives its first row at once, however many there are.
var byID = []struct{ name, query string }{
	{"the last ids", `SELECT * FROM process_metrics ORDER BY id DESC LIMIT 10`},
	{"the last id", `SELECT id FROM process_metrics ORDER BY id DESC LIMIT 1`},
	{"the first ids", `SELECT * FROM process_metrics ORDER BY id LIMIT 1000`},
	{"an id", `SELECT * FROM process_metrics WHERE id = 41943041`},
	{"ids", `SELECT * FROM process_metrics WHERE id IN (41943041, 7)`},
	{"the largest id", `SELECT max(id) FROM process_metrics`},
	{"the smallest id", `SELECT min(id) FROM process_metrics`},
	{"the row of the largest id", `SELECT * FROM process_metrics WHERE id = (SELECT max(id) FROM process_metrics)`},
	{"what follows an id", `SELECT * FROM process_metrics WHERE id > 41943041 ORDER BY id LIMIT 100`},
	{"what comes before an id", `SELECT * FROM process_metrics WHERE id < 41943041 ORDER BY id DESC LIMIT 100`},
	{"the last ids of large processes", `SELECT * FROM process_metrics WHERE rss_mb > 100 ORDER BY id DESC LIMIT 10`},
	{"all, by id", `SELECT * FROM process_metrics ORDER BY id`},
	{"the last snapshot's", `SELECT * FROM process_metrics ORDER BY snapshot_id DESC LIMIT 1`},
	{"the last snapshots'", `SELECT * FROM process_metrics ORDER BY snapshot_id DESC LIMIT 10`},
	{"the last snapshots' pids", `SELECT snapshot_id, pid FROM process_metrics ORDER BY snapshot_id DESC LIMIT 1000`},
	{"the first snapshots'", `SELECT * FROM process_metrics ORDER BY snapshot_id LIMIT 10`},
	{"what follows a snapshot", `SELECT * FROM process_metrics WHERE snapshot_id > 7 ORDER BY snapshot_id LIMIT 100`},
	{"all, by snapshot", `SELECT * FROM process_metrics ORDER BY snapshot_id`},
	{"the largest snapshot", `SELECT max(snapshot_id) FROM process_metrics`},
	{"the newest by time", `SELECT m.* FROM process_metrics m JOIN snapshots s ON s.id = m.snapshot_id ORDER BY s.timestamp DESC LIMIT 10`},
}

// objectionTo says why a plan does not give its first row at once, or nothing: only the outermost table may be read in its
// order, without a search, and nothing may be sorted.
func objectionTo(plan []string) string {
	tables := 0
	for _, step := range plan {
		switch words := strings.Fields(strings.TrimLeft(step, "|`- ")); {
		case len(words) == 0 || words[0] == "QUERY":
		case strings.Contains(step, "TEMP B-TREE"):
			return "it sorts"
		case strings.Contains(step, "AUTOMATIC"):
			return "it makes an index"
		case words[0] == "SCAN":
			if tables > 0 {
				return "it reads all of an inner table"
			}
			tables++
		case strings.Contains(step, "SEARCH sn") && strings.Contains(step, " id>?") && tables > 0:
			return "it reads all snapshots of a process"
		case words[0] == "SEARCH":
			tables++
		}
	}
	if tables == 0 {
		return "it reads nothing"
	}
	return ""
}

// planOf is how a connection would run a query.
func planOf(t *testing.T, conn *sql.Conn, query string) []string {
	t.Helper()
	rows, err := conn.QueryContext(t.Context(), `EXPLAIN QUERY PLAN `+query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var plan []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, detail)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return plan
}

// An id finds its row, and rows come by id or by snapshot, without a look at all the others.
func TestProcessMetrics_ByID(t *testing.T) {
	conn, file := migrated(t)
	plans := map[string]func(t *testing.T, query string) []string{
		"driver": func(t *testing.T, query string) []string { return planOf(t, conn, query) },
	}
	if program, err := exec.LookPath("sqlite3"); err == nil {
		plans["sqlite3"] = func(t *testing.T, query string) []string {
			out, err := exec.Command(program, "-batch", "-readonly", file, `EXPLAIN QUERY PLAN `+query).CombinedOutput()
			if err != nil {
				t.Fatalf("%v %s", err, out)
			}
			return strings.Split(strings.TrimSpace(string(out)), "\n")
		}
	}
	for by, planned := range plans {
		for _, q := range byID {
			t.Run(by+"/"+q.name, func(t *testing.T) {
				plan := planned(t, q.query)
				if objection := objectionTo(plan); objection != "" {
					t.Errorf("%s:\n%s", objection, strings.Join(plan, "\n"))
				}
			})
		}
	}
}

// The control of the test above: a view whose id the planner cannot look up, and one whose order by snapshot it would sort,
// are found.
func TestProcessMetrics_ByID_FindsFaults(t *testing.T) {
	for _, spoiled := range []struct{ name, old, new, query, want string }{
		{"a computed id", "m.id AS id", "m.id + 0 AS id", "the last ids", "it sorts"},
		{"no likelihood", "likelihood(+m.id > +sn.id, 0.25)", "+m.id > +sn.id", "the last snapshots'", "it sorts"},
		{"no way back to the snapshot", "AND sn.id = (m.id - p.pid) >> 22", "", "the last ids", "it reads all snapshots of a process"},
	} {
		t.Run(spoiled.name, func(t *testing.T) {
			conn, _ := migrated(t)
			view := value[string](t, conn, `SELECT sql FROM sqlite_master WHERE name = 'process_metrics'`)
			if !strings.Contains(view, spoiled.old) {
				t.Fatalf("%q is not in\n%s", spoiled.old, view)
			}
			if _, err := conn.ExecContext(t.Context(), `DROP VIEW process_metrics; `+strings.Replace(view, spoiled.old, spoiled.new, 1)); err != nil {
				t.Fatal(err)
			}
			for _, q := range byID {
				if plan := planOf(t, conn, q.query); q.name == spoiled.query && objectionTo(plan) != spoiled.want {
					t.Errorf("got %q of\n%s, want %q", objectionTo(plan), strings.Join(plan, "\n"), spoiled.want)
				}
			}
		})
	}
}
