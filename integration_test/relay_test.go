package integration_test

import (
	"context"
	"database/sql"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/producer"
	"github.com/proctape/proctape/producer/lifecycle"
	"github.com/proctape/proctape/producer/publish"
	"github.com/proctape/proctape/projector"
	querylive "github.com/proctape/proctape/query/live"
	"github.com/proctape/proctape/schema"
)

// relay is a server and its clients, all in this process, whose connections can be cut: a sampler shares one with a
// publisher of numbered snapshots, a projector and a reader of these snapshots have one each.
type relay struct {
	t         *testing.T
	js        jetstream.JetStream // over a connection that is not cut
	lines     []*line
	sampler   *producer.Producer
	publisher *publish.Publisher
	db        *sql.DB // the projector's, to look into
	restarts  restarts
	ends      []func() error // of all that was started, in that order

	reconnects int
	consumer   string // the reader's, when all was last at rest
	offered    uint64 // snapshots; the publisher numbers them from 1 on

	mu   sync.Mutex
	read []uint64 // the numbers that the reader got
}

// relayHost is whose snapshots the publisher's are.
const relayHost = "relay"

// startRelay starts all and waits until the first snapshot is through.
func startRelay(t *testing.T) *relay {
	t.Helper()
	r := &relay{t: t}
	dir := quickDir(t)
	t.Cleanup(r.stop)
	server := must(embeddednats.Start(t.Context(), embeddednats.Config{Dir: dir, Listen: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)}))(t)
	r.ends = append(r.ends, server.Close)
	key := must(embeddednats.LoadKeys(embeddednats.KeysDir(dir)))(t).Admin
	r.js = r.jetStream(must(server.Connect())(t))
	if err := embeddednats.Declare(t.Context(), r.js, schema.Streams(schema.Policy{}, 1), true); err != nil {
		t.Fatal(err)
	}
	r.startReader(local(t, dir, key))
	r.startProjector(local(t, dir, key), dir)
	r.startSampler(remote(t, server.URL(), key))
	r.offer()
	r.untilThrough()
	r.until("sample", func() bool { return r.sampler.Stats().Acked > 0 })
	return r
}

func (r *relay) startReader(l *line) {
	r.t.Helper()
	r.lines = append(r.lines, l)
	js := r.jetStream(l.nc)
	r.run(func(ctx context.Context) error {
		filter := querylive.Filter{Stream: schema.StreamSnapshots, Host: relayHost, Since: time.Unix(1, 0)}
		return querylive.Follow(ctx, js, filter, r.receive, func(subject string, err error) { r.t.Errorf("%s: %v", subject, err) })
	})
}

func (r *relay) startProjector(l *line, dir string) {
	r.t.Helper()
	r.lines = append(r.lines, l)
	path := filepath.Join(dir, "monitor.db")
	const always = 1 // byte, from which a file is rotated
	p := must(projector.Open(r.t.Context(), r.jetStream(l.nc), projector.Config{DB: path, NDJSON: dir, FileLimit: always, Log: slog.New(&r.restarts)}))(r.t)
	r.run(p.Run)
	r.db = must(sql.Open("sqlite", schema.ReaderDSN(path)))(r.t)
	r.ends = append(r.ends, r.db.Close)
}

func (r *relay) startSampler(l *line) {
	r.t.Helper()
	r.lines = append(r.lines, l)
	r.closeAtEnd(l.nc)
	log := slog.New(slog.DiscardHandler)
	r.publisher = must(publish.New(l.nc, publish.Config{Log: log,
		Origin: publish.Origin{Host: relayHost, BootID: "boot", Instance: schema.NewInstance()}}))(r.t)
	r.sampler = must(producer.New(l.nc, producer.Config{Host: "sampled", Interval: 100 * time.Millisecond, Log: log,
		// The other ways to see processes wait with a descriptor that comes and goes.
		Events: []lifecycle.SourceKind{lifecycle.KindDiff}}))(r.t)
	r.run(r.publisher.Run)
	r.run(r.sampler.Run)
}

func (r *relay) jetStream(nc *nats.Conn) jetstream.JetStream {
	r.t.Helper()
	r.closeAtEnd(nc)
	return must(jetstream.New(nc))(r.t)
}

func (r *relay) closeAtEnd(nc *nats.Conn) {
	r.ends = append(r.ends, func() error {
		nc.Close()
		return nil
	})
}

// run runs a part until the end.
func (r *relay) run(part func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- part(ctx) }()
	r.ends = append(r.ends, func() error {
		cancel()
		return <-ended
	})
}

// stop ends all that was started, the sources first.
func (r *relay) stop() {
	for _, end := range slices.Backward(r.ends) {
		if err := end(); err != nil {
			r.t.Error(err)
		}
	}
	r.ends = nil
}

// restarts is a projector's log. It counts how often the projector began anew.
type restarts struct {
	slog.Handler // nil: the projector asks for no more than what follows
	n            atomic.Int64
}

func (*restarts) Enabled(context.Context, slog.Level) bool { return true }

func (r *restarts) Handle(_ context.Context, record slog.Record) error {
	if record.Message == "projection stopped, trying again" {
		r.n.Add(1)
	}
	return nil
}

// offer has the publisher publish a snapshot.
func (r *relay) offer() {
	r.t.Helper()
	wall := time.Now().UnixNano()
	if err := r.publisher.Offer(&schema.Message{Envelope: schema.Envelope{Kind: schema.KindSnapshot, Wall: wall, Boot: wall % int64(24*time.Hour)},
		Snapshot: &schema.Snapshot{PressureLevel: "none"}}); err != nil {
		r.t.Fatal(err)
	}
	r.offered++
}

// receive takes in what the reader gets.
func (r *relay) receive(m *schema.Message, _ uint64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.read = append(r.read, m.Seq)
	return nil
}

func (r *relay) received() []uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.read)
}
