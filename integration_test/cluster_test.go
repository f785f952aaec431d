package integration_test

import (
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/producer/publish/spool"
	"github.com/proctape/proctape/schema"
)

// cluster is servers of NATS that keep streams together.
type cluster struct {
	t       *testing.T
	options []*server.Options
	servers []*server.Server // nil: it is down
}

// startCluster starts so many servers, which may each keep so many bytes.
func startCluster(t *testing.T, n int, store int64) *cluster {
	t.Helper()
	c := &cluster{t: t}
	var routes []*url.URL
	ports := make([]int, n)
	for i := range n {
		ports[i] = freePort(t)
		routes = append(routes, must(url.Parse(fmt.Sprintf("nats://127.0.0.1:%d", ports[i])))(t))
	}
	for i := range n {
		c.options = append(c.options, &server.Options{ServerName: fmt.Sprint("n", i+1), Host: "127.0.0.1", Port: freePort(t), NoSigs: true, NoLog: true,
			JetStream: true, StoreDir: t.TempDir(), JetStreamMaxStore: store, JetStreamMaxMemory: 1 << 20, Routes: routes,
			Cluster: server.ClusterOpts{Name: "c", Host: "127.0.0.1", Port: ports[i]}})
		c.servers = append(c.servers, nil)
		c.start(i)
	}
	t.Cleanup(func() {
		for i := range c.servers {
			c.kill(i)
		}
	})
	await(t, "a leader of the cluster", func() bool {
		return slices.ContainsFunc(c.servers, func(s *server.Server) bool { return s.JetStreamIsLeader() })
	})
	await(t, "all servers", func() bool {
		return !slices.ContainsFunc(c.servers, func(s *server.Server) bool { return s.JetStreamIsLeader() && len(s.JetStreamClusterPeers()) < n })
	})
	return c
}

func (c *cluster) start(i int) {
	c.t.Helper()
	s := must(server.NewServer(c.options[i].Clone()))(c.t)
	go s.Start()
	c.servers[i] = s
}

func (c *cluster) kill(i int) {
	if s := c.servers[i]; s != nil {
		s.Shutdown()
		s.WaitForShutdown()
		c.servers[i] = nil
	}
}

// url names all servers.
func (c *cluster) url() string {
	var urls []string
	for _, o := range c.options {
		urls = append(urls, fmt.Sprintf("nats://127.0.0.1:%d", o.Port))
	}
	return strings.Join(urls, ",")
}

func (c *cluster) js() jetstream.JetStream {
	c.t.Helper()
	nc := must(nats.Connect(c.url(), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond)))(c.t)
	c.t.Cleanup(nc.Close)
	return must(jetstream.New(nc))(c.t)
}

// leaderOf is the place of the server that leads a stream; negative while none does.
func (c *cluster) leaderOf(js jetstream.JetStream, stream string) int {
	s, err := js.Stream(c.t.Context(), stream)
	if err != nil || s.CachedInfo().Cluster == nil {
		return -1
	}
	return slices.IndexFunc(c.options, func(o *server.Options) bool { return o.ServerName == s.CachedInfo().Cluster.Leader })
}

