package publish

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/proctape/proctape/embedded-nats/logtest"
	"github.com/proctape/proctape/producer/publish/spool"
	"github.com/proctape/proctape/schema"
)

// awaitStats waits until a publisher's counts are as they should be.
func awaitStats(t *testing.T, p *Publisher, what string, ok func(Stats, Queue) bool) {
	t.Helper()
	for deadline := time.Now().Add(testTimeout); !ok(p.Stats(), p.Queue()); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: %+v, queue %+v", what, p.Stats(), p.Queue())
		}
	}
}

// goOn runs a publisher until the function that it returns is called, which returns what Run does.
func goOn(t *testing.T, p *Publisher) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	return func() error {
		cancel()
		return <-ended
	}
}

// second has a message be made in a second after the boot.
func second(m *schema.Message, n int) *schema.Message {
	m.Boot = int64(n) * int64(time.Second)
	m.Wall = m.Boot + 1
	return m
}

// A log that was never there: what is made goes to disk, keeps no memory, and is on the log in its order when that is there, each message once.
func TestSpool_LogWasNeverThere(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	dir, folder := t.TempDir(), filepath.Join(t.TempDir(), "lives")
	nc := logtest.Connect(t, dir)
	p := newLife(t, nc, folder, Config{TellsEnds: true, Drain: testTimeout})
	p.backlog.now = func() int64 { return 0 }
	stop := goOn(t, p)
	const made = 700
	for n := range made {
		offer(t, p, second(snapshot(1000), n), second(events(schema.KindSpawn, 2), n))
	}
	awaitStats(t, p, "on disk", func(_ Stats, q Queue) bool { return q.Disk.Messages == 2*made && q.Messages == 0 && q.Bytes == 0 })
	if s := p.Stats(); s.Waiting != 2*made || s.Dropped != 0 || spool.DepthOf(folder).Items != 3*made {
		t.Errorf("got %+v, and on disk %+v", s, spool.DepthOf(folder))
	}
	server := logtest.Start(t, dir)
	defer logtest.Close(t, server)
	watcher := logtest.Connect(t, dir)
	logtest.Declare(t, watcher)
	awaitStats(t, p, "on the log", func(s Stats, _ Queue) bool { return s.Acked == 3*made && s.Waiting == 0 })
	if err := stop(); err != nil {
		t.Error(err)
	}
	checkOrder(t, watcher, made)
	if got := livesIn(t, folder); !slices.Equal(got, []string{"h.life"}) {
		t.Errorf("files: %v", got)
	}
	nc.Close()
}

// checkOrder checks that the log has so many snapshots and messages of two starts, in their order, each once.
func checkOrder(t *testing.T, nc *nats.Conn, made int) {
	t.Helper()
	for _, defect := range disorder(t, nc, made) {
		t.Error(defect)
	}
}

func disorder(t *testing.T, nc *nats.Conn, made int) (defects []string) {
	t.Helper()
	for stream, each := range map[string]int{schema.StreamSnapshots: 1, schema.StreamEvents: 2} {
		got := numbersIn(t, nc, stream)
		for i := range got {
			if want := fmt.Sprint(" ", each*i+1); !strings.HasSuffix(got[i], want) {
				defects = append(defects, fmt.Sprintf("%s: message %d is %s, want %s", stream, i+1, got[i], want))
				break
			}
		}
		if len(got) != made {
			defects = append(defects, fmt.Sprintf("%s: %d messages, want %d", stream, len(got), made))
		}
	}
	return defects
}

