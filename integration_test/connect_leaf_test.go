package integration_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/producer/publish/spool"
	"github.com/proctape/proctape/schema"
)

// forgetsDomain asks for the log of its server, whatever domain is named.
var forgetsDomain = withFault("forgets-domain", "schema/jetstream.go", `if domain == "" {`, `if domain == "" || runsAs("forgets-domain") {`)

// leafNode is a server with the log of a domain, and one that is its leaf node, with a JetStream of its own.
type leafNode struct {
	t    *testing.T
	hub  *server.Options
	runs *server.Server // the hub
	leaf int            // its port
}

// startLeaf starts both, and waits until the leaf has the hub's log.
func startLeaf(t *testing.T) *leafNode {
	t.Helper()
	leaves := freePort(t)
	l := &leafNode{t: t, hub: &server.Options{ServerName: "hub", Host: "127.0.0.1", Port: freePort(t), JetStream: true, StoreDir: t.TempDir(), JetStreamDomain: "hub", NoSigs: true, NoLog: true,
		LeafNode: server.LeafNodeOpts{Host: "127.0.0.1", Port: leaves}}}
	l.startHub()
	t.Cleanup(l.stopHub)
	l.leaf = startNATS(t, &server.Options{ServerName: "leaf", JetStreamDomain: "leaf", LeafNode: server.LeafNodeOpts{ReconnectInterval: 100 * time.Millisecond,
		Remotes: []*server.RemoteLeafOpts{{URLs: []*url.URL{must(url.Parse(fmt.Sprintf("nats://127.0.0.1:%d", leaves)))(t)}}}}})
	await(t, "the hub's JetStream at the leaf", func() bool {
		_, err := l.js(l.leaf, "hub").AccountInfo(t.Context())
		return err == nil
	})
	return l
}

func (l *leafNode) startHub() {
	l.t.Helper()
	l.runs = must(server.NewServer(l.hub.Clone()))(l.t)
	go l.runs.Start()
	if !l.runs.ReadyForConnections(patience) {
		l.t.Fatal("the hub does not start")
	}
}

func (l *leafNode) stopHub() {
	l.runs.Shutdown()
	l.runs.WaitForShutdown()
}

func (l *leafNode) at(port int) string { return fmt.Sprintf("nats://127.0.0.1:%d", port) }

// js is the JetStream of a domain, by a server; without a domain the server's own.
func (l *leafNode) js(port int, domain string) jetstream.JetStream {
	l.t.Helper()
	nc := must(nats.Connect(l.at(port)))(l.t)
	l.t.Cleanup(nc.Close)
	if domain == "" {
		return must(jetstream.New(nc))(l.t)
	}
	return must(jetstream.NewWithDomain(nc, domain))(l.t)
}

// stored is how many snapshots a server's own log has.
func (l *leafNode) stored(port int) (n uint64) {
	l.t.Helper()
	if s, err := l.js(port, "").Stream(l.t.Context(), schema.StreamSnapshots); err == nil {
		n = s.CachedInfo().State.Msgs
	}
	return n
}

