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
	"time"
)

// way is one way of watching processes, and what the database then has of an end.
type way struct {
	name  string // as --events and, after events-, the snapshots call it
	codes bool   // how a process ended
	core  bool   // and whether its signal is one that dumps core
	usage bool   // CPU and memory to the end
	lacks string // what up says is not seen in full
}

var ways = []way{
	{name: "taskstats", codes: true, core: true, usage: true},
	{name: "connector", codes: true, core: true, lacks: "no CPU, memory or I/O of what lives between two samples"},
	{name: "pidfd", codes: true, lacks: "nothing of what lives shorter"},
	{name: "proc-diff", lacks: "no exit codes"},
}

// A process ends in every way there is. Each end is in the database as what it was, as far as the way of watching sees
// it, and what it does not see is said beforehand.
func TestLifecycle_Endings(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: the kernel tells only root of every process")
	}
	actor := buildActor(t)
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			dir := t.TempDir()
			w.record(t, actor, dir, record(t, proctape, dir, "--events", w.name), "")
		})
	}
	// Which way is left to a user without privileges is the kernel's to say. The best is not.
	t.Run("nobody", func(t *testing.T) {
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

// record starts a recorder, and returns when it has taken a sample.
func record(t *testing.T, program, dir string, flags ...string) *process {
	t.Helper()
	return recording(t, dir, append([]string{program, "up", "--data", dir, "--interval", "250ms", "--host", "testhost"}, flags...))
}

// recordAsNobody is record as a user who may do nothing.
func recordAsNobody(t *testing.T, dir string) *process {
	t.Helper()
	for _, p := range []string{filepath.Dir(dir), filepath.Dir(proctape), proctape} { // the way to both is open to everybody
		open(t, p)
	}
	if err := os.Chown(dir, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	return recording(t, dir, []string{"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
		proctape, "up", "--data", dir, "--interval", "250ms", "--host", "testhost"})
}

func recording(t *testing.T, dir string, args []string) *process {
	t.Helper()
	recorder := startProgram(t, args[0], args[1:]...)
	recorder.awaitLine("In another terminal")
	await(t, "a snapshot", func() bool { return count(t, filepath.Join(dir, "monitor.db"), `SELECT count(*) FROM snapshots`) > 0 })
	return recorder
}

// sees is what is left of a story when it is watched in this way.
func (w way) sees(story string) string {
	if !w.codes {
		return "spawn, exit unknown"
	}
	if !w.core {
		return strings.ReplaceAll(story, " core", "")
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

// TestLifecycle_Flood forks thousands of children as fast as the machine can: each end is stored, with its code, or
// its loss is counted.
func TestLifecycle_Flood(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: the kernel tells only root of every process")
	}
	actor := buildActor(t)
	floods := 1
	if soak {
		floods = 10
	}
	for range floods {
		if d := flood(t, proctape, actor, 5000); len(d) > 0 {
			t.Error(strings.Join(d, "\n"))
		}
	}
}

// flood has an actor fork n children under a recorder and lists what is wrong with what that has of them.
func flood(t *testing.T, program, actor string, n int) (defects []string) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "monitor.db")
	recorder := record(t, program, dir)
	began := time.Now()
	cmd := exec.Command(actor, "flood", strconv.Itoa(n))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("flood: %v\n%s", err, out)
	}
	took, parent := time.Since(began), cmd.Process.Pid
	await(t, "exit of the parent", func() bool {
		return count(t, path, fmt.Sprintf(`SELECT count(*) FROM process_events WHERE pid=%d AND event_type='exit'`, parent)) > 0
	})
	recorder.stop()
	lost := count(t, path, `SELECT coalesce(sum(count), 0) FROM gaps WHERE reason='events lost'`)
	exits := count(t, path, fmt.Sprintf(`SELECT count(*) FROM process_events WHERE ppid=%d AND event_type='exit'`, parent))
	t.Logf("%d children in %s: %d exits are stored, %d events are counted lost", n, took.Round(time.Millisecond), exits, lost)
	if lost > 0 {
		if exits > n || exits+lost < n {
			defects = append(defects, fmt.Sprintf("%d exits are stored and %d events counted lost, want %d in all", exits, lost, n))
		}
		return defects
	}
	if spawns := count(t, path, fmt.Sprintf(`SELECT count(*) FROM process_events WHERE ppid=%d AND event_type='spawn'`, parent)); spawns != n {
		defects = append(defects, fmt.Sprintf("%d spawns, want %d", spawns, n))
	}
	for code := range 256 {
		want := n / 256
		if code < n%256 {
			want++
		}
		got := count(t, path, fmt.Sprintf(`SELECT count(*) FROM process_events WHERE ppid=%d AND event_type='exit' AND exit_code=%d`, parent, code))
		if got != want {
			defects = append(defects, fmt.Sprintf("exit code %d %d times, want %d", code, got, want))
		}
	}
	return defects
}

// TestLifecycle_OutOfMemory has a job killed for want of memory, and another by a user: only the first is an oom.
func TestLifecycle_OutOfMemory(t *testing.T) {
	cage := newCage(t)
	if d := kills(t, proctape, cage); len(d) > 0 {
		t.Error(strings.Join(d, "\n"))
	}
}

// kills lists what is wrong with what a recorder has of two jobs in a cage, of which one eats until the kernel kills it.
func kills(t *testing.T, program, cage string) (defects []string) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "monitor.db")
	recorder := record(t, program, dir)
	for job, script := range map[string]string{"hungry": "exec tail /dev/zero", "shot": "kill -9 $$"} { // /dev/zero has no line
		cmd := exec.Command(program, "run", "--data", dir, "--host", "testhost", "--job", job, "--",
			"sh", "-c", `echo $$ > "$0/cgroup.procs"; echo $$; `+script, cage)
		out, err := cmd.Output()
		if cmd.ProcessState.ExitCode() != 128+9 {
			t.Fatalf("job %s: %v, want exit code 137", job, err)
		}
		want := map[string]string{"hungry": "oom ", "shot": "kill "}[job] + strings.TrimSpace(string(out))
		deaths := func() string {
			if count(t, path, fmt.Sprintf(`SELECT count(*) FROM process_events WHERE job_id='%s' AND event_type IN ('oom','kill')`, job)) == 0 {
				return ""
			}
			return strings.Join(column(t, readOnly(t, path), `SELECT event_type || ' ' || pid FROM process_events
				WHERE job_id='`+job+`' AND event_type IN ('oom','kill','signal')`), ", ")
		}
		await(t, "death of job "+job, func() bool { return deaths() != "" })
		if got := deaths(); got != want {
			defects = append(defects, fmt.Sprintf("job %s: got %q, want %q", job, got, want))
		}
	}
	recorder.stop()
	return defects
}

