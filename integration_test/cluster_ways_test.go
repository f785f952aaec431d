package integration_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/producer/publish/spool"
	"github.com/proctape/proctape/schema"
)

// playServer is nats-server, with its own command line.
func playServer() int {
	opts, err := server.ConfigureOptions(flag.NewFlagSet("nats-server", flag.ContinueOnError), os.Args[1:], nil, nil, nil)
	if err == nil {
		var s *server.Server
		if s, err = server.NewServer(opts); err == nil {
			s.ConfigureLogger()
			s.Start()
			s.WaitForShutdown()
			return 0
		}
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// startServer starts nats-server on a host.
func (n *namespaces) startServer(host, conf string) *process {
	n.t.Helper()
	return n.start(host, roleEnv+"=server "+must(os.Executable())(n.t)+" -c "+conf)
}

// farCluster is three servers that keep a log together, a sampler and a projector, each on a host of its own, and the ways between them.
type farCluster struct {
	*namespaces
	servers            []*process
	sampler, projector *process
	db, lives          string
	js                 jetstream.JetStream // at the projector's host
	had                int                 // snapshots, when all was well last
}

var farServers = []string{"n1", "n2", "n3"}

// newFarCluster starts all of it, the sampler as a program that may be a control.
func newFarCluster(t *testing.T, samples string) *farCluster {
	t.Helper()
	c := &farCluster{namespaces: newNamespaces(t, append(slices.Clone(farServers), "beta", "central")...)}
	var urls []string
	for i, name := range farServers {
		urls = append(urls, "nats://"+c.address(i)+":4222")
		c.servers = append(c.servers, nil)
		conf := fmt.Sprintf("server_name: %s\nlisten: 0.0.0.0:4222\nlog_file: %q\njetstream { store_dir: %q, max_file_store: 2G, max_memory_store: 1M }\n"+
			"cluster { name: c, listen: 0.0.0.0:6222, routes: [%s] }\n", name, c.path(name, "log"), c.path(name, "store"), strings.Join(c.routes(), ", "))
		if err := os.WriteFile(c.path(name, "conf"), []byte(conf), 0o600); err != nil {
			t.Fatal(err)
		}
		c.serve(i)
	}
	all := strings.Join(urls, ",")
	c.js = c.connect(all)
	await(t, "a cluster of three", func() bool { // who all know each other
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := c.js.CreateStream(ctx, jetstream.StreamConfig{Name: "probe", Replicas: len(farServers)})
		return err == nil
	})
	if err := c.js.DeleteStream(t.Context(), "probe"); err != nil {
		t.Fatal(err)
	}
	c.db, c.lives = c.path("central", "data", "monitor.db"), c.path("beta", "data", "lives")
	c.projector = c.start("central", proctape+" project --server "+all+" --replicas 3 --max-log-mb 300 --db "+c.db)
	c.projector.awaitLine("is projecting")
	c.sampler = c.start("beta", samples+" sample --server "+all+" --host beta --interval 100ms --events proc-diff --data "+c.path("beta", "data"))
	c.come()
	return c
}

func (c *farCluster) routes() (routes []string) {
	for i := range farServers {
		routes = append(routes, fmt.Sprintf("nats://%s:6222", c.address(i)))
	}
	return routes
}

// serve starts a server.
func (c *farCluster) serve(i int) {
	c.t.Helper()
	c.servers[i] = c.startServer(farServers[i], c.path(farServers[i], "conf"))
}

// connect connects from the projector's host.
func (c *farCluster) connect(urls string) jetstream.JetStream {
	c.t.Helper()
	nc := must(nats.Connect(urls, nats.SetCustomDialer(dialerIn("/run/netns/"+c.prefix+"-central")), nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true),
		nats.ReconnectWait(100*time.Millisecond), nats.PingInterval(2*time.Second), nats.MaxPingsOutstanding(2)))(c.t)
	c.t.Cleanup(nc.Close)
	return must(jetstream.New(nc))(c.t)
}

// dialerIn dials in a network namespace.
type dialerIn string

func (d dialerIn) Dial(network, address string) (conn net.Conn, err error) {
	done := make(chan struct{})
	go func() { // on a thread that ends with it, for it stays in that namespace
		defer close(done)
		runtime.LockOSThread()
		var ns *os.File
		if ns, err = os.Open(string(d)); err != nil {
			return
		}
		defer ns.Close()
		if err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err == nil {
			conn, err = net.DialTimeout(network, address, 2*time.Second)
		}
	}()
	<-done
	return conn, err
}

// come waits until what was made comes into the database, and nothing waits on the sampler's disk.
func (c *farCluster) come() {
	c.t.Helper()
	await(c.t, "snapshots after a fault", func() bool { return c.stored() > c.had+10 && spool.DepthOf(c.lives).Messages == 0 })
	c.had = c.stored()
}

func (c *farCluster) stored() int { return snapshotsOf(c.t, c.db, "beta") }

// leader is the server that leads the stream of snapshots, once one does and the other two have all that it has.
func (c *farCluster) leader() (leads int) {
	c.t.Helper()
	await(c.t, "a leader with two followers", func() bool {
		s, err := c.js.Stream(c.t.Context(), schema.StreamSnapshots)
		if err != nil || s.CachedInfo().Cluster == nil {
			return false
		}
		info := s.CachedInfo().Cluster
		leads = slices.Index(farServers, info.Leader)
		return leads >= 0 && !slices.ContainsFunc(info.Replicas, func(p *jetstream.PeerInfo) bool { return !p.Current || p.Offline })
	})
	return leads
}

// reaches is the server to which a process has a connection, by the kernel's table of its host's; negative for none.
func (c *farCluster) reaches(p *process) int {
	c.t.Helper()
	table := must(os.ReadFile(fmt.Sprintf("/proc/%d/net/tcp", p.cmd.Process.Pid)))(c.t)
	const established = "01"
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line)
		for i := range farServers {
			ip := net.ParseIP(c.address(i)).To4()
			if len(f) > 3 && f[3] == established && f[2] == fmt.Sprintf("%02X%02X%02X%02X:%04X", ip[3], ip[2], ip[1], ip[0], 4222) {
				return i
			}
		}
	}
	return -1
}

