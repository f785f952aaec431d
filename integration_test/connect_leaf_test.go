package integration_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/schema"
)

// TestConnect_Leaf works with a log behind a leaf node that has a JetStream of its own: by --js-domain and by a context, what is sampled and projected at the
// leaf is the hub's log. Control: without the domain the leaf's own JetStream is asked, and the hub has nothing.
func TestConnect_Leaf(t *testing.T) {
	t.Parallel()
	leaves := freePort(t)
	hub := startNATS(t, &server.Options{ServerName: "hub", JetStreamDomain: "hub", LeafNode: server.LeafNodeOpts{Host: "127.0.0.1", Port: leaves}})
	leaf := startNATS(t, &server.Options{ServerName: "leaf", JetStreamDomain: "leaf",
		LeafNode: server.LeafNodeOpts{Remotes: []*server.RemoteLeafOpts{{URLs: []*url.URL{must(url.Parse(fmt.Sprintf("nats://127.0.0.1:%d", leaves)))(t)}}}}})
	at := func(port int) string { return fmt.Sprintf("nats://127.0.0.1:%d", port) }
	nc := must(nats.Connect(at(hub)))(t)
	t.Cleanup(nc.Close)
	js := must(jetstream.New(nc))(t)
	stored := func() (n uint64) {
		if s, err := js.Stream(t.Context(), schema.StreamSnapshots); err == nil {
			n = s.CachedInfo().State.Msgs
		}
		return n
	}
	toLeaf := must(nats.Connect(at(leaf)))(t)
	t.Cleanup(toLeaf.Close)
	behind := must(jetstream.NewWithDomain(toLeaf, "hub"))(t)
	await(t, "the hub's JetStream at the leaf", func() bool {
		_, err := behind.AccountInfo(t.Context())
		return err == nil
	})
	if said, code := asked(t, nil, "--server", at(leaf), "--js-domain", "hub"); code != 0 || stored() == 0 {
		t.Fatalf("by --js-domain: exit code %d, %d snapshots in the hub's log\n%s", code, stored(), said)
	}
	context := filepath.Join(t.TempDir(), "leaf.json")
	if err := os.WriteFile(context, must(json.Marshal(map[string]string{"url": at(leaf), "jetstream_domain": "hub"}))(t), 0o600); err != nil {
		t.Fatal(err)
	}
	had := stored()
	if said, code := asked(t, nil, "--context", context); code != 0 || stored() == had {
		t.Errorf("by a context: exit code %d, %d snapshots after %d\n%s", code, stored(), had, said)
	}
	dir := t.TempDir()
	db := filepath.Join(dir, "monitor.db")
	start(t, "project", "--context", context, "--db", db).awaitLine("is projecting")
	sampler := start(t, "sample", "--server", at(leaf), "--js-domain", "hub", "--host", "beta", "--interval", "100ms", "--events", "proc-diff", "--data", dir)
	await(t, "snapshots through the leaf", func() bool { return snapshotsOf(t, db, "beta") > 5 })
	sampler.stop()
	await(t, "all snapshots", func() bool { return snapshotsOf(t, db, "beta") == reachedBy(t, dir, "beta") })
	for _, ask := range [][]string{{"status"}, {"log", "replicas"}} {
		if said, code := exitOf(t, append(ask, "--db", db, "--server", at(leaf), "--js-domain", "hub")...); code != 0 {
			t.Errorf("%v: exit code %d, %s", ask, code, said)
		}
	}
	if said, code := exitOf(t, "status", "--data", dir, "--js-domain", "hub"); code != 2 {
		t.Errorf("a domain of the recorder here: exit code %d, %s", code, said)
	}
	other := startNATS(t, &server.Options{ServerName: "hub2", JetStreamDomain: "hub"})
	if said, code := asked(t, nil, "--server", at(other), "--js-domain", "nowhere"); code == 0 {
		t.Errorf("control: a domain that is nowhere: %s", said)
	}
}