// TestLifecycle_Controls: a build that leaves out one end in a hundred, and takes every kill for one for want of memory, is
// caught by both tests.
func TestLifecycle_Controls(t *testing.T) {
	cage, actor := newCage(t), buildActor(t)
	broken := buildBroken(t, "producer/events.go",
		"	if reported {\n", "	if reported || o.Kind == schema.KindExit && e.PID%100 == 0 {\n",
		"Cgroup: cgroup}); ok {", "Cgroup: cgroup}); ok || true {")
	if len(flood(t, broken, actor, 1000)) == 0 {
		t.Error("ends that were left out went unnoticed")
	}
	if d := kills(t, broken, cage); !slices.ContainsFunc(d, func(s string) bool { return strings.HasPrefix(s, "job shot") }) {
		t.Errorf("a kill by a user passed for one for want of memory: %q", d)
	}
}

// newCage makes a control group of version 1 with little memory, and returns its folder.
func newCage(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: only root makes control groups here")
	}
	dir := filepath.Join("/sys/fs/cgroup/memory", fmt.Sprintf("proctape-test-%d-%d", os.Getpid(), time.Now().UnixNano()))
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Skipf("SKIPPED: no control group with a memory limit can be made: %v", err)
	}
	t.Cleanup(func() { await(t, "end of the cage", func() bool { return os.Remove(dir) == nil }) })
	limit := []byte(strconv.Itoa(16 << 20))
	if err := os.WriteFile(filepath.Join(dir, "memory.limit_in_bytes"), limit, 0); err != nil {
		t.Fatal(err)
	}
	_ = os.WriteFile(filepath.Join(dir, "memory.memsw.limit_in_bytes"), limit, 0) // where there is swap
	return dir
}

// buildActor builds the actor in testdata/actor.
func buildActor(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "actor")
	build := exec.Command("go", "build", "-o", program, "./testdata/actor")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the actor: %v\n%s", err, out)
	}
	return program
}
