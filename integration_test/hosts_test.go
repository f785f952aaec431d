package integration_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// addHost makes a key for a host on a recorder's data folder, and returns its file.
func addHost(t *testing.T, dir, host string) string {
	t.Helper()
	key := filepath.Join(t.TempDir(), host+".nk")
	run(t, "hosts", "add", host, "--data", dir, "--out", key)
	return key
}

// fails runs the program, which is to fail, and returns its exit code and what it said.
func fails(t *testing.T, args ...string) (code int, stderr string) {
	t.Helper()
	p := start(t, args...)
	p.wait()
	var exit *exec.ExitError
	if !errors.As(p.err, &exit) {
		t.Fatalf("%v: got %v, want it to fail", args, p.err)
	}
	return exit.ExitCode(), p.stderr()
}

// healthy fails the test when a recorder has told of an error: nothing that a key needs for its work is refused.
func healthy(t *testing.T, recorder *process) {
	t.Helper()
	for line := range strings.Lines(recorder.stderr()) {
		if strings.Contains(line, "level=ERROR") || strings.Contains(line, "level=WARN") {
			t.Errorf("the recorder says %s", line)
		}
	}
}

// TestHosts_KeysAreInForceAtOnce adds and removes hosts beside a recorder that runs.
func TestHosts_KeysAreInForceAtOnce(t *testing.T) {
	long(t)
	t.Parallel()
	dir := t.TempDir()
	db := filepath.Join(dir, "monitor.db")
	recorder := start(t, "up", "--data", dir, "--listen", "127.0.0.1:0", "--host", "hub", "--interval", "1s")
	recorder.awaitLine("hosts add NAME")
	recorder.awaitLine("In another terminal")
	url := listening(t, recorder)
	alpha, beta := addHost(t, dir, "alpha"), addHost(t, dir, "beta")
	sample := func(key, host string) *process {
		return start(t, "sample", "--server", url, "--creds", key, "--host", host, "--interval", "200ms")
	}
	snapshots := func(host string) int {
		return count(t, db, fmt.Sprintf(`SELECT count(*) FROM snapshots WHERE host_id = (SELECT id FROM hosts WHERE name='%s')`, host))
	}
	a, b := sample(alpha, "alpha"), sample(beta, "beta")
	for _, host := range []string{"alpha", "beta"} {
		await(t, "snapshots of "+host, func() bool { return snapshots(host) > 2 })
	}
	if _, err := os.ReadFile(filepath.Join(dir, "creds", "sampler.nk")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is a key for all hosts: %v", err)
	}
	if list := run(t, "hosts", "list", "--data", dir); !strings.Contains(list, "alpha") || !strings.Contains(list, "beta") {
		t.Errorf("hosts list says %q", list)
	}
	if code, said := fails(t, "hosts", "add", "alpha", "--data", dir, "--out", "-"); code != 1 || !strings.Contains(said, "has a key already") {
		t.Errorf("a second key for a host: %d, %s", code, said)
	}
	healthy(t, recorder)

	// A key of one host records no other.
	if code, said := fails(t, "sample", "--server", url, "--creds", alpha, "--host", "beta", "--interval", "200ms"); code != 1 ||
		!strings.Contains(said, "the key may not") || !strings.Contains(said, "proctape.v1.beta.") {
		t.Errorf("alpha's key as beta: %d, %s", code, said)
	}

	run(t, "hosts", "remove", "alpha", "--data", dir)
	a.wait()
	if !strings.Contains(a.stderr(), "may not connect any more") {
		t.Errorf("a sampler whose key was removed says %s", a.stderr())
	}
	if code, said := fails(t, "sample", "--server", url, "--creds", alpha, "--host", "alpha"); code != 1 || !strings.Contains(said, "proctape hosts add") {
		t.Errorf("a key that was removed: %d, %s", code, said)
	}
	before := snapshots("beta")
	await(t, "more snapshots of the other host", func() bool { return snapshots("beta") > before+2 })
	again := sample(addHost(t, dir, "alpha"), "alpha")
	before = snapshots("alpha")
	await(t, "snapshots with a new key", func() bool { return snapshots("alpha") > before })
	for _, p := range []*process{b, again, recorder} {
		p.stop()
	}
}

