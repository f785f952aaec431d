package live_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/query/live"
	"github.com/proctape/proctape/schema"
)

// patience is how long a test waits for what must come; it comes much sooner.
const patience = 5 * time.Minute

// testLog is a log on a server of its own, and a connection through the server's socket, which comes back by itself when
// the server does.
type testLog struct {
	t        *testing.T
	dir      string
	server   *embeddednats.Server
	js       jetstream.JetStream
	instance schema.Instance
}

func newLog(t *testing.T) *testLog {
	t.Helper()
	l := &testLog{t: t, dir: t.TempDir(), instance: schema.NewInstance()}
	l.start()
	key, err := embeddednats.LoadKey(filepath.Join(embeddednats.KeysDir(l.dir), "admin.nk"))
	if err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect("", append(key.Options(), nats.InProcessServer(embeddednats.Socket(embeddednats.SocketPath(l.dir))),
		nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond), nats.ReconnectBufSize(-1))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		nc.Close()
		l.stop()
	})
	if l.js, err = jetstream.New(nc); err != nil {
		t.Fatal(err)
	}
	if err := embeddednats.Declare(t.Context(), l.js, schema.Streams(schema.Policy{}, 1), true); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *testLog) start() {
	l.t.Helper()
	var err error
	if l.server, err = embeddednats.Start(l.t.Context(), embeddednats.Config{Dir: l.dir, Log: slog.New(slog.DiscardHandler)}); err != nil {
		l.t.Fatal(err)
	}
}

func (l *testLog) stop() {
	if l.server == nil {
		return
	}
	if err := l.server.Close(); err != nil {
		l.t.Errorf("close the server: %v", err)
	}
	l.server = nil
}

// message is a message of a host with a number.
func (l *testLog) message(host string, kind schema.Kind, seq uint64) *schema.Message {
	m := &schema.Message{Envelope: schema.Envelope{Version: schema.Version, Kind: kind, Host: host, BootID: "boot-1", Instance: l.instance,
		Seq: seq, Wall: time.Now().UnixNano(), Boot: 1e9, Produced: seq}}
	if kind == schema.KindSnapshot {
		m.Snapshot = &schema.Snapshot{PressureLevel: "none"}
	} else {
		m.Events = []schema.Event{{Wall: m.Wall, PID: 42, Source: "proc-diff"}}
	}
	return m
}

// publish publishes messages of a host, numbered from first to last, until the server has them all. It tries again
// while the server is away.
func (l *testLog) publish(host string, kind schema.Kind, first, last uint64) {
	for seq := first; seq <= last; seq++ {
		payload, encoding, err := schema.Encode(nil, l.message(host, kind, seq))
		if err != nil {
			l.t.Error(err)
			return
		}
		msg := nats.NewMsg(schema.Subject(host, kind))
		msg.Data = payload
		msg.Header.Set(schema.HeaderType, schema.TypeMsgpack)
		if encoding != "" {
			msg.Header.Set(schema.HeaderEncoding, encoding)
		}
		l.publishMsg(msg)
	}
}

func (l *testLog) publishMsg(msg *nats.Msg) {
	for deadline := time.Now().Add(patience); ; {
		_, err := l.js.PublishMsg(l.t.Context(), msg, jetstream.WithRetryAttempts(0))
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			l.t.Errorf("publish on %s: %v", msg.Subject, err)
			return
		}
	}
}

// follower is a Follow that runs, and what it has seen.
type follower struct {
	t       *testing.T
	cancel  context.CancelFunc
	result  chan error
	block   chan struct{} // when not nil, the handler waits for it
	mu      sync.Mutex
	more    *sync.Cond
	ended   bool
	seen    []string // host and kind
	numbers []uint64
	skipped []string
}

func (l *testLog) follow(filter live.Filter, block chan struct{}) *follower {
	l.t.Helper()
	ctx, cancel := context.WithCancel(l.t.Context())
	f := &follower{t: l.t, cancel: cancel, result: make(chan error, 1), block: block}
	f.more = sync.NewCond(&f.mu)
	go func() {
		err := live.Follow(ctx, l.js, filter, f.handle, func(subject string, _ error) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.skipped = append(f.skipped, subject)
		})
		f.mu.Lock()
		defer f.mu.Unlock()
		f.ended = true
		f.more.Broadcast()
		f.result <- err
	}()
	return f
}

func (f *follower) handle(m *schema.Message, _ uint64) error {
	if f.block != nil {
		<-f.block
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen = append(f.seen, m.Host+" "+string(m.Kind))
	f.numbers = append(f.numbers, m.Seq)
	f.more.Broadcast()
	return nil
}

// await waits until the follower has seen n messages.
func (f *follower) await(n int) {
	f.t.Helper()
	late := time.AfterFunc(patience, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.more.Broadcast()
	})
	defer late.Stop()
	deadline := time.Now().Add(patience)
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.numbers) < n && !f.ended && time.Now().Before(deadline) {
		f.more.Wait()
	}
	switch {
	case len(f.numbers) >= n:
	case f.ended:
		f.t.Fatalf("it ended with %v after %d messages, want %d", <-f.result, len(f.numbers), n)
	default:
		f.t.Fatalf("got %d messages, want %d; passed over: %d", len(f.numbers), n, len(f.skipped))
	}
}

