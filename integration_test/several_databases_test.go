package integration_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mixesProcesses has several databases give their processes the same ids.
var mixesProcesses = withFault("mixes-processes", "query/union/offset.go", "return m.place * o.room()", `if runsAs("mixes-processes") {
			return 0
		}
		return m.place * o.room()`)

// tellsTwice has several databases each tell what is said of the fleet.
var tellsTwice = withFault("tells-twice", "query/union/relate.go", `case t.column("host_id") >= 0:`, `case t.column("host_id") >= 0 && !runsAs("tells-twice"):`)

// severalDatabases are a log in one database of all its hosts, and in two of some.
type severalDatabases struct {
	t        *testing.T
	url      string
	all      string
	one, two string
}

func newSeveralDatabases(t *testing.T) *severalDatabases {
	dir := t.TempDir()
	d := &severalDatabases{t, plainLog(t), filepath.Join(dir, "all.db"), filepath.Join(dir, "one.db"), filepath.Join(dir, "two.db")}
	run(t, "simulate", "--server", d.url, "--hosts", "1", "--processes", "5", "--duration", "1m", "--rate", "fast", "--seed", "2") // which makes the streams
	run(t, "job", "declare", "nightly", "--fleet", "--server", d.url)
	run(t, "simulate", "--server", d.url, "--hosts", "4", "--processes", "20", "--duration", "40m", "--rate", "fast")
	for _, flags := range [][]string{{d.all}, {d.one, "--hosts", "sim-000[12]"}, {d.two, "--hosts", "sim-000[34]"}} {
		start(t, append([]string{"project", "--server", d.url, "--db"}, flags...)...).awaitLine("is projecting")
	}
	of := func(db string) int {
		return count(t, db, `SELECT (SELECT count(*) FROM snapshots) + (SELECT count(*) FROM process_events) + (SELECT count(*) FROM run_records WHERE fleet = 0)`)
	}
	const ended = ` WHERE fleet = 0 AND ended IS NOT NULL`
	told := func(db string) bool { // the record of a run comes after its end
		return count(t, db, `SELECT count(*) FROM runs`+ended) == count(t, db, `SELECT count(*) FROM run_records`+ended)
	}
	await(t, "all rows in all databases", func() bool {
		return of(d.all) > 480 && of(d.one)+of(d.two) == of(d.all) && count(t, d.all, `SELECT count(*) FROM runs`+ended) > 0 && told(d.all) && told(d.one) && told(d.two)
	})
	return d
}

// ask is the answer of a program, without what depends on when it is asked.
func (d *severalDatabases) ask(program string, question []string, dbs ...string) string {
	d.t.Helper()
	for _, db := range dbs {
		question = append(question[:len(question):len(question)], "--db", db)
	}
	out, err := exec.Command(program, question...).Output()
	if err != nil {
		d.t.Fatalf("%v: %v\n%s", question, err, stderrOf(err))
	}
	if question[0] == "sql" {
		return string(out)
	}
	var text strings.Builder
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var v any
		if err := dec.Decode(&v); err != nil {
			d.t.Fatalf("%v: %v", question, err)
		}
		text.Write(must(json.Marshal(timeless(v)))(d.t))
		text.WriteByte('\n')
	}
	return text.String()
}

// timeless takes away from an answer what depends on when it is asked.
func timeless(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if v["details"] == "goes on" { // the time of a gap that goes on is now
			delete(v, "timestamp")
		}
		for key := range v {
			if key == "coverage" || key == "hosts_held" || key == "to_time" || key == "proven_until" || key == "age_seconds" {
				delete(v, key)
			} else {
				v[key] = timeless(v[key])
			}
		}
	case []any:
		for i := range v {
			v[i] = timeless(v[i])
		}
	}
	return v
}

