package integration_test

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// tellsOfTheFleet has a database of some hosts publish records of the fleet's jobs.
var tellsOfTheFleet = withFault("tells-of-the-fleet", "projector/runs/read.go", `NOT EXISTS (SELECT 1 FROM meta WHERE key = 'hosts'))`+"`",
	`NOT EXISTS (SELECT 1 FROM meta WHERE key = 'hosts'))`+"`"+` + map[bool]string{true: " OR t.fleet"}[runsAs("tells-of-the-fleet")]`)

// TestProject_SomeHostsPublish has a database of some hosts publish the records of runs: those of its hosts, and none of the fleet's jobs, of which it
// does not know what they used elsewhere. It keeps those that a database of all hosts publishes. Control: one that publishes them.
func TestProject_SomeHostsPublish(t *testing.T) {
	t.Parallel()
	long(t)
	records := func(program string) (some string, url string, fleet int) {
		url = plainLog(t)
		said := func(args ...string) { run(t, append(args, "--server", url)...) }
		said("simulate", "--hosts", "1", "--processes", "5", "--duration", "1m", "--rate", "fast", "--seed", "2") // which makes the streams
		said("job", "declare", "nightly", "--fleet")
		said("job", "end", "nightly", "--fleet")
		said("simulate", "--hosts", "2", "--processes", "20", "--duration", "10m", "--rate", "fast") // whose jobs end after that
		some = filepath.Join(t.TempDir(), "some.db")
		p := startProgram(t, program, "project", "--server", url, "--db", some, "--hosts", "sim-0001")
		await(t, "records of its host's runs", func() bool { return count(t, some, `SELECT count(*) FROM run_records WHERE NOT fleet`) > 0 })
		fleet = count(t, some, `SELECT count(*) FROM run_records WHERE fleet`)
		if program != proctape && fleet == 0 { // its own word comes back as any other's
			await(t, "a record of the fleet's run", func() bool { return count(t, some, `SELECT count(*) FROM run_records WHERE fleet`) > 0 })
			fleet = 1
		}
		if program == proctape {
			start(t, "project", "--server", url, "--db", filepath.Join(t.TempDir(), "all.db")).awaitLine("is projecting")
			await(t, "the record that a database of all hosts publishes", func() bool { return count(t, some, `SELECT count(*) FROM run_records WHERE fleet`) == 1 })
		}
		p.stop()
		return some, url, fleet
	}
	if _, _, fleet := records(proctape); fleet != 0 {
		t.Errorf("a database of some hosts published %d records of the fleet's jobs", fleet)
	}
	if _, _, fleet := records(tellsOfTheFleet.program(t)); fleet == 0 {
		t.Error("control: a record of the fleet's job is not seen")
	}
}

// TestProject_SomeHostsTold asks a database of some hosts in each form: each answer says which hosts it has.
func TestProject_SomeHostsTold(t *testing.T) {
	t.Parallel()
	long(t)
	url, dir := plainLog(t), t.TempDir()
	db := filepath.Join(dir, "some.db")
	run(t, "simulate", "--server", url, "--hosts", "2", "--processes", "20", "--duration", "5m", "--rate", "fast")
	start(t, "project", "--server", url, "--db", db, "--hosts", "sim-0001").awaitLine("is projecting")
	await(t, "its snapshots", func() bool { return count(t, db, `SELECT count(*) FROM snapshots`) == 60 })
	const held = `hosts_held":"sim-0001"`
	for _, ask := range [][]string{{"snapshots", "--limit", "1"}, {"gaps", "--since", "-1d"}, {"status"}} {
		if said, _ := exitOf(t, append(ask, "--json", "--db", db)...); !strings.Contains(said, held) {
			t.Errorf("%v does not say which hosts the database has: %s", ask, said)
		}
	}
	if said, _ := exitOf(t, "status", "--db", db); !strings.Contains(said, "It has the hosts sim-0001 of its log, and no other") {
		t.Errorf("status says %s", said)
	}
	if err := os.Mkdir(filepath.Join(dir, "creds"), 0o700); err != nil {
		t.Fatal(err)
	}
	serves := start(t, "serve", "--db", db, "--data", dir, "--http", "127.0.0.1:0")
	serves.awaitLine("The token is in ")
	at := regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(strings.Join(serves.out(), "\n"))
	key := strings.TrimSpace(string(must(os.ReadFile(filepath.Join(dir, "creds", "http.token")))(t)))
	for _, path := range []string{"/api/v1/snapshots?limit=1", "/api/v1/status"} {
		req := must(http.NewRequestWithContext(t.Context(), http.MethodGet, at+path, http.NoBody))(t)
		req.Header.Set("Authorization", "Bearer "+key)
		answer := must(http.DefaultClient.Do(req))(t)
		if body := must(io.ReadAll(answer.Body))(t); !strings.Contains(string(body), held) {
			t.Errorf("%s: %s %s", path, answer.Status, body)
		}
		answer.Body.Close()
	}
	asks := exec.Command(proctape, "mcp", "--db", db)
	asks.Stdin = strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}
{"jsonrpc":"2.0","method":"notifications/initialized"}
{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"jobs","arguments":{}}}
`)
	if said, err := asks.Output(); err != nil || !strings.Contains(strings.ReplaceAll(string(said), `\"`, `"`), held) {
		t.Errorf("mcp says %s, %v", said, err)
	}
}