// end cancels the follower, and returns what Follow returned.
func (f *follower) end() error {
	f.t.Helper()
	f.cancel()
	select {
	case err := <-f.result:
		return err
	case <-time.After(patience):
		f.t.Fatal("it goes on after its context ended")
		return nil
	}
}

// wantAll checks that the follower has seen the numbers from first to last, each once and in order.
func (f *follower) wantAll(first, last uint64) {
	f.t.Helper()
	f.await(int(last - first + 1))
	if err := f.end(); err != nil {
		f.t.Errorf("got %v, want nil: it was cancelled", err)
	}
	var want []uint64
	for n := first; n <= last; n++ {
		want = append(want, n)
	}
	if !slices.Equal(f.numbers, want) {
		f.t.Errorf("got %d messages %v, want %d to %d, each once and in order", len(f.numbers), f.numbers, first, last)
	}
}

// longAgo is before everything in a test's log.
var longAgo = time.Unix(1, 0)

func TestFollow_BackfillThenLive(t *testing.T) {
	l := newLog(t)
	l.publish("alpha", schema.KindSnapshot, 1, 50)
	var publisher sync.WaitGroup
	publisher.Go(func() { l.publish("alpha", schema.KindSnapshot, 51, 150) })
	f := l.follow(live.Filter{Stream: schema.StreamSnapshots, Since: longAgo}, nil)
	publisher.Wait()
	f.wantAll(1, 150)
}

func TestFollow_FromNowOn(t *testing.T) {
	l := newLog(t)
	l.publish("alpha", schema.KindSnapshot, 1, 3)
	f := l.follow(live.Filter{Stream: schema.StreamSnapshots}, nil)
	l.awaitReader(schema.StreamSnapshots)
	l.publish("alpha", schema.KindSnapshot, 4, 6)
	f.wantAll(4, 6)
}

// awaitReader waits until a stream has a reader that waits for what comes.
func (l *testLog) awaitReader(stream string) {
	l.t.Helper()
	s, err := l.js.Stream(l.t.Context(), stream)
	if err != nil {
		l.t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		for reader := range s.ListConsumers(l.t.Context()).Info() {
			if reader.NumWaiting > 0 {
				return
			}
		}
	}
	l.t.Fatalf("nobody reads the stream %s", stream)
}

func TestFollow_SlowReaderDelaysNobody(t *testing.T) {
	l := newLog(t)
	filter := live.Filter{Stream: schema.StreamSnapshots, Since: longAgo}
	release := make(chan struct{})
	blocked := l.follow(filter, release)
	var others []*follower
	for range 3 {
		others = append(others, l.follow(filter, nil))
	}
	l.publish("alpha", schema.KindSnapshot, 1, 100)
	for _, f := range others {
		f.wantAll(1, 100)
	}
	close(release)
	blocked.wantAll(1, 100)
}

func TestFollow_HostFilter(t *testing.T) {
	l := newLog(t)
	for _, host := range []string{"alpha", "alpha-2", "beta"} {
		l.publish(host, schema.KindSnapshot, 1, 2)
		l.publish(host, schema.KindSpawn, 1, 1)
		l.publish(host, schema.KindExit, 1, 1)
	}
	for stream, want := range map[string][]string{
		schema.StreamSnapshots: {"alpha snapshot", "alpha snapshot"},
		schema.StreamEvents:    {"alpha event.spawn", "alpha event.exit"},
	} {
		t.Run(stream, func(t *testing.T) {
			f := l.follow(live.Filter{Stream: stream, Since: longAgo, Host: "alpha"}, nil)
			f.await(len(want))
			if err := f.end(); err != nil {
				t.Error(err)
			}
			if !slices.Equal(f.seen, want) {
				t.Errorf("got %v, want %v", f.seen, want)
			}
		})
	}
}

// TestFollow_Direct follows without a reader on the server: what was, from the middle on, and what comes, of one host or of
// all, also when the server was away meanwhile.
func TestFollow_Direct(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	l := newLog(t)
	l.publish("alpha", schema.KindSnapshot, 1, 7)
	stream, err := l.js.Stream(t.Context(), schema.StreamSnapshots)
	if err != nil {
		t.Fatal(err)
	}
	fifth, err := stream.GetMsg(t.Context(), 5)
	if err != nil {
		t.Fatal(err)
	}
	l.publish("beta", schema.KindSnapshot, 1, 3)
	all := l.follow(live.Filter{Stream: schema.StreamSnapshots, Since: longAgo, Host: "alpha", Direct: true}, nil)
	middle := l.follow(live.Filter{Stream: schema.StreamSnapshots, Since: fifth.Time, Host: "alpha", Direct: true}, nil)
	both := l.follow(live.Filter{Stream: schema.StreamSnapshots, Since: longAgo, Direct: true}, nil)
	all.await(7)
	middle.await(3)
	both.await(10)
	l.stop()
	l.start()
	l.publish("alpha", schema.KindSnapshot, 8, 20)
	all.wantAll(1, 20)
	middle.wantAll(5, 20)
	both.await(23)
	if err := both.end(); err != nil {
		t.Error(err)
	}
	if n := stream.CachedInfo().State.Consumers; n != 0 {
		t.Errorf("%d readers are on the server, want none", n)
	}
	full := errors.New("disk full")
	err = live.Follow(t.Context(), l.js, live.Filter{Stream: schema.StreamSnapshots, Since: longAgo, Direct: true},
		func(*schema.Message, uint64) error { return full }, nil)
	if !errors.Is(err, full) {
		t.Errorf("got %v, want the handler's error", err)
	}
	if err := live.Follow(t.Context(), l.js, live.Filter{Stream: "OTHER", Direct: true}, nil, nil); !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Errorf("got %v, want %v", err, jetstream.ErrStreamNotFound)
	}
}

