package integration_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sys/unix"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/producer/publish"
	"github.com/proctape/proctape/schema"
)

// poweredCluster is three servers, each with a disk of its own whose power can be cut, and a publisher that numbers what it publishes.
type poweredCluster struct {
	t         *testing.T
	dir, urls string
	servers   [3]*process
	nc        *nats.Conn
	publisher *publish.Publisher
	last      int64 // the wall clock of the last message
}

// newPoweredCluster starts all, with how the servers sync.
func newPoweredCluster(t *testing.T, sync string) *poweredCluster {
	t.Helper()
	c := &poweredCluster{t: t, dir: t.TempDir()}
	var clients, routes [3]int
	var urls, peers []string
	for i := range c.servers {
		clients[i], routes[i] = freePort(t), freePort(t)
		urls, peers = append(urls, fmt.Sprintf("nats://127.0.0.1:%d", clients[i])), append(peers, fmt.Sprintf("nats://127.0.0.1:%d", routes[i]))
	}
	c.urls = strings.Join(urls, ",")
	for i := range c.servers {
		conf := fmt.Sprintf("server_name: n%d\nlisten: \"127.0.0.1:%d\"\njetstream { store_dir: %q, max_file_store: 200M, max_memory_store: 1M, %s }\ncluster { name: c, listen: \"127.0.0.1:%d\", routes: [%s] }\n",
			i, clients[i], filepath.Join(c.disk(i), "store"), sync, routes[i], strings.Join(peers, ", "))
		if err := os.WriteFile(c.conf(i), []byte(conf), 0o600); err != nil {
			t.Fatal(err)
		}
		c.sh(fmt.Sprintf("mkdir %[1]s && truncate -s 400M %[1]s.img && mkfs.ext4 -q %[1]s.img && mount -o loop %[1]s.img %[1]s", c.disk(i)))
		t.Cleanup(func() { exec.Command("umount", c.disk(i)).Run() })
		c.serve(i)
	}
	c.nc = must(nats.Connect(c.urls, nats.MaxReconnects(-1), nats.ReconnectBufSize(-1), nats.ReconnectWait(100*time.Millisecond), nats.RetryOnFailedConnect(true)))(t)
	t.Cleanup(c.nc.Close)
	js := must(jetstream.New(c.nc))(t)
	await(t, "the streams", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		return embeddednats.Declare(ctx, js, schema.Streams(schema.Policy{MaxLogBytes: 100 << 20}, 3), false) == nil
	})
	c.publisher = must(publish.New(c.nc, publish.Config{Log: slog.New(slog.DiscardHandler), Origin: publish.Origin{Host: "cut", BootID: "boot", Instance: schema.NewInstance()}}))(t)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = c.publisher.Run(ctx) // a test that failed may leave something
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return c
}

func (c *poweredCluster) disk(i int) string { return filepath.Join(c.dir, fmt.Sprint("disk", i)) }
func (c *poweredCluster) conf(i int) string { return filepath.Join(c.dir, fmt.Sprint("conf", i)) }