var readsTheLog = withFault("reads-the-log", "producer/jobs/backlog.go",
	`	err := s.askBacklog(ctx, s.cfg.Host, schema.BacklogRequest{Since: since})`,
	`	err := error(nats.ErrNoResponders)
	if !runsAs("reads-the-log") {
		err = s.askBacklog(ctx, s.cfg.Host, schema.BacklogRequest{Since: since})
	}`)

// TestHosts_JobDeclaredBeforeTheSampler declares a job from another machine, as it were, with the host's key, before the
// host's sampler starts.
func TestHosts_JobDeclaredBeforeTheSampler(t *testing.T) {
	long(t)
	needsEveryProcess(t)
	t.Parallel()
	// try returns what is wrong.
	try := func(t *testing.T, program string) (problems []string) {
		dir := t.TempDir()
		db := filepath.Join(dir, "monitor.db")
		recorder := startProgram(t, program, "up", "--data", dir, "--listen", "127.0.0.1:0", "--host", "hub", "--interval", "1s")
		recorder.awaitLine("In another terminal")
		member := startPuppet(t)
		at := []string{"--server", listening(t, recorder), "--creds", addHost(t, dir, "build07"), "--host", "build07"}
		run(t, append([]string{"job", "declare", "early", "--pid", fmt.Sprint(member.pid())}, at...)...)
		sampler := startProgram(t, program, append([]string{"sample", "--interval", "200ms"}, at...)...)
		await(t, "samples of the host, or the end of its sampler", func() bool {
			select {
			case <-sampler.done:
				return true
			default:
			}
			return count(t, db, fmt.Sprintf(`SELECT count(*) FROM process_metrics WHERE pid=%d AND snapshot_id IN
				(SELECT id FROM snapshots WHERE host_id = (SELECT id FROM hosts WHERE name='build07'))`, member.pid())) > 3
		})
		if count(t, db, fmt.Sprintf(`SELECT count(*) FROM process_metrics WHERE pid=%d AND job_id='early'`, member.pid())) == 0 {
			problems = append(problems, "the process is nobody's")
		}
		sampler.cmd.Process.Signal(os.Interrupt) // it may have ended
		if sampler.wait(); sampler.err != nil {
			problems = append(problems, "the sampler says "+sampler.stderr())
		}
		recorder.stop()
		if strings.Contains(recorder.stderr(), "level=ERROR") {
			problems = append(problems, "the recorder says "+recorder.stderr())
		}
		return problems
	}
	for _, problem := range try(t, proctape) {
		t.Error(problem)
	}
	t.Run("a sampler that reads the log itself is noticed", func(t *testing.T) {
		broken := readsTheLog.program(t)
		if problems := try(t, broken); len(problems) != 3 {
			t.Errorf("got %q, want the job to be missing, a refusal, and an error at the recorder", problems)
		}
	})
}

