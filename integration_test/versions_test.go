package integration_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/schema"
)

// oldestMessages are what the first build of version 2 of the wire wrote, of each kind.
const oldestMessages = "../schema/testdata/v2.0"

// publishOldest puts the oldest messages on the log of a recorder, as bytes that change may change. It returns how many there are.
func publishOldest(t *testing.T, dir string, change func([]byte)) int {
	t.Helper()
	nc := must(embeddednats.Connect(dir, embeddednats.RoleAdmin))(t)
	defer nc.Close()
	js := must(jetstream.New(nc))(t)
	files := must(filepath.Glob(filepath.Join(oldestMessages, "*.msgpack")))(t)
	for _, file := range files {
		payload := []byte(readText(t, file))
		m := must(schema.Decode("", "", payload))(t)
		change(payload)
		msg := &nats.Msg{Subject: schema.Subject(m.Host, m.Kind), Header: nats.Header{}, Data: payload}
		msg.Header.Set(schema.HeaderID, m.ID())
		must(js.PublishMsg(t.Context(), msg))(t)
	}
	return len(files)
}

// fromOldest are what the database has of the oldest messages.
var fromOldest = map[string]string{
	"snapshots":  `SELECT count(*) FROM snapshots s JOIN hosts h ON h.id = s.host_id WHERE h.name = 'build-07_b'`,
	"processes":  `SELECT count(*) > 1 FROM process_metrics m JOIN snapshots s ON s.id = m.snapshot_id JOIN hosts h ON h.id = s.host_id WHERE h.name = 'build-07_b'`,
	"starts":     `SELECT count(*) FROM process_events WHERE event_type = 'spawn' AND pid = 4321 AND job_id = 'nightly/2026-11-23' AND sheet_num = 3 AND timestamp = 1795400123.4`,
	"exits":      `SELECT count(*) > 0 FROM process_events WHERE event_type = 'exit' AND host_id = (SELECT id FROM hosts WHERE name = 'build-07_b')`,
	"kills":      `SELECT count(*) > 0 FROM process_events WHERE event_type = 'kill' AND host_id = (SELECT id FROM hosts WHERE name = 'build-07_b')`,
	"executions": `SELECT count(*) > 0 FROM process_execs WHERE host_id = (SELECT id FROM hosts WHERE name = 'build-07_b')`,
	"jobs":       `SELECT count(*) FROM jobs WHERE job_id = 'nightly/2026-11-23'`,
}

// TestVersions_OldestMessages has a recorder take messages that the first build of version 2 wrote. The control: the same of a version that is to come.
func TestVersions_OldestMessages(t *testing.T) {
	long(t)
	t.Parallel()
	record := func() (dir, db string) {
		dir = t.TempDir()
		start(t, "up", "--data", dir, "--host", "hub", "--interval", "1h", "--events", "proc-diff").awaitLine("Recorded:")
		return dir, filepath.Join(dir, "monitor.db")
	}
	dir, db := record()
	publishOldest(t, dir, func([]byte) {})
	for what, query := range fromOldest {
		await(t, what+" of the oldest messages", func() bool { return count(t, db, query) == 1 })
	}
	if n := count(t, db, `SELECT count(*) FROM quarantine`); n != 0 {
		t.Errorf("%d messages are in quarantine:\n%s", n, run(t, "quarantine", "--data", dir))
	}
	dir, db = record()
	n := publishOldest(t, dir, func(payload []byte) { payload[1] = 3 })
	await(t, "messages that are put aside", func() bool { return count(t, db, `SELECT count(*) FROM quarantine`) == n })
	for what, query := range fromOldest {
		if count(t, db, query) != 0 {
			t.Errorf("there are %s of messages of version 3", what)
		}
	}
}

// olderBuilds are commits whose programs are older: the first whose sampler speaks version 2 of the wire, and one whose hosts have keys of their own.
var olderBuilds = []string{"5c7dcc4", "1fb8c92"}

// buildOf builds the program of a commit.
func buildOf(t *testing.T, commit string) (program string) {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("sh", "-c", `git -C .. archive "$1" | tar x -C "$2"`, "sh", commit, dir).CombinedOutput(); err != nil || len(must(os.ReadDir(dir))(t)) == 0 {
		t.Skipf("SKIPPED: this checkout has no commit %s: %s", commit, out)
	}
	program = filepath.Join(dir, "proctape")
	cmd := exec.Command("go", "build", "-ldflags=-s -w", "-o", program, "./cmd/proctape")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: %s does not build here: %v\n%s", commit, err, out)
	}
	return program
}

