package projector

import (
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/projector/retention"
	"github.com/proctape/proctape/schema"
)

const (
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour
)

// short are limits that a test reaches soon.
var short = retention.Settings{Policy: schema.Policy{FullResolution: 10 * time.Minute, Downsampled: time.Hour, Events: 3 * time.Hour}}

// world is a log on a server of its own, and what time it is.
type world struct {
	t   testing.TB
	dir string
	nc  *nats.Conn
	js  jetstream.JetStream

	mu     sync.Mutex
	server *embeddednats.Server
	now    retention.Reading // what retention's machine says

	sent []*schema.Message
	made map[*schema.Message]int64 // when, by the boot clock of retention's machine, which is right
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, dir: fastDir(t), made: map[*schema.Message]int64{}, now: retention.Reading{Wall: 1_700_000_000 * second, Boot: 1000 * second, BootID: "machine"}}
	w.startServer()
	t.Cleanup(w.stopServer)
	keys, err := embeddednats.LoadKeys(embeddednats.KeysDir(filepath.Join(w.dir, "server")))
	if err != nil {
		t.Fatal(err)
	}
	w.nc, err = nats.Connect("", append(keys.Admin.Options(), nats.InProcessServer(w), nats.MaxReconnects(-1),
		nats.ReconnectWait(20*time.Millisecond))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.nc.Close)
	if w.js, err = jetstream.New(w.nc, jetstream.WithPublishAsyncMaxPending(1024)); err != nil {
		t.Fatal(err)
	}
	if err := embeddednats.Declare(t.Context(), w.js, schema.Streams(schema.Policy{}, 1), true); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) startServer() {
	w.t.Helper()
	server, err := embeddednats.Start(w.t.Context(), embeddednats.Config{Dir: filepath.Join(w.dir, "server"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.server = server
}

func (w *world) stopServer() {
	if err := w.server.Close(); err != nil {
		w.t.Error(err)
	}
}

// InProcessConn is a connection to the server that now runs.
func (w *world) InProcessConn() (net.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.server.InProcessConn()
}

// pass lets time go by, on retention's machine and on the hosts.
func (w *world) pass(d int64, hosts ...*simHost) {
	w.mu.Lock()
	w.now.Wall += d
	w.now.Boot += d
	w.mu.Unlock()
	for _, h := range hosts {
		h.pass(d)
	}
}

// set changes what retention's machine says.
func (w *world) set(change func(*retention.Reading)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(&w.now)
}

func (w *world) clocks() (retention.Reading, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now, nil
}

// host is one whose clock agrees with the world's.
func (w *world) host(name string, procs ...schema.Process) *simHost {
	h := newHost(name)
	h.wall = w.now.Wall
	for _, p := range procs {
		h.start(p)
	}
	return h
}

// look is a snapshot, so long after the one before.
func (h *simHost) look(every int64) *schema.Message {
	h.pass(every - second)
	m := h.snapshot()
	m.Snapshot.Interval = every
	return m
}

// record lets the hosts live for a while, and returns what they recorded of it.
func (w *world) record(span, every int64, live func(*simHost), hosts ...*simHost) []*schema.Message {
	var made []*schema.Message
	for ; span > 0; span -= every {
		w.pass(every)
		for _, h := range hosts {
			live(h)
			m := h.look(every)
			w.made[m] = w.now.Boot
			made = append(made, m)
		}
	}
	return made
}

// run records and sends.
func (w *world) run(span, every int64, live func(*simHost), hosts ...*simHost) {
	w.t.Helper()
	w.publish(w.record(span, every, live, hosts...)...)
}

// publish sends messages and waits until the log has them.
func (w *world) publish(ms ...*schema.Message) {
	w.t.Helper()
	w.sent = append(w.sent, ms...)
	futures := make([]jetstream.PubAckFuture, len(ms))
	for i, m := range ms {
		payload, encoding, err := schema.Encode(nil, m)
		if err != nil {
			w.t.Fatal(err)
		}
		msg := nats.NewMsg(schema.Subject(m.Host, m.Kind))
		msg.Data = payload
		msg.Header.Set(nats.MsgIdHdr, m.ID())
		if encoding != "" {
			msg.Header.Set(schema.HeaderEncoding, encoding)
		}
		if m.Count() > 1 {
			msg.Header.Set(schema.HeaderItems, fmt.Sprint(m.Count()))
		}
		if futures[i], err = w.js.PublishMsgAsync(msg); err != nil {
			w.t.Fatal(err)
		}
	}
	for _, f := range futures {
		select {
		case <-f.Ok():
		case err := <-f.Err():
			w.t.Fatal(err)
		}
	}
}

// within are the messages that were made at most so long ago, and beyond those that were made longer ago.
func (w *world) within(age time.Duration) (within, beyond []*schema.Message) {
	for _, m := range w.sent {
		if w.now.Boot-w.made[m] <= int64(age) {
			within = append(within, m)
		} else {
			beyond = append(beyond, m)
		}
	}
	return within, beyond
}

// messages is how many messages a stream holds.
func (w *world) messages(stream string) int64 {
	w.t.Helper()
	return int64(w.state(stream).Msgs)
}

func (w *world) state(stream string) jetstream.StreamState {
	w.t.Helper()
	s, err := w.js.Stream(w.t.Context(), stream)
	if err != nil {
		w.t.Fatal(err)
	}
	return s.CachedInfo().State
}