// target has the server to which the sampler is connected lead the stream of snapshots, and returns it: a fault of it strikes everybody.
func (c *farCluster) target() (at int) {
	c.t.Helper()
	await(c.t, "a leader where the sampler is", func() bool {
		at = c.reaches(c.sampler)
		if at < 0 || c.leader() == at {
			return at >= 0
		}
		ask := fmt.Sprintf(`{"placement": {"preferred": %q}}`, farServers[at])
		_, err := c.js.Conn().Request("$JS.API.STREAM.LEADER.STEPDOWN."+schema.StreamSnapshots, []byte(ask), 2*time.Second)
		if err != nil && !errors.Is(err, nats.ErrTimeout) && !errors.Is(err, nats.ErrNoResponders) {
			c.t.Fatal(err)
		}
		return false
	})
	return at
}

// farFault is what happens to the ways of a cluster, as commands of ip and tc on the router between the hosts: PORT and TO are port and address of the server
// that leads, BETA is the sampler's address, and a command with OTHER is run for each of the other servers.
type farFault struct {
	name         string
	begins, ends []string
	alone        bool // the sampler reaches no server that could take anything
}

var farFaults = []farFault{
	{name: "cut", begins: []string{"ip link set PORT down"}, ends: []string{"ip link set PORT up"}},
	{name: "hears nothing", begins: []string{"ip route replace blackhole TO/32"}, ends: []string{"ip route del blackhole TO/32"}},
	{name: "is heard by nobody", begins: []string{"ip rule add from TO blackhole"}, ends: []string{"ip rule del from TO blackhole"}},
	{name: "cut off the others", begins: []string{"ip rule add from TO to OTHER blackhole", "ip rule add from OTHER to TO blackhole"},
		ends: []string{"ip rule del from TO to OTHER blackhole", "ip rule del from OTHER to TO blackhole"}},
	{name: "cut off the others, with the sampler", alone: true,
		begins: []string{"ip rule add from TO to OTHER blackhole", "ip rule add from OTHER to TO blackhole", "ip rule add from BETA to OTHER blackhole"},
		ends:   []string{"ip rule del from TO to OTHER blackhole", "ip rule del from OTHER to TO blackhole", "ip rule del from BETA to OTHER blackhole"}},
	{name: "answers the sampler in vain", begins: []string{"ip rule add from TO to BETA blackhole"}, ends: []string{"ip rule del from TO to BETA blackhole"}},
	{name: "slow", begins: []string{"tc qdisc add dev PORT root tbf rate 256kbit burst 16k latency 400ms"}, ends: []string{"tc qdisc del dev PORT root"}},
}

// does runs commands of a fault of a server.
func (c *farCluster) does(at int, commands []string) {
	c.t.Helper()
	for _, command := range commands {
		for i := range farServers {
			if i != at && (strings.Contains(command, "OTHER") || i == (at+1)%len(farServers)) {
				c.wire(farServers[at], strings.NewReplacer("OTHER", c.address(i), "BETA", c.address(len(farServers))).Replace(command))
			}
		}
	}
}