func (c *poweredCluster) sh(script string) {
	c.t.Helper()
	if out, err := exec.Command("sh", "-c", script).CombinedOutput(); err != nil {
		c.t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

func (c *poweredCluster) serve(i int) {
	c.t.Helper()
	c.servers[i] = startProgram(c.t, "env", roleEnv+"=server", must(os.Executable())(c.t), "-c", c.conf(i))
}

// publish publishes so many snapshots, and waits until so many of all are acknowledged.
func (c *poweredCluster) publish(n int, acked uint64) {
	c.t.Helper()
	for range n {
		c.last = max(c.last+1, time.Now().UnixNano())
		if err := c.publisher.Offer(&schema.Message{Envelope: schema.Envelope{Kind: schema.KindSnapshot, Wall: c.last, Boot: c.last % int64(24*time.Hour)},
			Snapshot: &schema.Snapshot{PressureLevel: "none"}}); err != nil {
			c.t.Fatal(err)
		}
	}
	await(c.t, fmt.Sprint(acked, " acknowledgements"), func() bool { return c.publisher.Stats().Acked >= acked })
}

// settle has all that is there now on the disks, as what is old is.
func (c *poweredCluster) settle() {
	c.t.Helper()
	for i := range c.servers {
		dir := must(os.Open(c.disk(i)))(c.t)
		if err := unix.Syncfs(int(dir.Fd())); err != nil {
			c.t.Fatal(err)
		}
		dir.Close()
	}
}

// cut cuts the power of all at once, and starts them again.
func (c *poweredCluster) cut() {
	c.t.Helper()
	for i := range c.servers {
		shutDown(c.t, c.disk(i))
	}
	for i, s := range c.servers {
		s.cmd.Process.Kill()
		s.wait()
		c.sh(fmt.Sprintf("umount %[1]s && mount -o loop %[1]s.img %[1]s", c.disk(i)))
	}
	for i := range c.servers {
		c.serve(i)
	}
}

// project projects the log into a new database until all is there that is to come, or is known to be missing.
func (c *poweredCluster) project(name string) (projects *process, db string) {
	c.t.Helper()
	db = filepath.Join(c.dir, name+".db")
	projects = start(c.t, "project", "--server", c.urls, "--db", db, "--replicas", "3", "--max-log-mb", "100")
	projects.awaitLine("is projecting")
	return projects, db
}

// lostByPowerCut cuts the power of all servers just after they acknowledged something. It returns how much of what they had acknowledged the log has no more, and what
// a database made of it afterwards, and one that followed all the time, say is missing.
func lostByPowerCut(t *testing.T, sync string) (lost, missing, followed int) {
	t.Helper()
	c := newPoweredCluster(t, sync)
	follows, live := c.project("live")
	c.publish(200, 200)
	await(t, "the first in the database", func() bool { return snapshotsOf(t, live, "cut") == 200 })
	c.settle()
	c.publish(5000, 3000)
	c.cut()
	c.publish(200, c.publisher.Stats().Produced+200)
	made := int(c.publisher.Stats().Produced)
	stream := must(must(jetstream.New(c.nc))(t).Stream(t.Context(), schema.StreamSnapshots))(t)
	lost = made - int(stream.CachedInfo().State.Msgs)
	after, anew := c.project("anew")
	for _, db := range []string{live, anew} {
		await(t, "all of the log in "+db, func() bool {
			return count(t, db, `SELECT coalesce(sum(stored + missing), 0) FROM producers`) == made
		})
	}
	follows.stop()
	after.stop()
	t.Logf("%q: of %d snapshots %d that were acknowledged are lost; the projector that followed said:\n%s", sync, made, lost, follows.stderr())
	return lost, count(t, anew, `SELECT sum(missing) FROM producers`), count(t, live, `SELECT sum(missing) FROM producers`)
}

// TestCluster_PowerCut cuts the power of all servers of a cluster at once. With sync_interval: always nothing is lost that was acknowledged. With NATS's default some is:
// the numbers of the publisher tell how much, in a database of the log; what a projector had read before the cut stays in its database.
func TestCluster_PowerCut(t *testing.T) {
	if !soak {
		t.Skip("SKIPPED: a campaign of make soak")
	}
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: only root can mount a disk to cut the power of")
	}
	if lost, missing, followed := lostByPowerCut(t, "sync_interval: always"); lost != 0 || missing != 0 || followed != 0 {
		t.Errorf("of what was acknowledged after a sync %d messages are lost; %d are missing", lost, missing)
	}
	lost, missing, followed := lostByPowerCut(t, "sync_interval: 2m")
	if missing != lost || followed > lost {
		t.Errorf("%d messages are lost, and a database says that %d are missing, one that followed %d", lost, missing, followed)
	}
	if lost == 0 {
		t.Error("control: servers that sync every two minutes lost nothing: this test catches nothing")
	}
}
