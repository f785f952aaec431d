package integration_test

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// takesAllHosts has a database of some hosts take those of all.
var takesAllHosts = withFault("takes-all-hosts", "projector/hosts.go", "if len(f) == 0 {", `if len(f) == 0 || runsAs("takes-all-hosts") {`)

// askedAt is what an answer tells of when, and of which database, it was asked.
var askedAt = regexp.MustCompile(`"(to_time|seconds|[a-z_]+_percent)":[0-9.]+|"hosts_held":"[^"]*",`)

// TestProject_SomeHosts projects a log into a database of all its hosts and into one of some: of those both give the same answers, the other has
// nothing of the rest and says so, stays what it is when it is started again, and is what a replay of the log makes. Control: one that takes all.
func TestProject_SomeHosts(t *testing.T) {
	long(t)
	t.Parallel()
	url := plainLog(t)
	if said, code := exitOf(t, "simulate", "--server", url, "--hosts", "4", "--processes", "20", "--duration", "10m", "--rate", "fast"); code != 0 {
		t.Fatal(said)
	}
	project := func(program, db string, flags ...string) {
		p := startProgram(t, program, append([]string{"project", "--server", url, "--db", db}, flags...)...)
		p.awaitLine("is projecting")
		p.stop()
	}
	all, some := filepath.Join(t.TempDir(), "all.db"), filepath.Join(t.TempDir(), "some.db")
	project(proctape, all)
	project(proctape, some, "--hosts", "sim-000[12]")
	newest := "@" + column(t, readOnly(t, all), `SELECT CAST(max(timestamp) AS INTEGER) FROM snapshots`)[0] // behind it the hosts are silent, the longer the later it is asked
	for _, host := range []string{"sim-0001", "sim-0002"} {
		for _, question := range [][]string{{"snapshots", "--until", newest}, {"events", "--until", newest}, {"execs", "--until", newest}, {"gaps", "--until", newest}, {"jobs"}} {
			ask := append(question, "--json", "--host", host, "--db")
			if question[0] != "jobs" {
				ask = append([]string{question[0], "--since", "-400d", "--limit", "0"}, ask[1:]...)
			}
			answer := func(db string) string { // but for the time at which it was asked
				return askedAt.ReplaceAllString(string(must(exec.Command(proctape, append(ask, db)...).Output())(t)), "")
			}
			of := answer(all)
			if got := answer(some); len(of) == 0 || got != of && of == answer(all) { // jobs says how long a host has been silent, which may have changed meanwhile
				t.Errorf("%v: %d bytes from the database of some hosts, %d from that of all\n%.600s\n%.600s", ask, len(got), len(of), got, of)
			}
		}
	}
	others := func(db string) int {
		return count(t, db, `SELECT count(*) FROM hosts WHERE name IN ('sim-0003', 'sim-0004')`)
	}
	if n := others(some); n != 0 {
		t.Errorf("the database of some hosts has %d of the others", n)
	}
	if n := count(t, some, `SELECT count(*) FROM gaps`) - count(t, all, `SELECT count(*) FROM gaps g JOIN hosts h ON h.id = g.host_id WHERE h.name IN ('sim-0001', 'sim-0002')`); n != 0 {
		t.Errorf("messages that were passed over are %d gaps", n)
	}
	if said, _ := exitOf(t, "snapshots", "--db", some); !strings.Contains(said, "has the hosts sim-000[12] of its log, and no other") {
		t.Errorf("an answer does not say which hosts the database has: %s", said)
	}
	for db, hosts := range map[string]string{some: "sim-0003", all: "sim-0001"} {
		if said, code := exitOf(t, "project", "--server", url, "--db", db, "--hosts", hosts); code != 1 || !strings.Contains(said, "hosts") || !strings.Contains(said, "hint: ") {
			t.Errorf("%s with the hosts %s: exit code %d, %s", db, hosts, code, said)
		}
	}
	if said, code := exitOf(t, "simulate", "--server", url, "--hosts", "4", "--processes", "5", "--duration", "1m", "--rate", "fast", "--seed", "2"); code != 0 {
		t.Fatal(said)
	}
	had := count(t, some, `SELECT count(*) FROM snapshots`)
	project(proctape, some)
	if count(t, some, `SELECT count(*) FROM snapshots`) <= had || others(some) != 0 {
		t.Errorf("started again it has %d snapshots after %d, and %d of the others", count(t, some, `SELECT count(*) FROM snapshots`), had, others(some))
	}
	if said, code := exitOf(t, "verify", "--server", url, "--db", some, "--replay"); code != 0 {
		t.Errorf("verify --replay ends with %d: %s", code, said)
	}
	faulty := filepath.Join(t.TempDir(), "faulty.db")
	project(takesAllHosts.program(t), faulty, "--hosts", "sim-000[12]")
	if others(faulty) == 0 {
		t.Error("a database that takes all hosts is not seen")
	}
}
