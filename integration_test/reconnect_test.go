package integration_test

import (
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/embedded-nats/logtest"
	"github.com/proctape/proctape/schema"
)

// heapMargin is how many bytes of heap more may be in use after all have reconnected, however often. What the server needs
// for the messages meanwhile is most of it: buffers of the log's blocks, and the ids that it would not take twice.
const heapMargin = 24 << 20

// A sampler, a projector and a reader lose their connections and get them back, again and again, at rest and while
// messages are under way. Each message arrives everywhere once, and in the end the process holds what it held after the
// first few times. The projector rotates a file at every message meanwhile.
func TestReconnect_LeavesNothingBehind(t *testing.T) {
	long(t)
	times := 60
	if soak {
		times = 10_000
	}
	for _, defect := range leftBehind(t, times, patience, func(*relay) {}) {
		t.Error(defect)
	}
}

// The checker finds what reconnects leave behind, and a message that is on the log twice.
func TestReconnect_LeavesNothingBehindControl(t *testing.T) {
	long(t)
	const times = 40
	var kept [][]byte
	end := make(chan struct{})
	defer close(end)
	defects := leftBehind(t, times, time.Second, func(r *relay) {
		go func() { <-end }()
		kept = append(kept, make([]byte, 4*heapMargin/times))
		r.lines[0].control(t, func(fd int) error {
			dup, err := unix.Dup(fd)
			t.Cleanup(func() { unix.Close(dup) })
			return err
		})
		if len(kept) == times/2 {
			r.double()
		}
	})
	runtime.KeepAlive(kept)
	for _, want := range []string{"descriptor of socket:", "goroutine of github.com/proctape/proctape/integration_test_test.TestReconnect",
		"heap: ", "on the log: ", "with the reader: ", "goroutines after the end: "} {
		if !slices.ContainsFunc(defects, func(d string) bool { return strings.HasPrefix(d, want) }) {
			t.Errorf("got %.1000q, want one that begins with %q", defects, want)
		}
	}
}

// leftBehind has the clients of a relay reconnect so many times after the first few, and lists what is left behind, and
// what got lost. Disturb is called after each time. What is on its way out in the end has so long to go.
func leftBehind(t *testing.T, times int, grace time.Duration, disturb func(*relay)) (defects []string) {
	t.Helper()
	const few = 9 // all at rest
	// The collector closes what somebody forgot to close: let it run only when it must.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(1 << 30))
	before := goleak.IgnoreCurrent()
	r := startRelay(t)
	for range few {
		r.reconnect()
	}
	early, began := takeHoldings(t), time.Now()
	for range times {
		r.reconnect()
		disturb(r)
	}
	took := time.Since(began)
	defects = early.beyond(t, grace, heapMargin)
	t.Logf("%d clients reconnected %d times each in %s, the projector began anew %d times; %d KiB of heap are in use, %d were",
		len(r.lines), times, took.Round(time.Second/10), r.restarts.n.Load(), liveHeap()>>10, early.heap>>10)
	defects = append(defects, r.lost()...)
	r.stop()
	var left error
	look(grace, func() bool {
		left = goleak.Find(append(logtest.Singletons(), before)...)
		return left == nil
	})
	if left != nil {
		defects = append(defects, "goroutines after the end: "+left.Error())
	}
	return defects
}

// reconnect cuts all lines, most times at rest and now and then while messages are under way, and waits until all
// clients are at rest again.
func (r *relay) reconnect() {
	r.t.Helper()
	r.reconnects++
	if r.reconnects%10 == 0 {
		acked := r.publisher.Stats().Acked
		for range 20 {
			r.offer()
		}
		if r.reconnects%20 == 0 { // from the log to the projector and the reader, too
			r.until("acknowledgement", func() bool { return r.publisher.Stats().Acked > acked })
		}
	}
	for _, l := range r.lines {
		l.cut(r.t)
	}
	for _, l := range r.lines {
		l.awaitBack(r.t)
	}
	r.offer()
	r.untilThrough()
	before := r.consumer
	r.until("rest", func() bool {
		r.consumer = r.atRest()
		return r.consumer != "" && r.consumer != before
	})
	for _, l := range r.lines {
		if err := l.nc.Flush(); err != nil { // the server's last answers have come, too
			r.t.Fatal(err)
		}
	}
}

// untilThrough waits until every snapshot is on the log, in the database, and with the reader.
func (r *relay) untilThrough() {
	r.t.Helper()
	r.until("acknowledgement", func() bool { return r.publisher.Stats().Acked == r.offered })
	r.until("row", func() bool {
		return r.value(`SELECT stored FROM producers JOIN hosts ON id = host_id WHERE name = ?`, relayHost) == r.offered
	})
	r.until("message to the reader", func() bool { return len(r.received()) >= int(r.offered) })
}