// TestCluster_LeaderLoss has a sampler and a projector work with a log on three servers, and takes away the one that leads, again and again: nothing
// is lost, nothing is doubled, and each part says once that there is trouble.
func TestCluster_LeaderLoss(t *testing.T) {
	t.Parallel()
	long(t)
	c := startCluster(t, 3, 1<<30)
	dir := t.TempDir()
	db := filepath.Join(dir, "monitor.db")
	projects := start(t, "project", "--server", c.url(), "--db", db, "--replicas", "3", "--max-log-mb", "300")
	projects.awaitLine("is projecting")
	js := c.js()
	for _, name := range schema.DataStreams {
		if info := must(js.Stream(t.Context(), name))(t).CachedInfo(); info.Config.Replicas != 3 || len(info.Cluster.Replicas) != 2 {
			t.Errorf("%s is kept on %d servers: %+v", name, info.Config.Replicas, info.Cluster)
		}
	}
	sampler := start(t, "sample", "--data", dir, "--server", c.url(), "--host", "beta", "--interval", "100ms", "--events", "proc-diff")
	const kills = 4
	for range kills {
		had := snapshotsOf(t, db, "beta")
		await(t, "snapshots", func() bool { return snapshotsOf(t, db, "beta") >= had+10 })
		var leader int
		await(t, "a leader", func() bool {
			leader = c.leaderOf(js, schema.StreamSnapshots)
			return leader >= 0
		})
		c.kill(leader)
		had = snapshotsOf(t, db, "beta")
		await(t, "snapshots without it", func() bool { return snapshotsOf(t, db, "beta") >= had+10 })
		c.start(leader)
		await(t, "its followers", func() bool {
			s, err := js.Stream(t.Context(), schema.StreamSnapshots)
			return err == nil && s.CachedInfo().Cluster.Leader != "" && !slices.ContainsFunc(s.CachedInfo().Cluster.Replicas, func(p *jetstream.PeerInfo) bool { return !p.Current || p.Offline })
		})
	}
	sampler.stop()
	made := reachedBy(t, dir, "beta")
	await(t, "all snapshots", func() bool { return snapshotsOf(t, db, "beta") >= made })
	projects.stop()
	if n := count(t, db, `SELECT count(*) - count(DISTINCT instance || seq) FROM snapshots`); n != 0 {
		t.Errorf("%d snapshots are stored twice", n)
	}
	if n := count(t, db, `SELECT sum(missing) FROM producers`); n != 0 || snapshotsOf(t, db, "beta") != made || spool.DepthOf(filepath.Join(dir, "lives")).Messages != 0 {
		t.Errorf("of %d snapshots %d are stored, %d items are missing, %+v wait", made, snapshotsOf(t, db, "beta"), n, spool.DepthOf(filepath.Join(dir, "lives")))
	}
	for name, said := range map[string]string{"sampler": sampler.stderr(), "projector": projects.stderr()} {
		if lines := strings.Count(said, "\n"); lines > 8*kills {
			t.Errorf("the %s has %d lines to say of %d losses of a leader:\n%s", name, lines, kills, said)
		}
	}
	t.Logf("%d snapshots, %d leaders lost; the sampler said:\n%s\nthe projector:\n%s", made, kills, sampler.stderr(), projects.stderr())
}

// impatient asks a server once for each stream.
var impatient = withFault("impatient", "embedded-nats/streams.go", "!schema.LogIsLeaderless(err) {", "!schema.LogIsLeaderless(err) || runsAs(\"impatient\") {")

// TestCluster_LeaderComesLater starts a projector while two of three servers are down: it waits for a leader of the cluster, who comes with another
// server.
func TestCluster_LeaderComesLater(t *testing.T) {
	t.Parallel()
	long(t)
	c := startCluster(t, 3, 1<<30)
	c.kill(1)
	c.kill(2)
	await(t, "a cluster without a leader", func() bool { return !c.servers[0].JetStreamIsLeader() })
	project := func(program string) *process {
		return startProgram(t, program, "project", "--server", c.url(), "--db", filepath.Join(t.TempDir(), "monitor.db"), "--max-log-mb", "300")
	}
	once := project(impatient.program(t))
	if once.wait(); once.err == nil {
		t.Error("control: a projector that asks once ended well")
	}
	c.start(1) // it takes seconds until there is a leader: a start waits half a minute for one
	patient := project(proctape)
	defer patient.stop()
	patient.awaitLine("is projecting")
}

// keepsDurable waits for a durable whose servers are all away.
var keepsDurable = withFault("keeps-durable", "schema/durable.go", "return ok && refused.ErrorCode == consumerOffline", "return ok && refused.ErrorCode == consumerOffline && !runsAs(\"keeps-durable\")")

