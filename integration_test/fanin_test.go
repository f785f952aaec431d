package integration_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/proctape/proctape/query"
)

// TestFanIn has three samplers of three hosts publish into one recorder while three readers follow, and then folds
// the log into fresh databases: every reader saw every message, and every database is equal row for row.
func TestFanIn_SamplersReadersReplay(t *testing.T) {
	long(t)
	t.Parallel()
	dir := t.TempDir()
	recorder := start(t, "up", "--data", dir, "--listen", "127.0.0.1:0", "--host", "hub", "--interval", "1s")
	recorder.awaitLine("In another terminal")
	url := listening(t, recorder)
	readers := []*process{
		start(t, "tail", "snapshots", "--data", dir, "--since", "-1h"),
		start(t, "tail", "snapshots", "--server", url, "--creds", filepath.Join(dir, "creds", "admin.nk"), "--since", "-1h"),
		start(t, "tail", "events", "--data", dir, "--since", "-1h"),
	}

	hosts := []string{"alpha", "beta", "gamma"}
	var samplers []*process
	for _, host := range hosts {
		samplers = append(samplers, start(t, "sample", "--server", url, "--creds", addHost(t, dir, host),
			"--host", host, "--interval", "200ms"))
	}
	db := filepath.Join(dir, "monitor.db")
	await(t, "ten snapshots of each host", func() bool {
		return count(t, db, `SELECT min(n) * (count(*) = 4) FROM (SELECT count(*) n FROM snapshots GROUP BY host_id)`) >= 10
	})
	// Beside the running recorder, while samples still come.
	run(t, "replay", "--data", dir, "--db", filepath.Join(dir, "beside.db"))
	if n := count(t, filepath.Join(dir, "beside.db"), `SELECT count(*) FROM snapshots`); n < 30 {
		t.Errorf("the replay beside the recorder has %d snapshots, want at least 30", n)
	}
	for _, s := range samplers {
		s.stop()
	}
	snapshots := func() int {
		return count(t, db, `SELECT count(*) FROM snapshots WHERE host_id NOT IN (SELECT id FROM hosts WHERE name='hub')`)
	}
	acked := 0
	for _, s := range samplers {
		last := s.out()[len(s.out())-1]
		var made, got, lost int
		var took string
		if _, err := fmt.Sscanf(last, "Stopped after %s %d items were made, %d acknowledged by the log, %d lost.", &took, &made, &got, &lost); err != nil || lost != 0 || made != got {
			t.Errorf("sampler said %q (%v), want nothing lost", last, err)
		}
		acked += got
	}
	stored := func() int {
		return count(t, db, `SELECT coalesce(sum(stored), 0) FROM producers WHERE host_id NOT IN (SELECT id FROM hosts WHERE name='hub')`)
	}
	await(t, "all that was acknowledged in the database", func() bool { return stored() == acked })
	want := snapshots()
	for i, r := range readers[:2] {
		r.await(fmt.Sprintf("every snapshot at reader %d", i), func(lines []string) bool {
			return len(fromSamplers(t, lines)) >= want
		})
		if got := fromSamplers(t, r.out()); len(got) != want || !slices.Equal(slices.Compact(slices.Sorted(slices.Values(got))), slices.Sorted(slices.Values(got))) {
			t.Errorf("reader %d saw %d snapshots, want %d and each once", i, len(got), want)
		}
	}
	// Beside events the reader shows gaps, and the recorder's own go on.
	told := func(lines []string) (n int) {
		for _, line := range lines {
			if strings.Contains(line, `"event_type":`) && !strings.Contains(line, `"host":"hub"`) {
				n++
			}
		}
		return n
	}
	const ofSamplers = ` WHERE host_id NOT IN (SELECT id FROM hosts WHERE name='hub')`
	events := count(t, db, `SELECT (SELECT count(*) FROM process_events`+ofSamplers+`) + (SELECT count(*) FROM process_execs`+ofSamplers+`)`)
	readers[2].await("every event at the third reader", func(lines []string) bool { return told(lines) >= events })
	if got := told(readers[2].out()); got != events {
		t.Errorf("the reader of events saw %d of %d", got, events)
	}
	recorder.stop()
	for _, r := range readers {
		r.cmd.Process.Kill() // it would wait for the recorder to come back
	}

	fresh := filepath.Join(t.TempDir(), "fresh.db")
	run(t, "replay", "--data", dir, "--db", fresh)
	equal(t, db, fresh)
}

// fromSamplers names the snapshots of the samplers' hosts among lines of JSON.
func fromSamplers(t *testing.T, lines []string) []string {
	t.Helper()
	var seen []string
	for _, s := range decode[query.Snapshot](t, strings.Join(lines, "\n")) {
		if s.Host != "hub" {
			seen = append(seen, fmt.Sprintf("%s %f", s.Host, s.Timestamp))
		}
	}
	return seen
}

// listening is the address that a recorder printed.
func listening(t *testing.T, p *process) string {
	t.Helper()
	for _, line := range p.out() {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "listening "); ok {
			url, _, _ := strings.Cut(rest, ",")
			return url
		}
	}
	t.Fatalf("no address in %q", p.out())
	return ""
}

// equal checks that two databases hold the same rows in every table, ids included. What names the database itself
// may differ, and what it is yet to tell the log: a replay tells nothing, so it keeps what its rules found.
func equal(t *testing.T, a, b string) {
	t.Helper()
	da, db := readOnly(t, a), readOnly(t, b)
	tables := column(t, da, `SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE 'sqlite_%' ORDER BY name`)
	if len(tables) < 12 {
		t.Fatalf("only %d tables to compare", len(tables))
	}
	for _, table := range tables {
		if table == "meta" || table == "files" || table == "found_anomalies" {
			continue
		}
		ra, rb := rows(t, da, table), rows(t, db, table)
		if len(ra) != len(rb) {
			t.Errorf("%s: %d rows and %d rows", table, len(ra), len(rb))
			continue
		}
		for i := range ra {
			if ra[i] != rb[i] {
				t.Errorf("%s: row %d differs:\n%s\n%s", table, i, ra[i], rb[i])
				break
			}
		}
	}
}

// rows are all rows of a table as text, sorted.
func rows(t *testing.T, db *sql.DB, table string) []string {
	t.Helper()
	cols := column(t, db, `SELECT name FROM pragma_table_info('`+table+`') ORDER BY cid`)
	quoted := make([]string, len(cols))
	for i, c := range cols {
		quoted[i] = `quote("` + c + `")`
	}
	out := column(t, db, `SELECT `+strings.Join(quoted, ` || ',' || `)+` FROM "`+table+`"`)
	slices.Sort(out)
	return out
}

func column(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	r, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var out []string
	for r.Next() {
		var s string
		if err := r.Scan(&s); err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}