func TestFollow_PassesOverWhatItCannotRead(t *testing.T) {
	l := newLog(t)
	bad := func(contentType string, data string) {
		msg := nats.NewMsg(schema.Subject("alpha", schema.KindSnapshot))
		msg.Data = []byte(data)
		msg.Header.Set(schema.HeaderType, contentType)
		l.publishMsg(msg)
	}
	l.publish("alpha", schema.KindSnapshot, 1, 1)
	bad(schema.TypeMsgpack, "garbage")
	bad("text/plain", "hello")
	bad(schema.TypeJSON, `{"v":99}`)
	bad("", "")
	l.publish("alpha", schema.KindSnapshot, 2, 3)
	f := l.follow(live.Filter{Stream: schema.StreamSnapshots, Since: longAgo}, nil)
	f.wantAll(1, 3)
	if want := slices.Repeat([]string{"proctape.v1.alpha.snapshot"}, 4); !slices.Equal(f.skipped, want) {
		t.Errorf("got %q passed over, want %q", f.skipped, want)
	}
}

func TestFollow_EndsWithItsContext(t *testing.T) {
	l := newLog(t)
	t.Run("while it waits", func(t *testing.T) {
		f := l.follow(live.Filter{Stream: schema.StreamSnapshots}, nil)
		l.awaitReader(schema.StreamSnapshots)
		if err := f.end(); err != nil {
			t.Errorf("got %v, want nil", err)
		}
	})
	t.Run("before it starts", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := live.Follow(ctx, l.js, live.Filter{Stream: schema.StreamSnapshots}, nil, nil); err != nil {
			t.Errorf("got %v, want nil", err)
		}
	})
	t.Run("while the server is away", func(t *testing.T) {
		f := l.follow(live.Filter{Stream: schema.StreamSnapshots, Since: longAgo}, nil)
		l.publish("alpha", schema.KindSnapshot, 1, 1)
		f.await(1)
		l.stop()
		began := time.Now()
		if err := f.end(); err != nil {
			t.Errorf("got %v, want nil", err)
		}
		if took := time.Since(began); took >= 5*time.Second { // as long as a request may take
			t.Errorf("it took %s to end, want it at once", took)
		}
	})
}

func TestFollow_EndsWithItsHandler(t *testing.T) {
	l := newLog(t)
	l.publish("alpha", schema.KindSnapshot, 1, 2)
	full := errors.New("disk full")
	err := live.Follow(t.Context(), l.js, live.Filter{Stream: schema.StreamSnapshots, Since: longAgo},
		func(*schema.Message, uint64) error { return full }, nil)
	if !errors.Is(err, full) {
		t.Errorf("got %v, want the handler's error", err)
	}
}

func TestFollow_NoSuchStream(t *testing.T) {
	l := newLog(t)
	err := live.Follow(t.Context(), l.js, live.Filter{Stream: "OTHER"}, nil, nil)
	if !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Errorf("got %v, want %v", err, jetstream.ErrStreamNotFound)
	}
}

// While the server was away, or came back and the reader had not yet, messages came: it gets them all.
func TestFollow_GoesOnAfterARestart(t *testing.T) {
	for name, c := range map[string]struct {
		filter live.Filter
		before uint64 // messages that it sees before the restart
	}{
		"with a backfill":               {live.Filter{Stream: schema.StreamSnapshots, Since: longAgo}, 5},
		"from now on":                   {live.Filter{Stream: schema.StreamSnapshots}, 5},
		"from now on, and nothing came": {live.Filter{Stream: schema.StreamSnapshots}, 0},
		"of one host":                   {live.Filter{Stream: schema.StreamSnapshots, Host: "alpha"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLog(t)
			f := l.follow(c.filter, nil)
			l.awaitReader(schema.StreamSnapshots)
			l.publish("alpha", schema.KindSnapshot, 1, c.before)
			f.await(int(c.before))
			l.stop()
			l.start()
			l.publish("alpha", schema.KindSnapshot, c.before+1, c.before+20)
			f.wantAll(1, c.before+20)
		})
	}
}