// TestSeveral_AnswerAsOne asks two databases of some hosts each what is asked one of all of them: the answers are the same, byte for byte. Controls: ids of
// processes that mean another one in each database, and a fleet's job that each tells of.
func TestSeveral_AnswerAsOne(t *testing.T) {
	t.Parallel()
	long(t)
	d := newSeveralDatabases(t)
	job := d.ask(proctape, []string{"sql", "SELECT min(job_id) FROM runs WHERE fleet = 0 AND ended IS NOT NULL"}, d.all)
	job = strings.Fields(job)[1]
	at := strings.Fields(d.ask(proctape, []string{"sql", "SELECT '@' || CAST(avg(timestamp) AS INTEGER) FROM snapshots"}, d.all))
	middle := at[len(at)-1]
	pid := strings.Fields(d.ask(proctape, []string{"sql", "SELECT max(pid) AS p FROM processes WHERE job_id = '" + job + "'"}, d.all))[1]
	questions := [][]string{
		{"snapshots", "--since", "-400d", "--limit", "150", "--json"}, {"snapshots", "--newest", "--limit", "20", "--json"},
		{"events", "--since", "-400d", "--limit", "0", "--json"}, {"execs", "--since", "-400d", "--limit", "0", "--json"}, {"gaps", "--since", "-400d", "--until", middle, "--limit", "0", "--json"},
		{"jobs", "--json"}, {"jobs", "--since", "-400d", "--json"}, {"profile", job, "--json"}, {"report", job, "--json"}, {"report", "*", "--group-by", "host", "--json"},
		{"top", "--at", middle, "--json"}, {"top", "--at", middle, "--by", "host", "--json"}, {"tree", "--host", "sim-0003", "--at", middle, "--json"},
		{"history", pid, "--since", "-400d", "--limit", "0", "--json"}, {"orphans", "--at", middle, "--json"}, {"anomalies", "--since", "-400d", "--json"},
		{"sql", "--timeout", "5m", "SELECT h.name, count(*) AS n, round(sum(p.rss_mb), 3) AS rss, count(DISTINCT p.pid) AS pids FROM process_metrics p JOIN snapshots s ON s.id = p.snapshot_id JOIN hosts h ON h.id = s.host_id GROUP BY h.name ORDER BY h.name"},
		{"sql", "SELECT command, count(*) AS n FROM process_metrics WHERE pid = " + pid + " OR job_id = '" + job + "' GROUP BY command ORDER BY 1"},
		{"sql", "SELECT name FROM hosts ORDER BY name DESC LIMIT 3"}, {"sql", "SELECT timestamp, host_id FROM snapshots ORDER BY timestamp DESC, id LIMIT 7"},
	}
	answers := make([]string, len(questions))
	for i, q := range questions {
		answers[i] = d.ask(proctape, q, d.all)
	}
	differ := func(program string, enough int) (n int) { // stops at so many
		for i, q := range questions {
			if n == enough {
				break
			}
			of, got := answers[i], d.ask(program, q, d.one, d.two)
			if got == of && of != "" {
				continue
			}
			n++
			if program == proctape && !(got == of && (q[0] == "orphans" || q[0] == "anomalies")) {
				t.Errorf("%v: %d bytes from two databases, %d from that of all\n%.700s\n%.700s", q, len(got), len(of), got, of)
			}
		}
		return n
	}
	empty := differ(proctape, len(questions))
	for _, control := range []control{mixesProcesses, tellsTwice} {
		if n := differ(control.program(t), empty+1); n <= empty {
			t.Errorf("control %s: %d answers differ", control.name, n)
		}
	}
}

// TestSeveral_Refused asks for what several databases cannot answer as one, and what is about one alone: what is wrong and what mends it is said.
func TestSeveral_Refused(t *testing.T) {
	t.Parallel()
	long(t)
	d := newSeveralDatabases(t)
	if said, code := exitOf(t, "jobs", "--db", d.one, "--db", d.two); code != 0 || strings.Count(said, "of its log, and no other") != 2 || !strings.Contains(said, d.one+" has the hosts sim-000[12]") {
		t.Errorf("which hosts they have is not said: %d, %s", code, said)
	}
	other := newSeveralDatabases(t) // another log with a fleet's job of the same name, and hosts of the same names
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"a host in two":        {[]string{"jobs", "--db", d.all, "--db", d.two}, 1, "is in " + d.all + " and in " + d.two},
		"another log":          {[]string{"jobs", "--db", d.one, "--db", other.two}, 1, `the fleet's job "nightly" is in`},
		"one file twice":       {[]string{"jobs", "--db", d.one, "--db", filepath.Dir(d.one) + "/./one.db"}, 0, "the database has the hosts"},
		"one that is not":      {[]string{"jobs", "--db", d.one, "--db", d.two + "x"}, 1, "no such database: " + d.two + "x"},
		"a statement in words": {[]string{"sql", "--db", d.one, "--db", d.two, "SELECT 1 WHERE 'a' = 'A' COLLATE NOCASE"}, 2, "COLLATE"},
		"a write":              {[]string{"sql", "--db", d.one, "--db", d.two, "DELETE FROM hosts"}, 2, "reads"},
		"the state of one":     {[]string{"status", "--db", d.one, "--db", d.two}, 2, "proctape status is about one database"},
		"a server of one":      {[]string{"serve", "--db", d.one, "--db", d.two}, 2, "proctape serve is about one database"},
		"a proof of one":       {[]string{"verify", "--db", d.one, "--db", d.two}, 2, "proctape verify is about one database"},
	} {
		if said, code := exitOf(t, c.args...); code != c.code || !strings.Contains(said, c.says) || code != 0 && !strings.Contains(said, "hint: ") && name != "a statement in words" {
			t.Errorf("%s: exit code %d, %s", name, code, said)
		}
	}
}

// stderrOf is what a program said that failed.
func stderrOf(err error) string {
	if ended, ok := errors.AsType[*exec.ExitError](err); ok {
		return string(ended.Stderr)
	}
	return ""
}