// TestHosts_FleetJob declares a job of the fleet by the conductor's key before a host's sampler starts. Both hosts, which are one
// machine here, attribute a process to it that names it; a host's key can neither declare nor end it.
func TestHosts_FleetJob(t *testing.T) {
	long(t)
	needsEveryProcess(t)
	t.Parallel()
	dir := t.TempDir()
	db := filepath.Join(dir, "monitor.db")
	recorder := start(t, "up", "--data", dir, "--listen", "127.0.0.1:0", "--host", "hub", "--interval", "200ms")
	recorder.awaitLine("In another terminal")
	url, key := listening(t, recorder), addHost(t, dir, "build07")
	conductor := []string{"--server", url, "--creds", filepath.Join(dir, "creds", "conductor.nk")}
	run(t, append([]string{"job", "declare", "nightly", "--fleet"}, conductor...)...)
	sampler := start(t, "sample", "--interval", "200ms", "--server", url, "--creds", key, "--host", "build07")
	member := exec.Command("sleep", "600")
	member.Env = append(os.Environ(), "PROCTAPE_JOB_ID=nightly")
	if err := member.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = member.Wait() })
	t.Cleanup(func() { _ = member.Process.Kill() })
	for _, host := range []string{"hub", "build07"} {
		await(t, "the process in the fleet's job on "+host, func() bool {
			return count(t, db, fmt.Sprintf(`SELECT count(*) FROM process_metrics WHERE job_id='nightly' AND fleet=1 AND pid=%d
				AND host_id = (SELECT id FROM hosts WHERE name='%s')`, member.Process.Pid, host)) > 1
		})
	}
	healthy(t, recorder)
	for _, verb := range []string{"declare", "end"} {
		if code, said := fails(t, "job", verb, "nightly", "--fleet", "--server", url, "--creds", key); code != 1 || !strings.Contains(said, "the key may not publish to proctape.v1._.job") {
			t.Errorf("a host's key: %d, %s", code, said)
		}
	}
	run(t, "job", "end", "nightly", "--exit-code", "9", "--status", "forged", "--server", url, "--creds", key, "--host", "build07")
	await(t, "what the host says of its own job", func() bool { return count(t, db, `SELECT count(*) FROM jobs WHERE status='forged'`) > 0 })
	run(t, append([]string{"job", "end", "nightly", "--fleet", "--exit-code", "0", "--status", "well"}, conductor...)...)
	await(t, "the end of the fleet's job", func() bool { return count(t, db, `SELECT count(*) FROM jobs WHERE status='well'`) > 0 })
	profile := run(t, "profile", "nightly", "--data", dir, "--json")
	if !strings.Contains(profile, `{"host":"","fleet":true,"hosts":["build07","hub"],"status":"well","exit_code":0}`) || !strings.Contains(profile, `"status":"forged","exit_code":9}`) {
		t.Errorf("got %s, want the fleet's job apart from the host's own", profile)
	}
	sampler.stop()
	recorder.stop()
	pids := count(t, db, `SELECT count(DISTINCT pid) FROM process_metrics WHERE job_id='nightly'`)
	if profile := run(t, "profile", "nightly", "--data", dir, "--json"); !strings.Contains(profile, fmt.Sprintf(`"unique_pid_count":%d,`, pids)) {
		t.Errorf("got %s, want %d pids, as the contract's tables have", profile, pids)
	}
}

