package integration_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/schema"
)

// passesMessageOver is a projector that leaves out a snapshot.
var passesMessageOver = withFault("passes-a-message-over", "projector/hosts.go", "passesOver(subject string) bool {\n", `passesOver(subject string) bool {
	if runsAs("passes-a-message-over") && path.Base(strings.ReplaceAll(subject, ".", "/")) == "snapshot" && passedOver.Add(1) == 3 {
		return true
	}
`, `	"slices"
`, `	"slices"
	"strings"
	"sync/atomic"
`, "type hostFilter []string\n", "type hostFilter []string\n\nvar passedOver atomic.Int64\n")

// TestCluster_RollingRestart restarts each server of a cluster in turn, as an upgrade does, under a sampler and two projectors, as on two machines: nothing is
// lost or doubled, and both databases have the same content hashes. Control: a projector that leaves out one snapshot.
func TestCluster_RollingRestart(t *testing.T) {
	t.Parallel()
	long(t)
	c := startCluster(t, 3, 1<<30)
	dirs := []string{t.TempDir(), t.TempDir(), t.TempDir()}
	var dbs []string
	var projectors []*process
	for i, program := range []string{proctape, proctape, passesMessageOver.program(t)} {
		dbs = append(dbs, filepath.Join(dirs[i], "monitor.db"))
		projectors = append(projectors, startProgram(t, program, "project", "--server", c.url(), "--db", dbs[i], "--replicas", "3", "--max-log-mb", "300"))
		projectors[i].awaitLine("is projecting")
	}
	sampler := start(t, "sample", "--data", dirs[0], "--server", c.url(), "--host", "beta", "--interval", "100ms", "--events", "proc-diff")
	js := c.js()
	for i := range c.servers {
		had := snapshotsOf(t, dbs[0], "beta")
		await(t, "snapshots", func() bool { return snapshotsOf(t, dbs[0], "beta") >= had+10 })
		c.kill(i)
		had = snapshotsOf(t, dbs[0], "beta")
		await(t, "snapshots without a server", func() bool { return snapshotsOf(t, dbs[0], "beta") >= had+10 })
		c.start(i)
		await(t, "all servers with all that there is", func() bool {
			return !slices.ContainsFunc(schema.DataStreams, func(name string) bool {
				s, err := js.Stream(t.Context(), name)
				return err != nil || s.CachedInfo().Cluster.Leader == "" || len(s.CachedInfo().Cluster.Replicas) != 2 ||
					slices.ContainsFunc(s.CachedInfo().Cluster.Replicas, func(p *jetstream.PeerInfo) bool { return !p.Current || p.Offline })
			})
		})
	}
	sampler.stop()
	made := reachedBy(t, dirs[0], "beta")
	await(t, "all snapshots in both databases", func() bool {
		return snapshotsOf(t, dbs[0], "beta") >= made && snapshotsOf(t, dbs[1], "beta") >= made && snapshotsOf(t, dbs[2], "beta") >= made-1
	})
	for _, p := range projectors {
		p.stop()
	}
	for _, db := range dbs[:2] {
		if n, twice := count(t, db, `SELECT sum(missing) FROM producers`), count(t, db, `SELECT sum(duplicates) FROM producers`); n != 0 || twice != 0 || snapshotsOf(t, db, "beta") != made {
			t.Errorf("of %d snapshots %d are stored, %d items are missing, %d are on the log twice", made, snapshotsOf(t, db, "beta"), n, twice)
		}
	}
	for i, want := range []int{0, 5} {
		if said, code := exitOf(t, "verify", "--db", dbs[0], "--against", dbs[1+i]); code != want {
			t.Errorf("two databases of one log, one of them with a snapshot less: %d: exit code %d\n%s", i, code, said)
		}
	}
	if lines := strings.Count(sampler.stderr(), "\n"); lines > 8*len(c.servers) {
		t.Errorf("the sampler has %d lines to say:\n%s", lines, sampler.stderr())
	}
	t.Logf("%d snapshots over %d restarts", made, len(c.servers))
}
