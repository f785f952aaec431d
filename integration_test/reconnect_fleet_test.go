package integration_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/producer/publish"
	"github.com/proctape/proctape/schema"
)

// manyHosts is so many publishers, each of a host of its own, over a connection of its own.
type manyHosts struct {
	t    *testing.T
	list []*publish.Publisher
}

// connectMany connects them.
func connectMany(t *testing.T, n int, url, data string, options ...nats.Option) *manyHosts {
	t.Helper()
	m := &manyHosts{t: t}
	key := must(embeddednats.LoadKey(filepath.Join(embeddednats.KeysDir(data), "admin.nk")))(t)
	ctx, cancel := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	t.Cleanup(func() { cancel(); ended.Wait() })
	for i := range n {
		nc := must(nats.Connect(url, slices.Concat(key.Options(), options)...))(t)
		t.Cleanup(nc.Close)
		p := must(publish.New(nc, publish.Config{Log: slog.New(slog.DiscardHandler), Drain: time.Nanosecond, MaxQueue: 1 << 20,
			Origin: publish.Origin{Host: fmt.Sprintf("many-%04d", i), BootID: "boot", Instance: schema.NewInstance()}}))(t)
		ended.Go(func() { _ = p.Run(ctx) })
		m.list = append(m.list, p)
	}
	return m
}

// offer has each publish a snapshot.
func (m *manyHosts) offer() {
	m.t.Helper()
	for _, p := range m.list {
		now := time.Now().UnixNano()
		if err := p.Offer(&schema.Message{Envelope: schema.Envelope{Kind: schema.KindSnapshot, Wall: now, Boot: now % int64(24*time.Hour)}, Snapshot: &schema.Snapshot{PressureLevel: "none"}}); err != nil {
			m.t.Fatal(err)
		}
	}
}

// acked is how many have so many acknowledged.
func (m *manyHosts) acked(each uint64) (n int) {
	for _, p := range m.list {
		if p.Stats().Acked >= each {
			n++
		}
	}
	return n
}

var peakLine = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// peakMiB is the most memory that a process had.
func peakMiB(t *testing.T, pid int) int {
	t.Helper()
	m := peakLine.FindSubmatch(must(os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)))(t))
	if m == nil {
		t.Fatal(errors.New("no VmHWM"))
	}
	return must(strconv.Atoi(string(m[1])))(t) / 1024
}

// TestReconnect_FiveThousand kills a recorder that five thousand hosts publish into, and starts it again: all come back, and what they made meanwhile is stored once.
func TestReconnect_FiveThousand(t *testing.T) {
	if !soak {
		t.Skip("SKIPPED: a campaign of make soak")
	}
	const hosts = 5000
	dir, at := t.TempDir(), fmt.Sprintf("127.0.0.1:%d", freePort(t))
	record := func() *process {
		return start(t, "up", "--data", dir, "--listen", at, "--interval", "1h", "--events", "proc-diff", "--no-ndjson")
	}
	recorder := record()
	recorder.awaitLine("In another terminal")
	began := time.Now()
	m := connectMany(t, hosts, "nats://"+at, dir, nats.MaxReconnects(-1), nats.ReconnectBufSize(-1), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}),
		nats.PingInterval(10*time.Second), nats.Timeout(5*time.Second), // as cmd/proctape has them
		nats.CustomReconnectDelay(func(n int) time.Duration { return rand.N(min(time.Second<<min(n, 8), 10*time.Second)) }))
	m.offer()
	await(t, "a snapshot of each host", func() bool { return m.acked(1) == hosts })
	t.Logf("%d hosts connected, and a snapshot of each was stored, in %s", hosts, time.Since(began).Round(time.Second/10))
	recorder.cmd.Process.Kill()
	recorder.wait()
	m.offer()
	recorder = record()
	recorder.awaitLine("In another terminal")
	began = time.Now()
	await(t, "half of the hosts", func() bool { return m.acked(2) >= hosts/2 })
	half := time.Since(began)
	await(t, "all hosts", func() bool { return m.acked(2) == hosts })
	all := time.Since(began)
	db := filepath.Join(dir, "monitor.db")
	const of = ` FROM producers p JOIN hosts h ON h.id = p.host_id WHERE h.name LIKE 'many-%'`
	await(t, "all in the database", func() bool { return count(t, db, `SELECT sum(stored)`+of) == 2*hosts })
	t.Logf("half of them published after %s, all after %s; the recorder had at most %d MiB", half.Round(time.Second/10), all.Round(time.Second/10), peakMiB(t, recorder.cmd.Process.Pid))
	if n := count(t, db, `SELECT sum(missing + duplicates)`+of); n != 0 {
		t.Errorf("%d snapshots are missing or on the log twice", n)
	}
	recorder.stop()
}