// atRest reports whether the projector waits for messages of each of its streams, and the reader of its one: it returns
// the name of the reader's consumer, or nothing. A reader that reconnects makes another consumer and takes down the one
// it had; were its line cut again before that, the server would keep the old one for minutes.
func (r *relay) atRest() string {
	r.t.Helper()
	waiting := 0
	var readers []string
	for _, name := range schema.DataStreams {
		stream := must(r.js.Stream(r.t.Context(), name))(r.t)
		for c := range stream.ListConsumers(r.t.Context()).Info() {
			waiting += min(c.NumWaiting, 1)
			if name == schema.StreamSnapshots && c.Config.Durable == "" {
				readers = append(readers, c.Name)
			}
		}
	}
	if waiting != len(schema.DataStreams)+1 || len(readers) != 1 {
		return ""
	}
	return readers[0]
}

// until waits for what takes some milliseconds.
func (r *relay) until(what string, ok func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatalf("no %s within %s, after %d reconnects and snapshot %d", what, patience, r.reconnects, r.offered)
		}
	}
}

// value is a query's one number; 0 when there is none yet.
func (r *relay) value(query string, args ...any) (n uint64) {
	r.t.Helper()
	if err := r.db.QueryRow(query, args...).Scan(&n); err != nil && !errors.Is(err, sql.ErrNoRows) {
		r.t.Fatal(err)
	}
	return n
}

// lost lists where the snapshots are not all, each once and in their order, and what else was lost.
func (r *relay) lost() (defects []string) {
	r.t.Helper()
	want := make([]uint64, r.offered)
	for i := range want {
		want[i] = uint64(i) + 1
	}
	for where, got := range map[string][]uint64{"on the log": r.logged(), "in the database": r.folded(), "with the reader": r.received()} {
		if !slices.Equal(got, want) {
			defects = append(defects, fmt.Sprintf("%s: %d snapshots that are not those from 1 to %d in their order", where, len(got), r.offered))
		}
	}
	if n := r.value(`SELECT sum(missing + quarantined) FROM producers`); n != 0 {
		defects = append(defects, fmt.Sprintf("missing or in quarantine: %d items", n))
	}
	if n := r.sampler.Stats().Dropped; n != 0 {
		defects = append(defects, fmt.Sprintf("dropped by the sampler: %d items", n))
	}
	return defects
}

// logged is the numbers on the log, in its order.
func (r *relay) logged() (seqs []uint64) {
	r.t.Helper()
	consumer := must(r.js.OrderedConsumer(r.t.Context(), schema.StreamSnapshots,
		jetstream.OrderedConsumerConfig{FilterSubjects: []string{schema.Subject(relayHost, schema.KindSnapshot)}}))(r.t)
	for {
		before := len(seqs)
		batch := must(consumer.FetchNoWait(1000))(r.t)
		for msg := range batch.Messages() {
			h := msg.Headers()
			m := must(schema.DecodeOf(msg.Subject(), h.Get(schema.HeaderType), h.Get(schema.HeaderEncoding), msg.Data()))(r.t)
			seqs = append(seqs, m.Seq)
		}
		if err := batch.Error(); err != nil {
			r.t.Fatal(err)
		}
		if len(seqs) == before {
			return seqs
		}
	}
}

// folded is the numbers in the database, in the log's order.
func (r *relay) folded() (seqs []uint64) {
	r.t.Helper()
	rows := must(r.db.Query(`SELECT seq FROM snapshots WHERE host_id = (SELECT id FROM hosts WHERE name = ?) ORDER BY id`, relayHost))(r.t)
	defer rows.Close()
	for rows.Next() {
		var seq uint64
		if err := rows.Scan(&seq); err != nil {
			r.t.Fatal(err)
		}
		seqs = append(seqs, seq)
	}
	if err := rows.Err(); err != nil {
		r.t.Fatal(err)
	}
	return seqs
}

// double puts the last snapshot on the log once more, as a publisher would that does not number its messages.
func (r *relay) double() {
	r.t.Helper()
	stream := must(r.js.Stream(r.t.Context(), schema.StreamSnapshots))(r.t)
	last := must(stream.GetLastMsgForSubject(r.t.Context(), schema.Subject(relayHost, schema.KindSnapshot)))(r.t)
	last.Header.Del(nats.MsgIdHdr)
	must(r.js.PublishMsg(r.t.Context(), &nats.Msg{Subject: last.Subject, Header: last.Header, Data: last.Data}))(r.t)
}
