package integration_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/proctape/proctape/producer/publish/spool"
	"github.com/proctape/proctape/query/health"
)

// freePort is a port of this machine that nobody listens on, and that no connection gets by itself: a server that comes to it later would find it taken.
func freePort(t *testing.T) int {
	t.Helper()
	for range 1000 {
		port := 10_000 + rand.IntN(20_000) // below the kernel's own, which begin at 32768
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

// TestSpool_SamplerOfALogThatWasNeverThere starts a sampler before its server, kills it, starts it again, and only then the server: the log, and a
// database of it, have all that was on disk, once, and what was not is missing by its count.
func TestSpool_SamplerOfALogThatWasNeverThere(t *testing.T) {
	t.Parallel()
	long(t)
	dir, port := t.TempDir(), freePort(t)
	url := fmt.Sprintf("nats://127.0.0.1:%d", port)
	sample := func() *process {
		return start(t, "sample", "--data", dir, "--server", url, "--host", "beta", "--interval", "100ms", "--events", "proc-diff", "--spool-mb", "64", "--spool-hours", "24")
	}
	sampler := sample()
	await(t, "samples on disk", func() bool { return spool.DepthOf(filepath.Join(dir, "lives")).Items >= 60 })
	if said := sampler.stderr(); strings.Count(said, "waits on disk") != 1 {
		t.Errorf("the sampler says %q, want once that what is sampled waits on disk", said)
	}
	kept := spool.DepthOf(filepath.Join(dir, "lives")).Items
	if err := sampler.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	sampler.wait()
	status := exec.Command(proctape, "status", "--data", dir)
	if out, _ := status.CombinedOutput(); !strings.Contains(string(out), "a sampler's spool here has") {
		t.Errorf("status says %s, want how much waits", out)
	}
	sampler = sample()
	await(t, "more samples on disk", func() bool { return spool.DepthOf(filepath.Join(dir, "lives")).Items >= kept+30 })

	startNATS(t, &server.Options{Port: port})
	db := filepath.Join(dir, "monitor.db")
	projects := start(t, "project", "--server", url, "--db", db)
	await(t, "all on the log", func() bool { return spool.DepthOf(filepath.Join(dir, "lives")).Items == 0 })
	await(t, "the end of the first life", func() bool {
		return count(t, db, `SELECT count(*) FROM producers WHERE ended_ns > 0 AND kind = 'snapshot'`) == 1
	})
	sampler.stop()
	await(t, "all of the second", func() bool {
		return count(t, db, `SELECT count(*) FROM producers WHERE kind = 'snapshot' AND (ended_ns > 0 OR missing = 0)`) == 2
	})
	projects.stop()
	if said := sampler.stderr(); strings.Count(said, "answers after") != 1 {
		t.Errorf("the sampler says %q, want once that the server answers", said)
	}
	if stored := count(t, db, `SELECT count(*) FROM snapshots`); stored < int(kept)/3+10 {
		t.Errorf("%d snapshots are stored", stored)
	}
	if n := count(t, db, `SELECT count(*) - count(DISTINCT instance || seq) FROM snapshots`); n != 0 {
		t.Errorf("%d snapshots are stored twice", n)
	}
	if n := count(t, db, `SELECT sum(missing) FROM producers`); n > 60 { // of the first life: what it made in three seconds before the kill
		t.Errorf("%d items are missing", n)
	}
	// What is made now goes beside what waits of the same life; but all of the first life waited, and it goes before the second.
	const earlier = `(SELECT instance FROM snapshots ORDER BY wall_ns LIMIT 1)`
	if n := count(t, db, `SELECT count(*) FROM (SELECT seq, lag(seq) OVER (ORDER BY id) AS before FROM snapshots WHERE instance = `+earlier+`) WHERE seq < before`); n != 0 {
		t.Errorf("%d snapshots of the first life came out of their order: %v", n, column(t, readOnly(t, db), `SELECT seq FROM snapshots WHERE instance = `+earlier+` ORDER BY id`))
	}
	if n := count(t, db, `SELECT count(*) FROM snapshots WHERE instance = `+earlier+` AND id > (SELECT min(id) FROM snapshots WHERE instance != `+earlier+`)`); n != 0 {
		t.Errorf("%d snapshots of the first life came behind those of the second", n)
	}
}

// TestSpool_OnDiskInStatus takes the server away from a recorder's neighbour, and reads in status how much waits there.
func TestSpool_OnDiskInStatus(t *testing.T) {
	t.Parallel()
	long(t)
	dir := t.TempDir()
	recorder := record(t, proctape, dir)
	sampler := start(t, "sample", "--data", dir, "--host", "beta", "--interval", "100ms", "--events", "proc-diff")
	db := filepath.Join(dir, "monitor.db")
	await(t, "snapshots of the sampler", func() bool { return snapshotsOf(t, db, "beta") >= 3 })
	recorder.stop()
	var st health.Status
	await(t, "items on disk", func() bool {
		out, err := exec.Command(proctape, "status", "--data", dir, "--json").Output()
		if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
			t.Fatal(err)
		}
		return json.Unmarshal(out, &st) == nil && st.Spool != nil && st.Spool.Items > 20
	})
	if out := run(t, "status", "--data", dir); !strings.Contains(out, "On disk for the log: ") {
		t.Errorf("status says %s", out)
	}
	recorder = record(t, proctape, dir)
	await(t, "nothing on disk", func() bool { return spool.DepthOf(filepath.Join(dir, "lives")).Items == 0 })
	sampler.stop()
	await(t, "all in the database", func() bool {
		return count(t, db, `SELECT count(*) FROM producers WHERE ended_ns > 0 AND missing > 0`) == 0 && snapshotsOf(t, db, "beta") > 20
	})
	recorder.stop()
}