// While the disk is emptied a snapshot that is made now is on the log at once, and starts and ends come in their order all the same. Controls: a
// publisher that reads its disk from the end, and one that has its events go ahead as its snapshots do.
func TestSpool_LiveBesideWhatWaits(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	for name, spoil := range map[string]func(*nats.Msg){
		"": nil, "out of order": func(*nats.Msg) {},
	} {
		dir, folder := t.TempDir(), filepath.Join(t.TempDir(), "lives")
		server := logtest.Start(t, dir)
		watcher := logtest.Connect(t, dir)
		logtest.Declare(t, watcher)
		away := unreachable(t)
		p := newLife(t, away, folder, Config{TellsEnds: true, Drain: testTimeout})
		p.backlog.now = func() int64 { return 0 }
		const made = 400
		for n := range made {
			offer(t, p, second(snapshot(1000), n), second(events(schema.KindSpawn, 2), n))
		}
		if !(spiller{p}).spill(0) {
			t.Fatal("nothing is on disk")
		}
		p.backlog.drain = 1
		if spoil != nil {
			reverse(t, p)
		}
		here, err := New(logtest.Connect(t, dir), Config{Origin: p.cfg.Origin, Log: p.cfg.Log})
		if err != nil {
			t.Fatal(err)
		}
		p.js = here.js // the log is there again
		offer(t, p, second(snapshot(1000), made), second(events(schema.KindSpawn, 2), made))
		if !p.flush(t.Context()) {
			t.Error("the first batch failed")
		}
		snapshots := numbersIn(t, watcher, schema.StreamSnapshots)
		if len(snapshots) == 0 || snapshots[0] != fmt.Sprint("snapshot ", made+1) {
			t.Errorf("the first on the log are %v, want the snapshot that was made last", snapshots)
		}
		for p.Stats().Waiting > 0 {
			p.flush(t.Context())
		}
		got := slices.DeleteFunc(numbersIn(t, watcher, schema.StreamSnapshots), func(n string) bool { return n == snapshots[0] })
		events := numbersIn(t, watcher, schema.StreamEvents)
		ordered := len(got) == made && len(events) == made+1
		for i := range min(len(got), len(events)) {
			ordered = ordered && got[i] == fmt.Sprint("snapshot ", i+1) && events[i] == fmt.Sprint("event.spawn ", 2*i+1)
		}
		if ordered == (spoil != nil) {
			t.Errorf("%s: in order %v: %d snapshots, %d messages of events", name, ordered, len(got), len(events))
		}
		p.backlog.close()
		logtest.Close(t, server)
	}
}

// reverse has what waits on a publisher's disk come out of it from the end: it is written anew in the other order.
func reverse(t *testing.T, p *Publisher) {
	t.Helper()
	b := p.backlog
	for _, lane := range []string{spool.Events, spool.Snapshots} {
		list, _, err := b.own.Read(lane, 1<<20, 1<<40)
		if err != nil {
			t.Fatal(err)
		}
		var records []spool.Record
		for _, e := range slices.Backward(list) {
			records = append(records, e.Record)
		}
		if _, err := b.own.Append(lane, records); err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			b.own.Take(e)
		}
	}
}

// What does not fit, and what is too old, goes: the oldest first, snapshots before events, counted and told by the next message.
func TestSpool_IsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	for name, c := range map[string]struct {
		cfg    Config
		now    time.Duration
		reason string
	}{
		"by size": {Config{Spool: 4 << 20}, 0, dropSpoolFull},
		"by age":  {Config{SpoolAge: time.Hour}, time.Hour + 300*time.Second, dropTooOld},
	} {
		t.Run(name, func(t *testing.T) {
			dir, folder := t.TempDir(), filepath.Join(t.TempDir(), "lives")
			c.cfg.TellsEnds, c.cfg.Drain = true, testTimeout
			p := newLife(t, logtest.Connect(t, dir), folder, c.cfg)
			now := time.Duration(0)
			p.backlog.now = func() int64 { return int64(now) }
			const made = 120
			for n := range made { // 6 MB
				offer(t, p, second(snapshot(50_000), 5*n), second(events(schema.KindSpawn, 2), 5*n))
				if n%4 == 3 {
					spiller{p}.spill(0)
				}
			}
			now = c.now
			spiller{p}.spill(0)
			disk := spool.DepthOf(folder)
			s := p.Stats()
			if s.Dropped == 0 || s.Dropped+disk.Items != 3*made || disk.Bytes > 4<<20 && c.cfg.Spool > 0 {
				t.Errorf("dropped %d of %d, on disk %+v", s.Dropped, 3*made, disk)
			}
			server := logtest.Start(t, dir)
			defer logtest.Close(t, server)
			watcher := logtest.Connect(t, dir)
			logtest.Declare(t, watcher)
			runToEnd(t, p)
			got := receive(t, watcher)
			if spawns := got[schema.KindSpawn]; c.cfg.Spool > 0 && (len(spawns.seqs) != made || spawns.jumped != 0) {
				t.Errorf("events went before snapshots: %d messages are left", len(spawns.seqs))
			}
			first := logtest.Decode(t, logtest.Stored(t, watcher, schema.StreamSnapshots)[0].Header, logtest.Stored(t, watcher, schema.StreamSnapshots)[0].Data)
			if snapshots := got[schema.KindSnapshot]; snapshots.jumped == 0 || first.Seq != snapshots.jumped+1 || len(first.Dropped) != 1 ||
				first.Dropped[0] != (schema.Drop{Reason: c.reason, Count: s.Dropped}) {
				t.Errorf("%d snapshots went, and the first behind them, %d, tells of %v; want %d, %s", snapshots.jumped, first.Seq, first.Dropped, s.Dropped, c.reason)
			}
		})
	}
}