// TestVersions_OlderPrograms runs programs of older builds beside this one. A recorder of this build takes what an older sampler sends, without a loss. A sampler of this
// build at an older recorder loses nothing in silence: the older takes it, or puts aside and counts what it does not know, or the sampler ends and says why.
func TestVersions_OlderPrograms(t *testing.T) {
	if !soak {
		t.Skip("SKIPPED: PROCTAPE_SOAK is not set, and programs of older commits are minutes of compiling")
	}
	for _, commit := range olderBuilds {
		older := buildOf(t, commit)
		t.Run(commit+"/old sampler", func(t *testing.T) {
			dir := t.TempDir()
			url := hubOf(t, proctape, dir)
			status, sampler := sampled(t, older, url, addHost(t, dir, "arm"), dir, proctape)
			if sampler.err != nil || itemsOf(t, status)[2] != 0 {
				t.Errorf("the sampler ended with %v and said %q; status says\n%s", sampler.err, sampler.stderr(), status)
			}
		})
		t.Run(commit+"/old recorder", func(t *testing.T) {
			dir := t.TempDir()
			url := hubOf(t, older, dir)
			key := filepath.Join(dir, "creds", "sampler.nk")
			if _, err := os.Stat(key); err != nil {
				key = filepath.Join(t.TempDir(), "arm.nk")
				must(exec.Command(older, "hosts", "add", "arm", "--data", dir, "--out", key).CombinedOutput())(t)
			}
			status, sampler := sampled(t, proctape, url, key, dir, older)
			t.Logf("the sampler ended with %v; status says\n%s", sampler.err, status)
			if sampler.err != nil && !strings.Contains(sampler.stderr(), "older version") {
				t.Errorf("it does not say what to do: %q", sampler.stderr())
			}
		})
	}
}

// hubOf starts a recorder that listens, and returns where.
func hubOf(t *testing.T, program, dir string) (url string) {
	t.Helper()
	port := freePort(t)
	p := startProgram(t, program, "up", "--data", dir, "--listen", fmt.Sprintf("127.0.0.1:%d", port), "--host", "hub", "--interval", "1s", "--events", "proc-diff")
	p.awaitLine("nother terminal")
	return fmt.Sprintf("nats://127.0.0.1:%d", port)
}

// sampled runs a sampler until the recorder has ten of its snapshots, or it ends by itself. It returns what the recorder's program says of the recording then.
func sampled(t *testing.T, program, url, key, dir, recorder string) (status string, sampler *process) {
	t.Helper()
	own := t.TempDir() // what earlier samplers of a host of this name had reached is nothing to this one
	sampler = startProgram(t, program, "sample", "--data", own, "--server", url, "--creds", key, "--host", "arm", "--interval", "200ms")
	stored := func() int {
		return count(t, filepath.Join(dir, "monitor.db"), `SELECT count(*) FROM snapshots s JOIN hosts h ON h.id = s.host_id WHERE h.name = 'arm'`)
	}
	await(t, "ten snapshots, or the sampler's end", func() bool {
		select {
		case <-sampler.done:
			return true
		default:
			return stored() >= 10
		}
	})
	_ = sampler.cmd.Process.Signal(os.Interrupt) // it may have ended by itself
	sampler.wait()
	await(t, "all that the sampler made", func() bool {
		out, _ := exec.Command(recorder, "status", "--data", dir).Output() // its exit code says how it is
		status = string(out)
		items := itemsOf(t, status)
		return items[0] > 0 && items[0] == items[1]+items[2]
	})
	return status, sampler
}

// itemsOf are how many items of arm were made, are stored, and are in quarantine, by what status says; none while it is not known.
func itemsOf(t *testing.T, status string) (items [3]int) {
	t.Helper()
	for line := range strings.Lines(status) {
		if words := strings.Fields(line); len(words) > 5 && words[0] == "arm" {
			for i := range items {
				must(fmt.Sscan(words[i+1], &items[i]))(t)
			}
			break
		}
	}
	return items
}
