package projector

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/schema"
)

const (
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour
)

// short are limits that a test reaches soon.
var short = Retention{Policy: schema.Policy{FullResolution: 10 * time.Minute, Downsampled: time.Hour, Events: 3 * time.Hour}}

// world is a log on a server of its own, and what time it is.
type world struct {
	t   testing.TB
	dir string
	nc  *nats.Conn
	js  jetstream.JetStream

	mu     sync.Mutex
	server *embeddednats.Server
	now    reading // what retention's machine says

	sent []*schema.Message
	made map[*schema.Message]int64 // when, by the boot clock of retention's machine, which is right
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, dir: fastDir(t), made: map[*schema.Message]int64{}, now: reading{wall: 1_700_000_000 * second, boot: 1000 * second, bootID: "machine"}}
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
	w.now.wall += d
	w.now.boot += d
	w.mu.Unlock()
	for _, h := range hosts {
		h.pass(d)
	}
}

// set changes what retention's machine says.
func (w *world) set(change func(*reading)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(&w.now)
}

func (w *world) clocks() (reading, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now, nil
}

// host is one whose clock agrees with the world's.
func (w *world) host(name string, procs ...schema.Process) *simHost {
	h := newHost(name)
	h.wall = w.now.wall
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
			w.made[m] = w.now.boot
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
		if w.now.boot-w.made[m] <= int64(age) {
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

// database is one that a projector writes, with a retention that passes when it is told to.
type database struct {
	w    *world
	path string
	p    *Projector
	r    *retention
	stop func()
}

func (w *world) open(name string, cfg Retention) *database {
	w.t.Helper()
	d := &database{w: w, path: filepath.Join(w.dir, name+".db")}
	quiet := slog.New(slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	var err error
	if d.p, err = Open(w.t.Context(), w.js, Config{DB: d.path, Log: quiet}); err != nil {
		w.t.Fatal(err)
	}
	s := d.p.first
	if d.r, err = newRetention(w.js, Config{DB: d.path, Retention: &cfg, Log: quiet, now: w.clocks}); err != nil {
		w.t.Fatal(err)
	}
	d.r.s, d.r.id = s, s.fold.db.id
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.p.Run(ctx) }()
	d.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("the projector of %s: %v", name, err)
		}
		if err := d.r.db.Close(); err != nil {
			w.t.Error(err)
		}
	})
	w.t.Cleanup(d.stop)
	return d
}

// settle waits until the database has folded what the log holds.
func (d *database) settle() {
	d.w.t.Helper()
	ctx, cancel := context.WithTimeout(d.w.t.Context(), time.Minute)
	defer cancel()
	if err := d.r.waitFolded(ctx, nil); err != nil {
		d.w.t.Errorf("the database does not come to the end of the log: %v; it is at %v", err, d.p.Positions())
		for _, name := range schema.DataStreams {
			stream, err := d.w.js.Stream(d.w.t.Context(), name)
			if err != nil {
				d.w.t.Fatal(err)
			}
			for info := range stream.ListConsumers(d.w.t.Context()).Info() {
				d.w.t.Errorf("stream %s %+v, consumer %+v", name, stream.CachedInfo().State, info)
			}
		}
		d.w.t.FailNow()
	}
}

// retain makes a pass.
func (d *database) retain() Removed {
	d.w.t.Helper()
	removed, err := d.tryRetain()
	if err != nil {
		d.w.t.Fatalf("pass: %v", err)
	}
	return removed
}

func (d *database) tryRetain() (Removed, error) {
	ctx, cancel := context.WithTimeout(d.w.t.Context(), time.Minute)
	defer cancel()
	pass, err := d.r.pass(ctx, "test")
	return pass.Removed, err
}

// plan makes a dry run. It leaves out what cannot be told without doing it: what of the log and of the file goes with
// the rows.
func (d *database) plan() Removed {
	d.w.t.Helper()
	ctx, cancel := context.WithTimeout(d.w.t.Context(), 20*time.Second)
	defer cancel()
	cfg := d.r.cfg
	removed, err := PlanRetention(ctx, d.w.js, Config{DB: d.path, Retention: &cfg, now: d.w.clocks,
		Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		d.w.t.Fatal(err)
	}
	return rowsOnly(removed)
}

func rowsOnly(r Removed) Removed {
	r.Messages, r.Bytes = 0, 0
	return r
}

// rows returns what a query answers, one row a string.
func (d *database) rows(query string, args ...any) []string {
	d.w.t.Helper()
	return rowsOf(d.w.t, d.r.db, query, args...)
}

// count returns a query's one number.
func (d *database) count(query string, args ...any) (n int64) {
	d.w.t.Helper()
	if err := d.r.db.QueryRow(query, args...).Scan(&n); err != nil {
		d.w.t.Fatalf("%s: %v", query, err)
	}
	return n
}

func rowsOf(t testing.TB, db *sql.DB, query string, args ...any) (out []string) {
	t.Helper()
	rows, err := db.Query(query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		values, pointers := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			pointers[i] = &values[i]
		}
		if err := rows.Scan(pointers...); err != nil {
			t.Fatal(err)
		}
		cells := make([]string, len(values))
		for i, v := range values {
			cells[i] = fmt.Sprint(v)
		}
		out = append(out, strings.Join(cells, " "))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// replay folds the log into a new database and ends.
func (w *world) replay(name string) *sql.DB {
	w.t.Helper()
	path := filepath.Join(w.dir, name+".db")
	p, err := Open(w.t.Context(), w.js, Config{DB: path, Once: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := p.Run(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	db, err := openReader(path)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { db.Close() })
	return db
}

func openReader(path string) (*sql.DB, error) { return sql.Open("sqlite", schema.ReaderDSN(path)) }