// What has no room on disk at the stop is lost, and the publisher says so; what has is kept.
func TestSpool_NoRoomAtTheStop(t *testing.T) {
	for size, fits := range map[int64]bool{64 << 20: true, 256 << 10: false} {
		p := newLife(t, unreachable(t), filepath.Join(t.TempDir(), "lives"), Config{TellsEnds: true, Drain: time.Millisecond, Spool: size})
		for n := range 20 {
			offer(t, p, second(snapshot(50_000), n))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		left, ok := errors.AsType[*LeftError](p.Run(ctx))
		if s := p.Stats(); !ok || left.Kept != fits || left.Lost != s.Dropped || (s.Dropped == 0) != fits || s.Left+s.Dropped != 20 {
			t.Errorf("%d bytes on disk: got %+v, and counts %+v", size, left, s)
		}
	}
}

// A disk that takes nothing costs nothing as long as memory lasts, and what it takes later is in order.
func TestSpool_DiskFails(t *testing.T) {
	dir, folder := t.TempDir(), filepath.Join(t.TempDir(), "lives")
	p := newLife(t, logtest.Connect(t, dir), folder, Config{TellsEnds: true, Drain: testTimeout})
	if err := os.WriteFile(folder, nil, 0o600); err != nil { // a file where the folder should be
		t.Fatal(err)
	}
	offer(t, p, second(snapshot(1000), 1), second(events(schema.KindSpawn, 2), 1))
	if (spiller{p}).spill(0) {
		t.Error("the disk took something")
	}
	offer(t, p, second(snapshot(1000), 2), second(events(schema.KindSpawn, 2), 2))
	if s := p.Stats(); s.Waiting != 4 || s.Dropped != 0 {
		t.Errorf("got %+v", s)
	}
	if err := errors.Join(os.Remove(folder), os.Mkdir(folder, 0o700)); err != nil {
		t.Fatal(err)
	}
	if !(spiller{p}).spill(0) || spool.DepthOf(folder).Messages != 4 {
		t.Errorf("on disk: %+v", spool.DepthOf(folder))
	}
	server := logtest.Start(t, dir)
	defer logtest.Close(t, server)
	watcher := logtest.Connect(t, dir)
	logtest.Declare(t, watcher)
	runToEnd(t, p)
	checkOrder(t, watcher, 2)
}

// A sampler is cut off again and again while the log is away, and while what waits goes to it: the log has each message that was on disk, once,
// by its id. The control is a publisher without ids.
func TestSpool_CutOffAgainAndAgain(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	for _, noIDs := range []bool{false, true} {
		dir, folder := t.TempDir(), filepath.Join(t.TempDir(), "lives")
		const lives, each = 4, 200
		want := map[string]bool{}
		for life := range lives {
			p := newLife(t, unreachable(t), folder, Config{TellsEnds: true})
			for n := range each {
				m := second(snapshot(2000), life*each+n)
				offer(t, p, m)
				want[m.ID()] = true
			}
			spiller{p}.spill(0)
			lifeKeeper{p}.save(false)
			p.backlog.close() // as the kernel does
			p.lives.close(true)
		}
		server := logtest.Start(t, dir)
		watcher := logtest.Connect(t, dir)
		logtest.Declare(t, watcher)
		for range 3 { // cut off while it publishes
			p := newLife(t, logtest.Connect(t, dir), folder, Config{TellsEnds: true})
			if noIDs {
				p.js = withoutIDs{p.js}
			}
			for i := 0; p.Stats().Acked == 0 && i < 6; i++ {
				awaitConnected(t, p)
				p.flush(t.Context())
			}
			lifeKeeper{p}.save(false)
			p.backlog.close()
			p.lives.close(true)
		}
		p := newLife(t, logtest.Connect(t, dir), folder, Config{TellsEnds: true, Drain: testTimeout})
		if noIDs {
			p.js = withoutIDs{p.js}
		}
		runToEnd(t, p)
		seen := map[string]int{}
		for _, raw := range logtest.Stored(t, watcher, schema.StreamSnapshots) {
			m := logtest.Decode(t, raw.Header, raw.Data)
			seen[m.ID()]++
		}
		doubled := 0
		for id := range want {
			if seen[id] == 0 {
				t.Errorf("%s is lost", id)
			}
			if seen[id] > 1 {
				doubled++
			}
		}
		if (doubled > 0) != noIDs {
			t.Errorf("without ids %v: %d messages are on the log more than once", noIDs, doubled)
		}
		logtest.Close(t, server)
	}
}

func awaitConnected(t *testing.T, p *Publisher) {
	t.Helper()
	for deadline := time.Now().Add(testTimeout); !p.js.Conn().IsConnected(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no connection")
		}
	}
}

