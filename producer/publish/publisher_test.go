package publish

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"pgregory.net/rapid"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/embedded-nats/logtest"
	"github.com/proctape/proctape/schema"
)

var testOrigin = Origin{Host: "h", BootID: "b", Instance: schema.Instance{0xab, 15: 0xcd}}

const testInstance = "ab0000000000000000000000000000cd"

func newPublisher(t *testing.T, nc *nats.Conn, cfg Config) *Publisher {
	t.Helper()
	cfg.Origin = testOrigin
	cfg.Log = logTo(t)
	cfg.Drain = cmp.Or(cfg.Drain, testTimeout)
	p, err := New(nc, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// snapshot is a message of a snapshot with so many bytes of commands that no compression makes shorter.
func snapshot(size int) *schema.Message {
	const alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/"
	s := &schema.Snapshot{Interval: int64(time.Second), Tick: 1, PressureLevel: "none"}
	noise := rand.New(rand.NewPCG(1, 2))
	for size > 0 {
		b := make([]byte, min(size, 4000))
		for i := range b {
			b[i] = alphabet[noise.IntN(len(alphabet))]
		}
		size -= len(b)
		s.Processes.Append(&schema.Process{PID: s.Processes.Len() + 1, State: "S", Command: string(b)})
	}
	return &schema.Message{Envelope: schema.Envelope{Kind: schema.KindSnapshot, Wall: 1, Boot: 1}, Snapshot: s}
}

// events is a message of n events.
func events(kind schema.Kind, n int) *schema.Message {
	m := &schema.Message{Envelope: schema.Envelope{Kind: kind, Wall: 1, Boot: 1}}
	for i := range n {
		m.Events = append(m.Events, schema.Event{Wall: 1, PID: i + 1, Source: "test"})
	}
	return m
}

func offer(t *testing.T, p *Publisher, msgs ...*schema.Message) {
	t.Helper()
	for _, m := range msgs {
		if err := p.Offer(m); err != nil {
			t.Fatal(err)
		}
	}
}

// runToEnd publishes what waits, as a producer does that is stopped.
func runToEnd(t *testing.T, p *Publisher) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Run(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestPublisher_NumbersEachKind(t *testing.T) {
	nc := logtest.Serve(t)
	p := newPublisher(t, nc, Config{})
	offer(t, p,
		snapshot(10), events(schema.KindSpawn, 3), snapshot(300<<10), events(schema.KindExit, 1),
		events(schema.KindSpawn, 1), events(schema.KindSpawn, 512), events(schema.KindSpawn, 2))
	runToEnd(t, p)

	type message struct{ subject, id, items, encoding string }
	want := map[string][]message{
		schema.StreamSnapshots: {
			{"proctape.v1.h.snapshot", testInstance + ".snapshot.1", "", ""},
			{"proctape.v1.h.snapshot", testInstance + ".snapshot.2", "", "s2"},
		},
		schema.StreamEvents: {
			{"proctape.v1.h.event.spawn", testInstance + ".event.spawn.1", "3", ""},
			{"proctape.v1.h.event.exit", testInstance + ".event.exit.1", "", ""},
			{"proctape.v1.h.event.spawn", testInstance + ".event.spawn.4", "", ""},
			{"proctape.v1.h.event.spawn", testInstance + ".event.spawn.5", "512", ""},
			{"proctape.v1.h.event.spawn", testInstance + ".event.spawn.517", "2", ""},
		},
	}
	produced := map[string][]uint64{schema.StreamSnapshots: {1, 5}, schema.StreamEvents: {4, 6, 7, 519, 521}}
	for stream, want := range want {
		var got []message
		for i, raw := range logtest.Stored(t, nc, stream) {
			got = append(got, message{raw.Subject, raw.Header.Get(nats.MsgIdHdr), raw.Header.Get(schema.HeaderItems), raw.Header.Get(schema.HeaderEncoding)})
			m := logtest.Decode(t, raw.Header, raw.Data)
			if m.ID() != got[i].id {
				t.Errorf("%s %d: message's id is %s, header says %s", stream, i, m.ID(), got[i].id)
			}
			if m.Host != "h" || m.BootID != "b" || m.Produced != produced[stream][i] || len(m.Dropped) != 0 {
				t.Errorf("%s %d: got envelope %+v, want %d produced and nothing dropped", stream, i, m.Envelope, produced[stream][i])
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", stream, got, want)
		}
	}
	if got, want := p.Stats(), (Stats{Produced: 521, Acked: 521}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestPublisher_InvalidMessageIsNotNumbered(t *testing.T) {
	p := newPublisher(t, logtest.Serve(t), Config{})
	invalid := map[string]*schema.Message{
		"no body":           {Envelope: schema.Envelope{Kind: schema.KindSnapshot, Wall: 1}},
		"another's body":    {Envelope: schema.Envelope{Kind: schema.KindSnapshot, Wall: 1}, Events: events(schema.KindSpawn, 1).Events},
		"no kind":           {Envelope: schema.Envelope{Wall: 1}, Snapshot: snapshot(1).Snapshot},
		"no event":          events(schema.KindSpawn, 0),
		"too many events":   events(schema.KindSpawn, schema.MaxEvents+1),
		"text with NUL":     {Envelope: schema.Envelope{Kind: schema.KindExit, Wall: 1}, Events: []schema.Event{{Wall: 1, Command: "a\x00"}}},
		"text not in UTF-8": {Envelope: schema.Envelope{Kind: schema.KindExit, Wall: 1}, Events: []schema.Event{{Wall: 1, Command: "\xff"}}},
	}
	for name, m := range invalid {
		if err := p.Offer(m); err == nil || !strings.HasPrefix(err.Error(), "encode ") {
			t.Errorf("%s: got %v, want an encode error", name, err)
		}
	}
	if got, want := p.Stats(), (Stats{}); got != want {
		t.Errorf("after invalid messages: got %+v, want %+v", got, want)
	}
	for _, m := range []*schema.Message{snapshot(1), events(schema.KindSpawn, 1), events(schema.KindExit, 1)} {
		offer(t, p, m)
		if m.Seq != 1 {
			t.Errorf("%s: got number %d, want 1", m.Kind, m.Seq)
		}
	}
}

// received is what one kind's messages of a stream say: their first numbers, how many items were jumped over, and
// the drops that the last one knows of.
type received struct {
	seqs    []uint64
	jumped  uint64
	dropped []schema.Drop
}

func receive(t *testing.T, nc *nats.Conn) map[schema.Kind]received {
	t.Helper()
	got := map[schema.Kind]received{}
	next := map[schema.Kind]uint64{}
	for _, stream := range []string{schema.StreamSnapshots, schema.StreamEvents} {
		for _, raw := range logtest.Stored(t, nc, stream) {
			m := logtest.Decode(t, raw.Header, raw.Data)
			if m.Seq <= next[m.Kind] {
				t.Errorf("%s %d came after %d", m.Kind, m.Seq, next[m.Kind])
				continue
			}
			r := got[m.Kind]
			r.seqs = append(r.seqs, m.Seq)
			r.jumped += m.Seq - next[m.Kind] - 1
			r.dropped = m.Dropped
			next[m.Kind] = m.Seq + m.Count() - 1
			got[m.Kind] = r
		}
	}
	return got
}

// The server goes away twice while messages are published, and comes back on the same store.
func TestPublisher_KeepsAllInOrderThroughRestarts(t *testing.T) {
	dir := t.TempDir()
	s := logtest.Start(t, dir)
	nc := logtest.Connect(t, dir)
	logtest.Declare(t, nc)
	p := newPublisher(t, nc, Config{})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()

	const rounds, perRound = 3, 150
	offered := map[schema.Kind][]uint64{}
	for round := range rounds {
		watcher, err := s.Connect()
		if err != nil {
			t.Fatal(err)
		}
		seen := logtest.Subscribe(t, watcher)
		for i := range perRound {
			for _, m := range []*schema.Message{snapshot(100), events(schema.KindSpawn, 1+i%5), events(schema.KindExit, 1+i%3)} {
				offer(t, p, m)
				offered[m.Kind] = append(offered[m.Kind], m.Seq)
			}
		}
		if round == rounds-1 {
			watcher.Close()
			break
		}
		for range 150 + 100*round { // fewer than were offered: it goes away in the middle
			select {
			case <-seen:
			case <-time.After(testTimeout):
				t.Fatalf("round %d: no more messages", round)
			}
		}
		watcher.Close()
		logtest.Close(t, s)
		s = logtest.Start(t, dir)
	}
	defer func() { logtest.Close(t, s) }()
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	got := receive(t, nc)
	for kind, want := range offered {
		if !slices.Equal(got[kind].seqs, want) {
			t.Errorf("%s: got %d numbers that are not the %d offered, or not in their order", kind, len(got[kind].seqs), len(want))
		}
	}
	if st := p.Stats(); st.Acked != st.Produced || st.Dropped != 0 || st.Waiting != 0 {
		t.Errorf("got %+v, want all acknowledged", st)
	}
	nc.Close()
}

// A stream that appears while messages are published takes them in their order: none that it refused before is
// overtaken.
func TestPublisher_KeepsOrderWhenTheStreamComesLate(t *testing.T) {
	dir := t.TempDir()
	s := logtest.Start(t, dir)
	defer logtest.Close(t, s)
	nc := logtest.Connect(t, dir)
	p := newPublisher(t, nc, Config{})
	for range 2 * window {
		offer(t, p, events(schema.KindSpawn, 1))
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	logtest.Declare(t, nc)
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	got := receive(t, nc)[schema.KindSpawn]
	if len(got.seqs) != 2*window || got.jumped != 0 {
		t.Errorf("got %d messages, %d jumped over, want %d and none", len(got.seqs), got.jumped, 2*window)
	}
}

// unreachable is a connection whose server never was.
func unreachable(t *testing.T) *nats.Conn {
	t.Helper()
	return logtest.Connect(t, t.TempDir())
}

func TestPublisher_FullQueueLosesSnapshotsFirst(t *testing.T) {
	dir := t.TempDir()
	nc := logtest.Connect(t, dir)
	size := func(m *schema.Message) int {
		p := newPublisher(t, nc, Config{})
		offer(t, p, m)
		return p.queue.size
	}
	first := events(schema.KindSpawn, 3)
	first.Events[0].Details = strings.Repeat("x", 1100)
	long := events(schema.KindSpawn, 3)
	long.Events[0].Details = strings.Repeat("x", 4000)
	last := events(schema.KindSpawn, 20)
	last.Events[0].Details = strings.Repeat("x", 1500)
	// Room for six snapshots of 1000 bytes, or what is as large. The drop counts take a few bytes too.
	p := newPublisher(t, nc, Config{MaxQueue: 6*size(snapshot(1000)) + 100})
	steps := []struct {
		offer *schema.Message
		queue string // kinds and numbers that wait, oldest first
		drops uint64
	}{
		{first, "e1", 0},
		{snapshot(1000), "e1 s1", 0},
		{snapshot(1000), "e1 s1 s2", 0},
		{snapshot(1000), "e1 s1 s2 s3", 0},
		{events(schema.KindSpawn, 2), "e1 s1 s2 s3 e4", 0},
		{snapshot(1000), "e1 s1 s2 s3 e4 s4", 0},
		{snapshot(1000), "e1 s2 s3 e4 s4 s5", 1},
		{snapshot(2500), "e1 e4 s4 s5 s6", 3},
		{long, "e1 e4 e6", 6},
		{last, "e4 e6 e9", 9},
	}
	for i, step := range steps {
		offer(t, p, step.offer)
		if got := waiting(p); got != step.queue || p.Stats().Dropped != step.drops {
			t.Errorf("step %d: got queue %q and %d drops, want %q and %d", i, got, p.Stats().Dropped, step.queue, step.drops)
		}
	}
	if t.Failed() {
		return
	}

	// The messages that follow tell of the loss, and their numbers jump by what was lost.
	offer(t, p, snapshot(10))
	s := logtest.Start(t, dir)
	defer logtest.Close(t, s)
	watcher, err := s.Connect()
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.Close()
	logtest.Declare(t, watcher)
	runToEnd(t, p)
	got := receive(t, watcher)
	want := map[schema.Kind]received{
		schema.KindSpawn:    {[]uint64{4, 6, 9}, 3, []schema.Drop{{Reason: "queue full", Count: 6}}},
		schema.KindSnapshot: {[]uint64{7}, 6, []schema.Drop{{Reason: "queue full", Count: 9}}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	nc.Close()
}

// waiting lists the queue: kind's letter and first number.
func waiting(p *Publisher) string {
	var b strings.Builder
	for i, q := range p.queue.messages {
		if i > 0 {
			b.WriteByte(' ')
		}
		kind, letter := schema.KindSnapshot, "s"
		if q.kind != kind {
			kind, letter = q.kind, "e"
		}
		b.WriteString(letter + strings.TrimPrefix(q.msg.Header.Get(nats.MsgIdHdr), testInstance+"."+string(kind)+"."))
	}
	return b.String()
}

func TestPublisher_QueueIsBoundedAndLossesAreExact(t *testing.T) {
	nc := unreachable(t)
	rapid.Check(t, func(rt *rapid.T) {
		p := newPublisher(t, nc, Config{MaxQueue: rapid.IntRange(1, 3000).Draw(rt, "max queue")})
		p.cfg.Log = slog.New(slog.DiscardHandler)
		for range rapid.IntRange(1, 40).Draw(rt, "offers") {
			m := events(schema.KindSpawn, rapid.IntRange(1, 20).Draw(rt, "events"))
			if rapid.Bool().Draw(rt, "snapshot") {
				m = snapshot(rapid.IntRange(1, 800).Draw(rt, "size"))
			}
			before := p.Stats()
			offer(t, p, m)
			if len(m.Dropped) == 0 && before.Dropped > 0 || len(m.Dropped) > 0 && m.Dropped[0].Count != before.Dropped {
				rt.Fatalf("envelope says %v were dropped, want %d", m.Dropped, before.Dropped)
			}
			checkQueue(rt, p)
		}
	})
}

// checkQueue checks the bound, and that the queue and the losses are all that was produced.
func checkQueue(t *rapid.T, p *Publisher) {
	items, size, snapshots := uint64(0), 0, 0
	last := map[schema.Kind]uint64{}
	for _, q := range p.queue.messages {
		items += q.count
		size += len(q.msg.Data)
		if q.kind == schema.KindSnapshot {
			snapshots++
		}
		id := q.msg.Header.Get(nats.MsgIdHdr)
		seq, err := strconv.ParseUint(id[strings.LastIndexByte(id, '.')+1:], 10, 64)
		if err != nil || seq <= last[q.kind] {
			t.Fatalf("id %s follows number %d: %v", id, last[q.kind], err)
		}
		last[q.kind] = seq
	}
	s := p.Stats()
	if size != p.queue.size || size > p.cfg.MaxQueue {
		t.Fatalf("got %d bytes counted as %d, want at most %d", size, p.queue.size, p.cfg.MaxQueue)
	}
	if s.Produced != items+s.Dropped || s.Waiting != len(p.queue.messages) {
		t.Fatalf("got %+v with %d items in %d messages waiting, want all of them accounted for", s, items, len(p.queue.messages))
	}
	if lost := p.last[schema.KindSnapshot] + p.last[schema.KindSpawn] - items; lost != p.queue.dropped[dropQueueFull] {
		t.Fatalf("got %d dropped, want %d", p.queue.dropped[dropQueueFull], lost)
	}
}

func TestPublisher_RunFlushesAfterItsContextEnded(t *testing.T) {
	nc := logtest.Serve(t)
	p := newPublisher(t, nc, Config{})
	const n = 3*window + 1
	for range n {
		offer(t, p, events(schema.KindExit, 1))
	}
	runToEnd(t, p)
	if got := receive(t, nc)[schema.KindExit]; len(got.seqs) != n || got.jumped != 0 {
		t.Errorf("got %d messages, %d jumped over, want %d and none", len(got.seqs), got.jumped, n)
	}
}

func TestPublisher_RunSaysWhatIsLeft(t *testing.T) {
	tests := map[string]struct {
		n    int
		conn func(*testing.T) *nats.Conn
	}{
		"no server": {10, unreachable},
		"a server that went away": {10, func(t *testing.T) *nats.Conn {
			dir := t.TempDir()
			s := logtest.Start(t, dir)
			nc := logtest.Connect(t, dir)
			logtest.Close(t, s)
			return nc
		}},
		"no stream": {10, func(t *testing.T) *nats.Conn {
			dir := t.TempDir()
			s := logtest.Start(t, dir)
			t.Cleanup(func() { logtest.Close(t, s) })
			return logtest.Connect(t, dir)
		}},
		"a server that never answers": {2*window + 10, func(t *testing.T) *nats.Conn {
			dir := t.TempDir()
			s := logtest.Start(t, dir)
			t.Cleanup(func() { logtest.Close(t, s) })
			nc := logtest.Connect(t, dir)
			logtest.Subscribe(t, nc) // somebody hears the messages, so the server does not say that nobody does
			return nc
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			const drain = 150 * time.Millisecond
			p := newPublisher(t, tt.conn(t), Config{Drain: drain})
			for range tt.n {
				offer(t, p, events(schema.KindSpawn, 2))
			}
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- p.Run(ctx) }()
			stop()
			began := time.Now()
			err := <-ended
			want := fmt.Sprintf("%d messages were not acknowledged within 150ms of the stop", tt.n)
			if err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
			// Far less than the ten seconds that one attempt may take.
			if took := time.Since(began); took < drain || took > 9*time.Second {
				t.Errorf("got %s, want about %s", took, drain)
			}
			if got, want := p.Stats(), (Stats{Produced: uint64(2 * tt.n), Waiting: tt.n}); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

// A message of more than the server, or the stream, ever takes goes, is counted, and holds up nothing behind it.
func TestPublisher_TooLargeIsDropped(t *testing.T) {
	tests := map[string]struct {
		size  int
		limit func(*testing.T, jetstream.JetStream)
	}{
		"for the server": {embeddednats.MaxPayload + 100<<10, func(*testing.T, jetstream.JetStream) {}},
		"for the stream": {100 << 10, func(t *testing.T, js jetstream.JetStream) {
			for _, cfg := range schema.Streams(schema.Policy{}, 1) {
				cfg.MaxMsgSize = 64 << 10
				if _, err := js.UpdateStream(t.Context(), cfg); err != nil {
					t.Fatal(err)
				}
			}
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			nc := logtest.Serve(t)
			js, err := jetstream.New(nc)
			if err != nil {
				t.Fatal(err)
			}
			tt.limit(t, js)
			p := newPublisher(t, nc, Config{})
			large := snapshot(tt.size)
			again := *large
			offer(t, p, snapshot(10), large, events(schema.KindSpawn, 4), &again, snapshot(10), events(schema.KindSpawn, 1))
			for range 2 { // the first message goes ahead alone
				if !p.flush(t.Context()) {
					t.Error("a message that is too large holds up others")
				}
			}
			if got, want := p.Stats(), (Stats{Produced: 9, Acked: 7, Dropped: 2}); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
			offer(t, p, snapshot(10))
			runToEnd(t, p)
			drops := []schema.Drop{{Reason: "message too large", Count: 2}}
			want := map[schema.Kind]received{
				schema.KindSnapshot: {[]uint64{1, 4, 5}, 2, drops},
				schema.KindSpawn:    {[]uint64{1, 5}, 0, nil},
			}
			if got := receive(t, nc); !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

// After a failure one message goes ahead, and only when it was taken the others follow.
func TestPublisher_OneGoesAheadAfterAFailure(t *testing.T) {
	p := newPublisher(t, unreachable(t), Config{})
	for range 2 * window {
		offer(t, p, events(schema.KindSpawn, 1))
	}
	for i, step := range []struct {
		took int
		fail bool // the last of them
	}{
		{1, true}, {1, false}, {window, true}, {1, false}, {window - 1, false},
	} {
		batch := batcher{p}.startBatch()
		errs := make([]error, len(batch))
		if len(errs) != step.took {
			t.Fatalf("step %d: took %d messages, want %d", i, len(errs), step.took)
		}
		if step.fail {
			errs[len(errs)-1] = nats.ErrDisconnected
		}
		if all := (batcher{p}).finishBatch(batch, errs, 0); all == step.fail {
			t.Errorf("step %d: got all settled %t, want %t", i, all, !step.fail)
		}
	}
	if got := p.Stats().Waiting; got != 0 {
		t.Errorf("got %d messages waiting, want none", got)
	}
}

// In flight are the first messages of the queue: none of them goes, whatever is offered meanwhile.
func TestPublisher_KeepsWhatIsInFlight(t *testing.T) {
	const size = 10_000 // much more than an envelope or an event
	p := newPublisher(t, unreachable(t), Config{})
	offer(t, p, snapshot(size))
	p.queue.limit = p.queue.size * 5 / 2 // two snapshots and an event, and no third snapshot
	offer(t, p, snapshot(size))
	p.queue.window = window
	batch := batcher{p}.startBatch()
	if len(batch) != 2 {
		t.Fatalf("took %d messages, want 2", len(batch))
	}
	offer(t, p, events(schema.KindSpawn, 1), snapshot(size), snapshot(size))
	if got, want := waiting(p), "s1 s2 e1"; got != want {
		t.Errorf("while two are in flight: got %q, want %q", got, want)
	}
	batcher{p}.finishBatch(batch, []error{nil, errors.New("no")}, 0)
	if got, want := waiting(p), "s2 e1"; got != want {
		t.Errorf("after one was acknowledged: got %q, want %q", got, want)
	}
	offer(t, p, snapshot(size), snapshot(size))
	if got, want := waiting(p), "e1 s5 s6"; got != want {
		t.Errorf("with none in flight: got %q, want %q", got, want)
	}
	if got, want := p.Stats(), (Stats{Produced: 7, Acked: 1, Dropped: 3, Waiting: 3}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