// TestConnect_Leaf works with a log behind a leaf node that has a JetStream of its own: by --js-domain and by a context, what is sampled and projected at the
// leaf is the hub's log, and the leaf's own has nothing of it. Controls: without a domain the leaf's own has all, and so it has with a program that forgets the domain.
func TestConnect_Leaf(t *testing.T) {
	long(t)
	t.Parallel()
	l := startLeaf(t)
	publish := func(l *leafNode, program string, args ...string) (hub, leaf uint64, said string) {
		t.Helper()
		hub, leaf = l.stored(l.hub.Port), l.stored(l.leaf)
		out, err := exec.Command(program, append([]string{"simulate", "--hosts", "1", "--processes", "3", "--duration", "5s", "--rate", "fast"}, args...)...).CombinedOutput()
		if err != nil {
			t.Errorf("%v: %v, %s", args, err, out)
		}
		return l.stored(l.hub.Port) - hub, l.stored(l.leaf) - leaf, string(out)
	}
	context := filepath.Join(t.TempDir(), "leaf.json")
	if err := os.WriteFile(context, must(json.Marshal(map[string]string{"url": l.at(l.leaf), "jetstream_domain": "hub"}))(t), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"--server", l.at(l.leaf), "--js-domain", "hub"}, {"--context", context}} {
		if hub, leaf, said := publish(l, proctape, args...); hub == 0 || leaf != 0 {
			t.Errorf("%v: %d snapshots in the hub's log, %d in the leaf's own\n%s", args, hub, leaf, said)
		}
	}
	had := l.stored(l.hub.Port)
	for _, ask := range [][]string{{"simulate", "--hosts", "1", "--duration", "5s", "--rate", "fast"}, {"log", "replicas"}} {
		if said, code := exitOf(t, append(ask, "--server", l.at(l.leaf), "--js-domain", "nowhere")...); code == 0 || l.stored(l.hub.Port) != had {
			t.Errorf("%v of a domain that is nowhere: %s", ask, said)
		}
	}
	other := startLeaf(t)
	if hub, leaf, said := publish(other, proctape, "--server", other.at(other.leaf)); hub != 0 || leaf == 0 {
		t.Errorf("control: without a domain %d snapshots are in the hub's log, %d in the leaf's own\n%s", hub, leaf, said)
	}
	if !testing.Short() {
		other = startLeaf(t)
		if hub, leaf, said := publish(other, forgetsDomain.program(t), "--server", other.at(other.leaf), "--js-domain", "hub"); hub != 0 || leaf == 0 {
			t.Errorf("control: a program that forgets the domain has %d snapshots in the hub's log, %d in the leaf's own\n%s", hub, leaf, said)
		}
	}
}

// TestConnect_LeafCutOff has a sampler and a projector at a leaf node, and the hub away for a while: what is sampled waits at the leaf's host, and the hub's log has all of it once.
func TestConnect_LeafCutOff(t *testing.T) {
	t.Parallel()
	long(t)
	l := startLeaf(t)
	dir := t.TempDir()
	db := filepath.Join(dir, "monitor.db")
	projects := start(t, "project", "--server", l.at(l.leaf), "--js-domain", "hub", "--db", db)
	projects.awaitLine("is projecting")
	sampler := start(t, "sample", "--server", l.at(l.leaf), "--js-domain", "hub", "--host", "beta", "--interval", "100ms", "--events", "proc-diff", "--data", dir)
	await(t, "snapshots through the leaf", func() bool { return snapshotsOf(t, db, "beta") > 5 })
	for _, ask := range [][]string{{"status"}, {"log", "replicas"}} {
		if said, code := exitOf(t, append(ask, "--db", db, "--server", l.at(l.leaf), "--js-domain", "hub")...); code != 0 {
			t.Errorf("%v: exit code %d, %s", ask, code, said)
		}
	}
	if said, code := exitOf(t, "status", "--data", dir, "--js-domain", "hub"); code != 2 {
		t.Errorf("a domain of the recorder here: exit code %d, %s", code, said)
	}
	l.stopHub()
	await(t, "items on the leaf's disk", func() bool { return spool.DepthOf(filepath.Join(dir, "lives")).Messages > 10 })
	l.startHub()
	had := snapshotsOf(t, db, "beta")
	await(t, "snapshots when the hub is there again", func() bool {
		return snapshotsOf(t, db, "beta") > had+10 && spool.DepthOf(filepath.Join(dir, "lives")).Messages == 0
	})
	sampler.stop()
	await(t, "all snapshots", func() bool { return snapshotsOf(t, db, "beta") == reachedBy(t, dir, "beta") })
	projects.stop()
	if n := count(t, db, `SELECT sum(missing + duplicates) FROM producers`); n != 0 || l.stored(l.leaf) != 0 {
		t.Errorf("%d items are missing or on the log twice, and %d snapshots are in the leaf's own log", n, l.stored(l.leaf))
	}
}