// A day of a host, by its own clock: snapshots every five seconds and events while the log is away, which has them all when it is back.
func TestSpool_ADay(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	dir, folder := t.TempDir(), filepath.Join(t.TempDir(), "lives")
	p := newLife(t, logtest.Connect(t, dir), folder, Config{TellsEnds: true, Drain: testTimeout})
	now := 0
	p.backlog.now = func() int64 { return int64(now) * int64(time.Second) }
	const made = 24 * 3600 / 5
	began := time.Now()
	for n := range made {
		now = 5 * n
		offer(t, p, second(snapshot(8000), now), second(events(schema.KindSpawn, 2), now))
		if n%4 == 3 {
			spiller{p}.spill(0)
		}
	}
	spiller{p}.spill(0)
	disk, wrote := spool.DepthOf(folder), time.Since(began)
	if disk.Items != 3*made || p.Queue().Bytes != 0 {
		t.Fatalf("on disk: %+v, in memory %+v", disk, p.Queue())
	}
	server := logtest.Start(t, dir)
	defer logtest.Close(t, server)
	watcher := logtest.Connect(t, dir)
	logtest.Declare(t, watcher)
	began = time.Now()
	runToEnd(t, p)
	t.Logf("%d messages, %d MiB: written in %s, %d times a second; on the log in %s", disk.Messages, disk.Bytes>>20, wrote.Round(time.Millisecond),
		int(float64(made/4)/wrote.Seconds()), time.Since(began).Round(time.Millisecond))
	if s := p.Stats(); s.Acked != 3*made || s.Dropped != 0 || s.Waiting != 0 {
		t.Errorf("got %+v", s)
	}
	if n := streamSize(t, watcher, schema.StreamSnapshots); n != made {
		t.Errorf("the log has %d snapshots, want %d", n, made)
	}
	if n := streamSize(t, watcher, schema.StreamEvents); n != made {
		t.Errorf("the log has %d messages of events, want %d", n, made)
	}
}