// TestCluster_DurableAway takes away the one server that has a database's durable, as when a log's replicas were changed just before: the database is fed
// by another durable, and its trouble is told once.
func TestCluster_DurableAway(t *testing.T) {
	t.Parallel()
	long(t)
	feeds := func(program string) (stored int, said string) {
		c := startCluster(t, 3, 1<<30)
		db := filepath.Join(t.TempDir(), "monitor.db")
		projects := startProgram(t, program, "project", "--server", c.url(), "--db", db, "--replicas", "3", "--max-log-mb", "300")
		projects.awaitLine("is projecting")
		defer projects.stop()
		sampler := start(t, "sample", "--data", filepath.Dir(db), "--server", c.url(), "--host", "beta", "--interval", "100ms", "--events", "proc-diff")
		defer sampler.stop()
		await(t, "snapshots", func() bool { return snapshotsOf(t, db, "beta") >= 5 })
		stream := must(c.js().Stream(t.Context(), schema.StreamSnapshots))(t)
		durable := <-stream.ListConsumers(t.Context()).Info()
		durable.Config.Replicas = 1
		must(stream.UpdateConsumer(t.Context(), durable.Config))(t)
		var on string
		await(t, "a durable on one server", func() bool {
			consumer, err := stream.Consumer(t.Context(), durable.Name)
			if err != nil || consumer.CachedInfo().Cluster == nil || len(consumer.CachedInfo().Cluster.Replicas) > 0 {
				return false
			}
			on = consumer.CachedInfo().Cluster.Leader
			return on != ""
		})
		c.kill(slices.IndexFunc(c.options, func(o *server.Options) bool { return o.ServerName == on }))
		had := snapshotsOf(t, db, "beta")
		var logged uint64
		await(t, "sixty messages more", func() bool {
			info, err := stream.Info(t.Context())
			if err == nil && logged == 0 {
				logged = info.State.LastSeq
			}
			return err == nil && info.State.LastSeq >= logged+60
		})
		if program == proctape {
			await(t, "snapshots without it", func() bool { return snapshotsOf(t, db, "beta") >= had+60 })
		}
		return snapshotsOf(t, db, "beta") - had, projects.stderr()
	}
	if _, said := feeds(proctape); strings.Count(said, "\n") > 4 {
		t.Errorf("of one trouble the projector says:\n%s", said)
	}
	if stored, said := feeds(keepsDurable.program(t)); stored > 30 {
		t.Errorf("control: with a durable that is away %d snapshots were stored\n%s", stored, said)
	}
}

// TestCluster_Replicas changes on how many servers a log is kept while it is in use, and asks for more than can be: what is wrong and what mends it is
// said.
func TestCluster_Replicas(t *testing.T) {
	t.Parallel()
	long(t)
	c := startCluster(t, 3, 200<<20)
	db := filepath.Join(t.TempDir(), "monitor.db")
	if said, code := exitOf(t, "project", "--server", c.url(), "--db", db, "--replicas", "3"); code != 1 || !strings.Contains(said, "--max-log-mb") {
		t.Errorf("streams that have no room: exit code %d, %s", code, said)
	}
	projects := start(t, "project", "--server", c.url(), "--db", db, "--max-log-mb", "100")
	projects.awaitLine("is projecting")
	sampler := start(t, "sample", "--data", filepath.Dir(db), "--server", c.url(), "--host", "beta", "--interval", "100ms", "--events", "proc-diff")
	await(t, "snapshots", func() bool { return snapshotsOf(t, db, "beta") >= 5 })
	var said string
	await(t, "servers that all know each other", func() bool {
		var code int
		said, code = exitOf(t, "log", "replicas", "3", "--server", c.url())
		return code == 0 || !strings.Contains(said, "hint: some servers of the cluster are away")
	})
	if strings.Count(said, " 3  ") != 5 {
		t.Errorf("after it was changed:\n%s", said)
	}
	after := snapshotsOf(t, db, "beta")
	await(t, "snapshots after that", func() bool { return snapshotsOf(t, db, "beta") >= after+5 })
	had, events := snapshotsOf(t, db, "beta"), count(t, db, `SELECT count(*) FROM process_events`)
	c.kill(c.leaderOf(c.js(), schema.StreamEvents))
	await(t, "snapshots and events on two servers", func() bool {
		return snapshotsOf(t, db, "beta") >= had+10 && count(t, db, `SELECT count(*) FROM process_events`) > events+5
	})
	await(t, "who is away", func() bool {
		said, _ := exitOf(t, "log", "replicas", "--server", c.url())
		return strings.Contains(said, "(away)")
	})
	sampler.stop()
	projects.stop()
	for name, want := range map[string]struct {
		n    string
		code int
		says string
	}{
		"more than there are": {"5", 1, "servers"}, "no number": {"many", 2, "1, 3 or 5"}, "none": {"0", 2, "1, 3 or 5"},
	} {
		if said, code := exitOf(t, "log", "replicas", want.n, "--server", c.url()); code != want.code || !strings.Contains(said, "hint: ") || !strings.Contains(said, want.says) {
			t.Errorf("%s: exit code %d, %s", name, code, said)
		}
	}
	alone := startNATS(t, &server.Options{})
	at := fmt.Sprintf("nats://127.0.0.1:%d", alone)
	if said, code := asked(t, nil, "--server", at); code != 0 {
		t.Fatal(said)
	}
	if said, code := exitOf(t, "log", "replicas", "3", "--server", at); code != 1 || !strings.Contains(said, "this server is alone") {
		t.Errorf("a server without a cluster: exit code %d, %s", code, said)
	}
}