// TestRoles_DoTheirWork has every role do what it is for. Nothing that it needs is refused.
func TestRoles_DoTheirWork(t *testing.T) {
	long(t)
	t.Parallel()
	dir := t.TempDir()
	recorder := start(t, "up", "--data", dir, "--listen", "127.0.0.1:0", "--host", "hub", "--interval", "500ms")
	recorder.awaitLine("In another terminal")
	url, second := listening(t, recorder), filepath.Join(t.TempDir(), "second.db")
	with := func(role string, args ...string) []string {
		return append(args, "--server", url, "--creds", filepath.Join(dir, "creds", role+".nk"))
	}
	projector := start(t, with("projector", "project", "--db", second, "--retention-interval", "1s")...)
	await(t, "rows of the second database", func() bool { return count(t, second, `SELECT count(*) FROM snapshots`) > 2 })
	await(t, "a pass of retention over it", func() bool {
		return count(t, second, `SELECT count(*) FROM retention_passes WHERE coalesce(error, '') = ''`) > 0
	})
	run(t, with("conductor", "job", "declare", "nightly", "--host", "hub")...)
	await(t, "the job in the second database", func() bool { return count(t, second, `SELECT count(*) FROM job_events WHERE job_id='nightly'`) > 0 })
	run(t, with("conductor", "run", "--job", "hourly", "--host", "hub", "--quiet", "--", "true")...)
	for _, args := range [][]string{{"tail", "snapshots", "--since", "-1h"}, {"tail", "events", "--since", "-1h"}, {"tail", "snapshots", "--host", "hub"}} {
		reader := start(t, with("reader", args...)...)
		reader.await("lines of a reader", func(lines []string) bool { return len(lines) > 2 })
		reader.stop()
	}
	if code, said := fails(t, with("reader", "tail", "--host", "nohost")...); code != 1 || !strings.Contains(said, "nohost") || !strings.Contains(said, "its hosts are hub") {
		t.Errorf("a host that nobody knows: %d, %s", code, said)
	}
	healthy(t, recorder)

	host := addHost(t, dir, "h")
	for role, c := range map[string]struct {
		args []string
		want string
	}{
		"host":      {[]string{"tail", "--server", url, "--creds", host}, "publish to $JS.API.STREAM.INFO.PROCTAPE_SNAPSHOTS"},
		"another":   {[]string{"job", "declare", "x", "--host", "hub", "--server", url, "--creds", host}, "publish to proctape.v1.hub.job"},
		"conductor": {with("conductor", "replay", "--db", filepath.Join(t.TempDir(), "no.db")), "publish to $JS.API.STREAM.INFO."},
		"reader":    {with("reader", "job", "declare", "x", "--host", "hub"), "publish to proctape.v1.hub.job"},
	} {
		code, said := fails(t, c.args...)
		if code != 1 || !strings.Contains(said, "the key may not "+c.want) || !strings.Contains(said, "hint: ") || strings.Count(said, "\n") != 2 {
			t.Errorf("%s: exit code %d, said %q, want what the key may not do and a hint", role, code, said)
		}
	}
	projector.stop()
	recorder.stop()
}

// oldServer greets as a server of a version does. It takes what comes and answers pings.
func oldServer(t *testing.T, version string) (url string) {
	t.Helper()
	l := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprintf(c, `INFO {"server_id":"x","version":%q,"proto":1,"headers":true,"max_payload":1048576,"jetstream":true}`+"\r\n", version)
			go func() {
				defer c.Close()
				b := make([]byte, 4096)
				for {
					n, err := c.Read(b)
					if err != nil {
						return
					}
					if strings.Contains(string(b[:n]), "PING") {
						fmt.Fprint(c, "PONG\r\n")
					}
				}
			}()
		}
	}()
	return "nats://" + l.Addr().String()
}

// TestServerVersion_IsCheckedFirst has commands meet servers that are too old: one line, and nothing is made.
func TestServerVersion_IsCheckedFirst(t *testing.T) {
	long(t)
	t.Parallel()
	for _, version := range []string{"2.9.25", "2.11.10", "2.12.3", "2.13.0-RC.1", "1.4.1"} {
		url := oldServer(t, version)
		for _, args := range [][]string{{"project"}, {"sample"}, {"simulate"}, {"tail"}, {"job", "declare", "x"}} {
			dir := filepath.Join(t.TempDir(), "data")
			code, said := fails(t, append(args, "--server", url, "--data", dir)...)
			if code != 1 || strings.Count(said, "\n") != 1 || !strings.Contains(said, "nats-server "+version) || !strings.Contains(said, "2.14 or later") {
				t.Errorf("%v on %s: exit code %d, said %q", args, version, code, said)
			}
			if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%v on %s made something: %v", args, version, err)
			}
		}
	}
	// One that is new enough is let through to what comes next, which this one does not answer.
	p := start(t, "sample", "--server", oldServer(t, "2.14.0"), "--interval", "100ms")
	p.awaitLine("proctape is sampling")
	p.cmd.Process.Kill()
	p.wait()
}
