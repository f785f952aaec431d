package integration_test

import (
	"bufio"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// way is one way of watching processes, and what the database then has of an end.
type way struct {
	name  string // as --events and, after events-, the snapshots call it
	codes bool   // how a process ended
	usage bool   // CPU and memory to the end
	lacks string // what up says is not seen in full
}

var ways = []way{
	{name: "taskstats", codes: true, usage: true},
	{name: "connector", codes: true, lacks: "no CPU, memory or I/O of what lives between two samples"},
	{name: "pidfd", codes: true, lacks: "nothing of what lives shorter"},
	{name: "proc-diff", lacks: "no exit codes"},
}

// A process ends in every way there is. Each end is in the database as what it was, as far as the way of watching sees
// it, and what it does not see is said beforehand.
func TestLifecycle_Endings(t *testing.T) {
	needsEveryProcess(t)
	t.Parallel()
	actor := buildActor(t)
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			w.record(t, actor, dir, record(t, proctape, dir, "--events", w.name), "")
		})
	}
	// Which way is left to a user without privileges is the kernel's to say. The best is not.
	t.Run("nobody", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		recorder := recordAsNobody(t, dir)
		have := column(t, readOnly(t, filepath.Join(dir, "monitor.db")), `SELECT capabilities FROM snapshots LIMIT 1`)[0]
		i := slices.IndexFunc(ways, func(w way) bool { return strings.Contains(have, `"events-`+w.name+`"`) })
		if i < 1 {
			t.Fatalf("got the capabilities %s", have)
		}
		ways[i].record(t, actor, dir, recorder, "CAP_NET_ADMIN")
	})
}

// record has actors die under a recorder, and compares what it has of them with what it can have.
func (w way) record(t *testing.T, actor, dir string, recorder *process, grant string) {
	t.Helper()
	path := filepath.Join(dir, "monitor.db")
	all := perform(t, actor, path)
	w.capabilities(t, dir, recorder, grant)
	recorder.stop()
	db := readOnly(t, path)
	for _, e := range all {
		if got, want := story(t, db, e.pid), w.sees(e.story); got != want {
			t.Errorf("%s: got %q, want %q", e.name, got, want)
		}
	}
	if n := count(t, path, `SELECT count(cpu_ms + peak_rss_kib) FROM process_events WHERE event_type='exit'`); w.usage != (n > 0) {
		t.Errorf("%d exits have CPU and memory to the end", n)
	}
}

// sees is what is left of a story when it is watched in this way.
func (w way) sees(story string) string {
	if !w.codes {
		return "spawn, exit unknown"
	}
	return story
}

// capabilities checks that the recorder says which way it has, and what that lacks, where people and programs look.
func (w way) capabilities(t *testing.T, dir string, recorder *process, grant string) {
	t.Helper()
	said := strings.Join(recorder.out(), "\n")
	_, lacks, _ := strings.Cut(said, "Not seen in full:")
	if !strings.Contains(lacks, w.lacks) || !strings.Contains(lacks, grant) {
		t.Errorf("up says\n%s\nwant it to lack %q and to ask for %q", said, w.lacks, grant)
	}
	if status := run(t, "status", "--data", dir, "--json"); !strings.Contains(status, `"events-`+w.name+`"`) {
		t.Errorf("status does not name %s:\n%s", w.name, status)
	}
	if n := count(t, filepath.Join(dir, "monitor.db"), `SELECT count(*) FROM snapshots WHERE capabilities NOT LIKE '%"events-`+w.name+`"%'`); n > 0 {
		t.Errorf("%d snapshots do not name %s", n, w.name)
	}
}

// ending is an actor and its story: its events, in their order.
type ending struct {
	name  string
	args  []string
	story string
	pid   int // of the actor, or the process that it says is the one
	end   func()
}

func endings(actor string) []*ending {
	sh := func(script string) []string { return []string{"/bin/sh", "-c", script} }
	return []*ending{
		{name: "a code", args: sh("echo $$; read x; exit 7"), story: "spawn, exit code 7"},
		{name: "killed", args: sh("echo $$; read x; kill -9 $$"), story: "spawn, exit signal 9, kill signal 9"},
		{name: "terminated", args: sh("echo $$; read x; kill -TERM $$"), story: "spawn, exit signal 15, signal signal 15"},
		{name: "segmentation fault without core", args: sh("ulimit -c 0; echo $$; read x; kill -SEGV $$"),
			story: "spawn, exit signal 11 core, signal signal 11 core"},
		{name: "the first thread ends first", args: sh(`echo $$; exec "` + actor + `" leader-exits-first`), story: "spawn, exit code 5"},
		{name: "another thread executes", args: sh(`echo $$; exec "` + actor + `" another-thread-executes /bin/sh -c "read x; exit 6"`),
			story: "spawn, exit code 6"},
		{name: "a daemon, forked twice", args: sh(`exec 3<&0; (setsid sh -c 'echo $$; exec >&-; read x <&3; exit 9' &)`), story: "spawn, exit code 9"},
		{name: "a grandchild in a session of its own", args: sh(`exec 3<&0; setsid sh -c 'echo $$; exec >&-; read x <&3; exit 4' & wait`),
			story: "spawn, exit code 4"},
	}
}

// perform has all actors live until a recorder has told of their spawns and two samples have them, and die.
func perform(t *testing.T, actor, db string) []*ending {
	t.Helper()
	all := endings(actor)
	var headless *ending
	for _, e := range all {
		e.start(t)
		if strings.HasPrefix(e.name, "the first thread") {
			headless = e
		}
	}
	await(t, "the end of a first thread", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", headless.pid))
		return err == nil && strings.Contains(string(stat), ") Z ")
	})
	told := func(event string) func() bool {
		return func() bool {
			return !slices.ContainsFunc(all, func(e *ending) bool {
				return count(t, db, fmt.Sprintf(`SELECT count(*) FROM process_events WHERE pid=%d AND event_type='%s'`, e.pid, event)) == 0
			})
		}
	}
	await(t, "spawn of every actor", told("spawn"))
	samples := count(t, db, `SELECT count(*) FROM snapshots`)
	await(t, "two more samples", func() bool { return count(t, db, `SELECT count(*) FROM snapshots`) >= samples+2 })
	for _, e := range all {
		e.end()
	}
	await(t, "exit of every actor", told("exit"))
	return all
}

// start starts an actor, which prints the pid that matters first and lives until its standard input ends.
func (e *ending) start(t *testing.T) {
	t.Helper()
	cmd := exec.Command(e.args[0], e.args[1:]...)
	stdin, stdout := must(cmd.StdinPipe())(t), must(cmd.StdoutPipe())(t)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	e.end = sync.OnceFunc(func() {
		stdin.Close()
		cmd.Wait() // how it ended is the recorder's to say
	})
	t.Cleanup(e.end)
	line := must(bufio.NewReader(stdout).ReadString('\n'))(t)
	e.pid = must(strconv.Atoi(strings.TrimSpace(line)))(t)
}

// story is what the events of a process tell, in the order in which they happened.
func story(t *testing.T, db *sql.DB, pid int) string {
	t.Helper()
	return strings.Join(column(t, db, fmt.Sprintf(`SELECT event_type || CASE
		WHEN signal_num IS NOT NULL THEN ' signal ' || signal_num || iif(core, ' core', '')
		WHEN exit_code IS NOT NULL THEN ' code ' || exit_code
		WHEN event_type = 'exit' THEN ' unknown' ELSE '' END
		FROM process_events WHERE pid = %d ORDER BY boot_ns, event_type = 'spawn' DESC, event_type`, pid)), ", ")
}
