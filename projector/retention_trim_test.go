package projector

import (
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/schema"
)

// acked is how far a database has told the server that it has committed a stream.
func (d *kept) acked(stream string) uint64 {
	d.w.t.Helper()
	consumer, err := d.w.js.Consumer(d.w.t.Context(), stream, schema.ConsumerName(d.id))
	if err != nil {
		d.w.t.Fatal(err)
	}
	return consumer.CachedInfo().AckFloor.Stream
}

// halt stops the database once the server knows how far it is.
func (d *kept) halt() {
	d.w.t.Helper()
	d.settle()
	last := d.w.state(schema.StreamSnapshots).LastSeq
	d.w.eventually("the server knows how far the database is", func() bool { return d.acked(schema.StreamSnapshots) == last })
	d.stop()
}

// eventually waits until something is so.
func (w *world) eventually(what string, is func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(5 * time.Minute); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("not within five minutes: %s", what)
		}
	}
}

// never names what a database never had of the messages: neither snapshots nor rollups have it.
func (d *kept) never(of []*schema.Message) []string {
	d.w.t.Helper()
	return append(slices.DeleteFunc(unaccounted(d.w.t, d.read, of), func(s string) bool { return s[:4] != "lost" }),
		d.rows(`SELECT kind, count FROM gaps WHERE stream = ? AND kind IN ('stream_hole', 'trimmed_unread')`, schema.StreamSnapshots)...)
}

// The log keeps what a database that is slow has not committed, and that one misses nothing.
func TestRetention_TrimWaitsForTheSlow(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	w := newWorld(t)
	h := w.host("alpha")
	fast, slow := w.open("fast", short), w.open("slow", short)
	w.run(2*minute, 10*second, steady, h)
	slow.halt()
	behind := w.state(schema.StreamSnapshots).LastSeq
	w.run(12*minute, 10*second, steady, h)
	fast.settle()
	fast.retain()
	if first := w.state(schema.StreamSnapshots).FirstSeq; first != behind+1 {
		t.Errorf("the log begins at %d, want it to begin behind %d, which the slow database has", first, behind)
	}
	slow = w.open("slow", short)
	slow.settle()
	wantNone(t, "missed by the slow database", slow.never(w.sent))
	w.eventually("the server knows how far the database is", func() bool { return slow.acked(schema.StreamSnapshots) == w.state(schema.StreamSnapshots).LastSeq })
	fast.retain()
	if first := w.state(schema.StreamSnapshots).FirstSeq; first <= behind+1 {
		t.Errorf("the log begins at %d still, when the slow database has come up", first)
	}

	// The control: a trim that goes by one database alone.
	slow.halt()
	w.run(12*minute, 10*second, steady, h)
	fast.settle()
	fast.retain()
	stream, err := w.js.Stream(t.Context(), schema.StreamSnapshots)
	if err != nil {
		t.Fatal(err)
	}
	keep := fast.count(`SELECT min(s.id) - c.id_base FROM snapshots s, checkpoints c WHERE c.stream = ?`, schema.StreamSnapshots)
	if err := stream.Purge(t.Context(), jetstream.WithPurgeSequence(uint64(keep))); err != nil {
		t.Fatal(err)
	}
	slow = w.open("slow", short)
	slow.settle()
	wantSome(t, "a trim that does not wait for the slow", slow.never(w.sent))
}

// A database that stands still for too long is left behind, and when it comes back it says what it missed.
func TestRetention_LeavesBehindWhatStandsStill(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	w := newWorld(t)
	h := w.host("alpha")
	live, away := w.open("live", short), w.open("away", short)
	w.run(2*minute, 10*second, steady, h)
	away.halt()
	behind := w.state(schema.StreamSnapshots).LastSeq
	var left int64
	for range 12 {
		w.run(2*minute, 20*second, steady, h)
		live.settle()
		left += live.retain().LeftBehind
	}
	first := w.state(schema.StreamSnapshots).FirstSeq
	if left != 1 || first <= behind+1 {
		t.Fatalf("%d databases were left behind, the log begins at %d, want 1 and more than %d", left, first, behind+1)
	}
	names := []string{}
	stream, err := w.js.Stream(t.Context(), schema.StreamSnapshots)
	if err != nil {
		t.Fatal(err)
	}
	for name := range stream.ConsumerNames(t.Context()).Name() {
		names = append(names, name)
	}
	if want := []string{schema.ConsumerName(live.id)}; !slices.Equal(names, want) {
		t.Errorf("the durables are %v, want %v", names, want)
	}
	away = w.open("away", short)
	away.settle()
	missed := int64(first - behind - 1)
	if n := away.count(`SELECT count FROM gaps WHERE stream = ? AND kind = 'stream_hole'`, schema.StreamSnapshots); n != missed {
		t.Errorf("the database that was away says that it missed %d, want %d", n, missed)
	}
}

// A database that has all there is does not stand still, however long nothing comes.
func TestRetention_SilenceIsNotStandingStill(t *testing.T) {
	w := newWorld(t)
	h := w.host("alpha")
	live, other := w.open("live", short), w.open("other", short)
	w.run(2*minute, 10*second, steady, h)
	other.halt()
	live.settle()
	live.retain()
	w.pass(hour, h)
	live.retain()
	// What comes again leaves no row: the log needs not keep it for this database, but for the other.
	w.sendAgain(w.sent[0])
	live.settle()
	if removed := live.retain(); removed.LeftBehind != 0 {
		t.Errorf("got %+v, want nobody left behind", removed)
	}
}

// sendAgain sends a message under a name by which the server does not know it.
func (w *world) sendAgain(m *schema.Message) {
	w.t.Helper()
	payload, _, err := schema.Encode(nil, m)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.js.Publish(w.t.Context(), schema.Subject(m.Host, m.Kind), payload); err != nil {
		w.t.Fatal(err)
	}
}