// strikes has a fault strike the server that leads, lasts until much more was made and stored without it, and heals.
func (c *farCluster) strikes(f farFault) {
	c.t.Helper()
	at, began := c.target(), time.Now()
	c.does(at, f.begins)
	c.had = c.stored()
	if waited := spool.DepthOf(c.lives).Messages; f.alone {
		await(c.t, f.name+": items on disk", func() bool { return spool.DepthOf(c.lives).Messages > waited+30 })
	} else {
		await(c.t, f.name+": snapshots all the same", func() bool { return c.stored() > c.had+100 })
	}
	took := time.Since(began)
	c.does(at, f.ends)
	c.come()
	c.t.Logf("%s: %s struck for %s; %d snapshots", f.name, farServers[at], took.Round(time.Second/10), c.stored())
}

// flaps cuts the way to the server that leads and mends it, so many times, as fast as anybody notices.
func (c *farCluster) flaps(times int) {
	c.t.Helper()
	at := c.target()
	for range times {
		c.does(at, farFaults[0].begins)
		had := c.stored()
		await(c.t, "items on disk, or none that wait", func() bool { return spool.DepthOf(c.lives).Messages > 0 || c.stored() > had+20 })
		c.does(at, farFaults[0].ends)
		await(c.t, "a snapshot between two cuts", func() bool { return c.stored() > had })
	}
	c.come()
}

// ends stops all when all is stored that was made, and returns how many items are missing, and how many were on the log twice.
func (c *farCluster) ends() (missing, twice int) {
	c.t.Helper()
	c.sampler.stop()
	made := reachedBy(c.t, filepath.Dir(c.lives), "beta")
	await(c.t, "all snapshots", func() bool { return c.stored() >= made })
	c.projector.stop()
	if c.stored() != made {
		c.t.Errorf("of %d snapshots %d are stored", made, c.stored())
	}
	missing, twice = count(c.t, c.db, `SELECT sum(missing) FROM producers`), count(c.t, c.db, `SELECT sum(duplicates) FROM producers`)
	c.t.Logf("%d snapshots; the sampler said:\n%s\nthe projector:\n%s", made, c.sampler.stderr(), c.projector.stderr())
	return missing, twice
}

var kindOfLine = regexp.MustCompile(` kind=(\S+)`)

// toldOnce checks that each trouble of a part has a line when it begins and one when it ends, and that there is no other line.
func toldOnce(t *testing.T, said string) (troubles int) {
	t.Helper()
	goesOn := map[string]bool{}
	for line := range strings.Lines(said) {
		m := kindOfLine.FindStringSubmatch(line)
		ends := strings.Contains(line, " took=")
		if m == nil || goesOn[m[1]] != ends {
			t.Errorf("a line that neither begins nor ends trouble: %s", line)
			continue
		}
		if goesOn[m[1]] = !ends; !ends {
			troubles++
		}
	}
	for kind, still := range goesOn {
		if still {
			t.Errorf("trouble of the kind %s does not end:\n%s", kind, said)
		}
	}
	return troubles
}

// TestCluster_WaysThatFail has the ways between three servers, a sampler and a projector fail, each on a host of its own: the server that leads is cut off, hears
// nothing, is heard by nobody, is cut off the others, with the sampler too, answers the sampler in vain, is slow, comes and goes. What is made meanwhile goes on to be stored by way
// of the others; in the end nothing is lost and nothing is twice on the log. Control: a publisher without ids.
func TestCluster_WaysThatFail(t *testing.T) {
	if !soak {
		t.Skip("SKIPPED: a campaign of make soak")
	}
	t.Run("as it is", func(t *testing.T) {
		t.Parallel()
		c := newFarCluster(t, proctape)
		for _, f := range farFaults {
			c.strikes(f)
		}
		c.flaps(10)
		missing, twice := c.ends()
		if missing != 0 || twice != 0 {
			t.Errorf("%d are missing, %d are on the log twice", missing, twice)
		}
		// A busy machine has a sampler miss ticks.
		if kinds := column(t, readOnly(t, c.db), `SELECT DISTINCT kind || ' ' || details FROM gaps WHERE kind NOT IN ('missed_ticks', 'silence')`); len(kinds) != 0 {
			t.Errorf("gaps are told: %q", kinds)
		}
		sampler, projector := toldOnce(t, c.sampler.stderr()), toldOnce(t, c.projector.stderr())
		if all := len(farFaults) + 10; sampler == 0 || sampler > all || projector > 2*all { // retention is a part of its own
			t.Errorf("the sampler told of %d troubles, the projector of %d, for %d faults", sampler, projector, all)
		}
	})
	t.Run("control", func(t *testing.T) {
		t.Parallel()
		c := newFarCluster(t, withoutIDs.program(t))
		c.strikes(farFaults[slices.IndexFunc(farFaults, func(f farFault) bool { return f.name == "answers the sampler in vain" })])
		if _, twice := c.ends(); twice == 0 {
			t.Error("what is published twice without ids is not seen")
		}
	})
}
