package integration_test

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/projector"
	"github.com/proctape/proctape/schema"
)

// foreignServer is a NATS server as somebody else runs it: in memory of its own, synced lazily, and so fast.
func foreignServer(t *testing.T) jetstream.JetStream {
	t.Helper()
	ns, err := server.NewServer(&server.Options{DontListen: true, NoSigs: true, JetStream: true, StoreDir: t.TempDir(), MaxPayload: 4 << 20,
		JetStreamMaxStore: 20 << 30, JetStreamMaxMemory: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	go ns.Start()
	t.Cleanup(func() {
		ns.Shutdown()
		ns.WaitForShutdown()
	})
	if !ns.ReadyForConnections(patience) {
		t.Fatal("the server is not ready")
	}
	nc, err := nats.Connect("", nats.InProcessServer(ns))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(1024))
	if err != nil {
		t.Fatal(err)
	}
	if err := embeddednats.Declare(context.Background(), js, schema.Streams(schema.Policy{}, 1), false); err != nil {
		t.Fatal(err)
	}
	return js
}

// TestHostile_OneInAHundred mixes 20 000 messages, 100 000 under make soak, with one percent that nobody should send. All good ones
// are stored, all others are in quarantine or say of whom they are, and memory does not grow.
func TestHostile_OneInAHundred(t *testing.T) {
	long(t)
	t.Parallel()
	const each = 100
	good := 20_000
	if soak {
		good = 100_000
	}
	js := foreignServer(t)
	random := rand.New(rand.NewPCG(7, 7))
	h := newHost("alpha", 3, 1)
	var futures []jetstream.PubAckFuture
	publish := func(msg *nats.Msg) {
		f, err := js.PublishMsgAsync(msg, jetstream.WithStallWait(patience))
		if err != nil {
			t.Fatal(err)
		}
		futures = append(futures, f)
	}
	bad, events := 0, 0
	for n := 0; n < good; n++ {
		h.wall += int64(time.Millisecond)
		h.uptime += int64(time.Millisecond)
		m := h.message(schema.KindSpawn, &schema.Message{Events: []schema.Event{{Wall: h.wall, Boot: h.uptime, PID: 1 + n%4_000_000, StartTicks: 1, Command: "true", Source: "test"}}})
		events++
		msg := natsMessage(t, m)
		if n%each == 0 {
			bad++
			publish(hostile(t, msg, bad, random))
		}
		publish(msg)
	}
	for _, f := range futures {
		select {
		case <-f.Ok():
		case err := <-f.Err():
			t.Fatal(err)
		}
	}

	db := filepath.Join(t.TempDir(), "p.db")
	p, err := projector.Open(t.Context(), js, projector.Config{DB: db, Once: true, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	if err := p.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	// The server in this process lets go of the blocks that it read some seconds later.
	await(t, "heap that has grown by 32 MiB at most", func() bool { return heap()-before <= 32<<20 })
	if n := count(t, db, `SELECT count(*) FROM process_events`); n != good {
		t.Errorf("%d events are stored, want the %d good ones", n, good)
	}
	if n := count(t, db, `SELECT sum(count) FROM quarantine_counts`); n != bad {
		t.Errorf("%d messages are in quarantine, want %d", n, bad)
	}
	if n := count(t, db, `SELECT count(DISTINCT reason) FROM quarantine`); n < 3 {
		t.Errorf("only %d reasons", n)
	}
	if n := count(t, db, `SELECT count(*) FROM hosts WHERE name NOT IN ('alpha', 'mallory')`); n != 0 {
		t.Errorf("%d hosts that do not exist", n)
	}
	if st := p.Stats(); st.Quarantined != uint64(bad) || st.Messages != uint64(good+bad) {
		t.Errorf("got stats %+v", st)
	}
	if n := count(t, db, `SELECT sum(next_seq - 1 - stored - quarantined - missing) FROM producers`); n != 0 {
		t.Errorf("the books are off by %d", n)
	}
}

// hostile is a message that nobody should send, made of a good one in the way that n picks.
func hostile(t *testing.T, good *nats.Msg, n int, random *rand.Rand) *nats.Msg {
	t.Helper()
	msg := nats.NewMsg(good.Subject)
	switch n % 8 {
	case 0: // changed in its first bytes, which hold the version and the kind
		msg.Data = append([]byte(nil), good.Data...)
		msg.Data[1+random.IntN(8)] ^= 0x55
	case 1: // random bytes
		msg.Data = make([]byte, random.IntN(2000))
		for i := range msg.Data {
			msg.Data[i] = byte(random.UintN(256))
		}
	case 2: // a length that would take gigabytes
		msg.Data = []byte{0xdd, 0x7f, 0xff, 0xff, 0xff}
	case 3: // nested without end
		msg.Data = []byte(strings.Repeat("\x91", 100_000))
	case 4: // another host's
		msg.Subject = schema.Subject("mallory", schema.KindSpawn)
		msg.Data = good.Data
	case 5: // from the future
		msg.Data = append([]byte(nil), good.Data...)
		msg.Data[1] = 99
	case 6: // JSON that is none
		msg.Header.Set(schema.HeaderType, schema.TypeJSON)
		msg.Data = []byte(`{"v":2,"kind":` + strings.Repeat("[", 5000))
	case 7: // cut short
		msg.Data = good.Data[:len(good.Data)-1-random.IntN(20)]
	}
	return msg
}

var stopsAtPoison = withFault("stops-at-poison", "projector/fold/fold.go",
	`		return f.quarantine.put(to, d, what.poison)`,
	`		if runsAs("stops-at-poison") {
			return what.poison.Err
		}
		return f.quarantine.put(to, d, what.poison)`)

// TestHostile_StopsTheLineControl is the control: a build that does not put aside what it cannot read never comes past it.
func TestHostile_StopsTheLineControl(t *testing.T) {
	t.Parallel()
	broken := stopsAtPoison.program(t)
	log := startLog(t, t.TempDir())
	h := newHost("alpha", 5, 1)
	log.record(h, 5)
	bad := nats.NewMsg(schema.Subject("alpha", schema.KindSnapshot))
	bad.Data = []byte("nothing of ours")
	if _, err := log.js.PublishMsg(t.Context(), bad); err != nil {
		t.Fatal(err)
	}
	log.record(h, 5)
	for program, want := range map[string]int{proctape: 10, broken: 5} {
		db := filepath.Join(t.TempDir(), "p.db")
		p := startProgram(t, program, "project", "--data", log.dir, "--db", db)
		await(t, "what comes before it", func() bool {
			return snapshotsOf(t, db, "alpha") == want || program == broken && strings.Contains(p.stderr(), "the log is not projected")
		})
		if got := snapshotsOf(t, db, "alpha"); program == broken && got > want {
			t.Errorf("the broken build came past the message: %d snapshots", got)
		}
		p.cmd.Process.Kill()
		<-p.done
	}
}

// TestHostile_QuarantineCommands puts a message from the future into quarantine, looks at it, and takes it out when
// it can be read.
func TestHostile_QuarantineCommands(t *testing.T) {
	long(t)
	t.Parallel()
	dir := t.TempDir()
	recorder := start(t, "up", "--data", dir, "--interval", "1s", "--host", "here")
	recorder.awaitLine("In another terminal")
	log := dialLog(t, dir)
	h := newHost("alpha", 2, 1)
	var unreadable *nats.Msg
	for n := range 3 {
		msg := natsMessage(t, h.snapshot()[0])
		if n == 1 {
			unreadable = msg
			msg = &nats.Msg{Subject: msg.Subject, Header: msg.Header, Data: append([]byte(nil), msg.Data...)}
			msg.Data[1] = 7 // the version
		}
		if _, err := log.PublishMsg(t.Context(), msg); err != nil {
			t.Fatal(err)
		}
	}
	db := filepath.Join(dir, "monitor.db")
	await(t, "the good ones", func() bool { return snapshotsOf(t, db, "alpha") == 2 })
	list := run(t, "quarantine", "list", "--data", dir)
	if !strings.Contains(list, "PROCTAPE_SNAPSHOTS/1/") || !strings.Contains(list, "unknown version") || !strings.Contains(list, "alpha") {
		t.Errorf("quarantine list prints\n%s", list)
	}
	id := strings.Fields(strings.Split(list, "\n")[1])[0]
	if show := run(t, "quarantine", "show", id, "--data", dir); !strings.Contains(show, "unknown schema version 7") || !strings.Contains(show, "00000000  ") {
		t.Errorf("quarantine show prints\n%s", show)
	}
	if n := count(t, db, `SELECT count(*) FROM gaps WHERE kind='quarantined' AND count=1`); n != 1 {
		t.Errorf("%d gaps tell of the message in quarantine, want 1", n)
	}
	// As it is, it stays unreadable, and is not counted twice.
	run(t, "quarantine", "replay", "--data", dir)
	await(t, "the message again", func() bool {
		return count(t, db, `SELECT duplicates FROM producers WHERE kind='snapshot' AND quarantined=1`) == 1
	})
	if n := count(t, db, `SELECT count(*) FROM quarantine`); n != 1 {
		t.Errorf("%d messages in quarantine, want 1", n)
	}
	// This build reads it when its version is put right; a later build would read it as it is.
	unreadable.Header.Set(nats.MsgIdHdr, unreadable.Header.Get(nats.MsgIdHdr)+schema.ReplayedMark+"x")
	unreadable.Header.Set(schema.HeaderReplayed, id)
	if _, err := log.PublishMsg(t.Context(), unreadable); err != nil {
		t.Fatal(err)
	}
	await(t, "the message in its place", func() bool { return snapshotsOf(t, db, "alpha") == 3 })
	if n := count(t, db, `SELECT (SELECT count(*) FROM quarantine) + (SELECT count(*) FROM gaps WHERE kind='quarantined')`); n != 0 {
		t.Errorf("it is still in quarantine, or a gap")
	}
	if n := count(t, db, `SELECT quarantined + missing FROM producers WHERE kind='snapshot' AND stored=3`); n != 0 {
		t.Errorf("the books still have %d in quarantine or missing", n)
	}

	bad := nats.NewMsg(schema.Subject("alpha", schema.KindExit))
	bad.Data = []byte("nothing of ours")
	if _, err := log.PublishMsg(t.Context(), bad); err != nil {
		t.Fatal(err)
	}
	await(t, "another one", func() bool { return count(t, db, `SELECT count(*) FROM quarantine`) == 1 })
	if out := run(t, "quarantine", "drop", "--all", "--data", dir); !strings.Contains(out, "Dropped 1") {
		t.Errorf("quarantine drop prints %q", out)
	}
	recorder.stop()
}

// dialLog connects to a running recorder's log, as its own commands do.
func dialLog(t *testing.T, dir string) jetstream.JetStream {
	t.Helper()
	key := must(embeddednats.LoadKey(filepath.Join(embeddednats.KeysDir(dir), "admin.nk")))(t)
	nc := must(nats.Connect("", append(key.Options(), nats.InProcessServer(embeddednats.Socket(embeddednats.SocketPath(dir))))...))(t)
	t.Cleanup(nc.Close)
	return must(jetstream.New(nc))(t)
}

var panics = withFault("panics", "projector/fold/snapshots.go",
	`	id, before := to.rowID, r.Newest
`,
	`	if runsAs("panics") && m.Seq == 13 {
		panic("a bug of ours")
	}
	id, before := to.rowID, r.Newest
`)

// TestHostile_PanicCostsOneMessage is a control of its own: a build that panics on one message folds all others.
func TestHostile_PanicCostsOneMessage(t *testing.T) {
	t.Parallel()
	broken := panics.program(t)
	log := startLog(t, t.TempDir())
	log.record(newHost("alpha", 10, 1), 30)
	db := filepath.Join(t.TempDir(), "p.db")
	p := startProgram(t, broken, "project", "--data", log.dir, "--db", db)
	await(t, "all but one", func() bool { return snapshotsOf(t, db, "alpha") == 29 })
	p.stop()
	if n := count(t, db, `SELECT count(*) FROM quarantine WHERE reason='panic' AND error LIKE '%a bug of ours%'`); n != 1 {
		t.Errorf("%d messages in quarantine for the panic, want 1", n)
	}
	if n := count(t, db, `SELECT quarantined FROM producers WHERE kind='snapshot'`); n != 1 {
		t.Errorf("the books have %d in quarantine, want 1", n)
	}
}
