package projector

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/projector/retention"
	"github.com/proctape/proctape/schema"
)

// follow runs a projector with its retention, as a recorder does, and returns how many passes it has made.
func (w *world) follow(name string, every time.Duration) (passes func() int64, stop func()) {
	w.t.Helper()
	cfg := short
	cfg.Interval, cfg.Clocks = every, w.clocks
	path := filepath.Join(w.dir, name+".db")
	p, err := Open(w.t.Context(), w.js, Config{DB: path, Retention: &cfg, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("the projector of %s: %v", name, err)
		}
	})
	w.t.Cleanup(stop)
	db, err := openReader(path)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { db.Close() })
	return func() (n int64) {
		if err := db.QueryRow(`SELECT count(*) FROM retention_passes`).Scan(&n); err != nil {
			w.t.Error(err)
		}
		return n
	}, stop
}

// ticks counts what the schedule sends from now on.
func (w *world) ticks() *atomic.Int64 {
	w.t.Helper()
	consumer, err := w.js.CreateConsumer(w.t.Context(), schema.StreamOps, jetstream.ConsumerConfig{
		FilterSubject: schema.SubjectTick, AckPolicy: jetstream.AckNonePolicy, DeliverPolicy: jetstream.DeliverNewPolicy})
	if err != nil {
		w.t.Fatal(err)
	}
	var n atomic.Int64
	consuming, err := consumer.Consume(func(jetstream.Msg) { n.Add(1) })
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		consuming.Stop()
		<-consuming.Closed()
	})
	return &n
}

// schedule is the place of the schedule in the log, and what it says.
func (w *world) schedule() (seq uint64, form string) {
	w.t.Helper()
	stream, err := w.js.Stream(w.t.Context(), schema.StreamOps)
	if err != nil {
		w.t.Fatal(err)
	}
	msg, err := stream.GetLastMsgForSubject(w.t.Context(), schema.SubjectSchedule)
	if err != nil {
		w.t.Fatal(err)
	}
	return msg.Sequence, msg.Header.Get("Nats-Schedule")
}

// Two databases make one pass each at every tick of the one schedule that they share.
func TestRetention_EveryDatabaseAtEveryTick(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	t.Parallel()
	w := newWorld(t)
	ticks := w.ticks()
	one, stopOne := w.follow("one", 2*time.Second)
	two, stopTwo := w.follow("two", 2*time.Second)
	w.eventually("three passes", func() bool { return one() >= 3 && two() >= 3 })
	stopOne()
	stopTwo()
	if n := ticks.Load(); one() > n || two() > n {
		t.Errorf("%d and %d passes at %d ticks", one(), two(), n)
	}
}

// The schedule stays when it is installed again, and another interval takes its place.
func TestRetention_ScheduleIsInstalledOnce(t *testing.T) {
	w := newWorld(t)
	install := func(every time.Duration) (uint64, string) {
		t.Helper()
		if err := retention.InstallSchedule(t.Context(), w.js, every); err != nil {
			t.Fatal(err)
		}
		return w.schedule()
	}
	first, _ := install(time.Hour)
	var many sync.WaitGroup
	for range 8 {
		many.Go(func() {
			if err := retention.InstallSchedule(t.Context(), w.js, time.Hour); err != nil {
				t.Error(err)
			}
		})
	}
	many.Wait()
	if again, form := install(time.Hour); again != first || form != "@every 1h0m0s" {
		t.Errorf("the schedule is message %d, %q, want message %d to stay", again, form, first)
	}
	if other, form := install(90 * time.Second); other == first || form != "@every 1m30s" {
		t.Errorf("the schedule is message %d, %q, want another for another interval", other, form)
	}
	if n := w.messages(schema.StreamOps); n != 1 {
		t.Errorf("%d messages, want one schedule", n)
	}
	next, err := retention.Next(t.Context(), w.js)
	if in := time.Until(next); err != nil || in <= 0 || in > 90*time.Second {
		t.Errorf("the next tick is in %s, %v, want it within 90 s", in, err)
	}
}

// A pass that is asked for is made at once, and is said to have been asked for.
func TestRetention_OnCommand(t *testing.T) {
	w := newWorld(t)
	passes, _ := w.follow("one", time.Hour)
	w.eventually("the database waits for ticks", func() bool {
		list := 0
		stream, err := w.js.Stream(t.Context(), schema.StreamOps)
		if err != nil {
			t.Fatal(err)
		}
		for range stream.ConsumerNames(t.Context()).Name() {
			list++
		}
		return list == 1
	})
	if err := retention.Request(t.Context(), w.js); err != nil {
		t.Fatal(err)
	}
	w.eventually("a pass", func() bool { return passes() == 1 })
	db, err := openReader(filepath.Join(w.dir, "one.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if got := rowsOf(t, db, `SELECT asked, error FROM retention_passes`); len(got) != 1 || got[0] != "command " {
		t.Errorf("got %q, want one pass on command", got)
	}
}

// Ticks that a server misses, because it is down, come to one when it is back.
func TestRetention_OneLatePassAfterAnOutage(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	t.Parallel()
	const every = 2 * time.Second
	w := newWorld(t)
	passes, _ := w.follow("one", every)
	w.eventually("a pass", func() bool { return passes() >= 1 })
	w.stopServer()
	before := passes()
	down := time.Now()
	w.eventually("three ticks go by", func() bool { return time.Since(down) > 3*every+every/2 })
	n := passes()
	if n > before+1 { // one may have been under way
		t.Errorf("%d passes while the server was down", n-before)
	}
	before = n
	up := time.Now()
	w.startServer()
	w.eventually("a pass after the outage", func() bool { return passes() > before })
	w.eventually("a pass in time after the late one", func() bool { return passes() > before+1 })
	// One that is late and those in time, of which the first may come right behind.
	if n, most := passes()-before, 2+int64(time.Since(up)/every); n > most {
		t.Errorf("%d passes within %s after the outage, want at most %d", n, time.Since(up), most)
	}
}

// Retain makes one pass over a database that nobody writes.
func TestRetain(t *testing.T) {
	w := newWorld(t)
	h := w.host("alpha")
	w.run(15*minute, 20*second, steady, h)
	cfg := Config{DB: filepath.Join(w.dir, "one.db"), Log: slog.New(slog.DiscardHandler), Retention: &retention.Settings{Clocks: w.clocks}}
	plan := retention.Config{Path: cfg.DB, Settings: *cfg.Retention, JS: w.js, Log: cfg.Log}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if pass, err := Retain(ctx, w.js, cfg); err != nil || pass.Removed != (schema.Removed{}) {
		t.Errorf("a pass by the default policy: got %+v, %v, want nothing to go", pass, err)
	}
	if got, err := retention.Plan(ctx, plan); err != nil || got != (schema.Removed{}) {
		t.Errorf("a dry run by the default policy: got %+v, %v, want nothing to go", got, err)
	}
	limits := short
	limits.Clocks = w.clocks
	cfg.Retention, plan.Settings, plan.JS = &limits, limits, nil
	want, err := retention.Plan(ctx, plan)
	if err != nil {
		t.Fatal(err)
	}
	pass, err := Retain(ctx, w.js, cfg)
	if err != nil || rowsOnly(pass.Removed) != want || want.Snapshots == 0 || pass.Asked != "command" {
		t.Errorf("got %+v, %v, want %+v", pass, err, want)
	}
}
