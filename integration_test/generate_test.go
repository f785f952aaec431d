package integration_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/schema"
)

// host makes the messages of one host that does not exist: processes that live on, come and go, work and sleep, some
// of them for a job. The same seed makes the same messages.
type host struct {
	name     string
	boot     string
	instance schema.Instance
	random   *rand.Rand
	procs    []schema.Process
	next     map[schema.Kind]uint64
	produced uint64
	tick     uint64
	wall     int64
	uptime   int64
	lastPID  int
	command  int // how many bytes longer than others' its processes' command lines are
}

// The time at which all hosts that do not exist begin.
var epoch = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC).UnixNano()

const samplePeriod = 5 * time.Second

func newHost(name string, processes int, seed uint64) *host {
	h := &host{name: name, boot: "00000000-0000-4000-8000-000000000000", random: rand.New(rand.NewPCG(seed, 1)),
		next: map[schema.Kind]uint64{}, wall: epoch, uptime: int64(time.Hour)}
	for i := range h.instance {
		h.instance[i] = byte(h.random.UintN(256))
	}
	for range processes {
		h.procs = append(h.procs, h.newProcess())
	}
	return h
}

func (h *host) newProcess() schema.Process {
	h.lastPID++
	p := schema.Process{PID: h.lastPID, PPID: 1, StartTicks: uint64(h.uptime / 1e7), State: "S", Threads: 1 + h.random.IntN(8),
		RSS: schema.Some(int64(4096 + h.random.IntN(1<<18))), VMS: schema.Some(int64(1<<20 + h.random.IntN(1<<20))),
		OpenFDs: schema.Some(int64(3 + h.random.IntN(60))), UID: schema.Some(int64(1000)),
		Command: fmt.Sprintf("/usr/bin/worker-%d --config /etc/worker/%d.conf %s", h.random.IntN(20), h.lastPID, strings.Repeat("x", h.command+h.random.IntN(100)))}
	if h.random.IntN(2) == 0 {
		p.JobID, p.Sheet = fmt.Sprintf("job-%d", h.random.IntN(5)), schema.Some(int64(1+h.random.IntN(3)))
	}
	return p
}

// renew has new processes in the place of all.
func (h *host) renew() {
	for i := range h.procs {
		h.procs[i] = h.newProcess()
	}
}

// snapshot is the next look at the host, and what started and ended since the one before.
func (h *host) snapshot() (messages []*schema.Message) {
	h.tick++
	h.wall += int64(samplePeriod)
	h.uptime += int64(samplePeriod)
	var spawns, exits []schema.Event
	kept := h.procs[:0:0]
	for _, p := range h.procs {
		switch {
		case h.random.IntN(100) == 0:
			exits = append(exits, schema.Event{Wall: h.wall, Boot: h.uptime, PID: p.PID, StartTicks: p.StartTicks, JobID: p.JobID, Sheet: p.Sheet, Command: p.Command, Source: "proc-diff"})
			p = h.newProcess()
			spawns = append(spawns, schema.Event{Wall: h.wall, Boot: h.uptime, PID: p.PID, StartTicks: p.StartTicks, JobID: p.JobID, Sheet: p.Sheet, Command: p.Command, Source: "proc-diff"})
		case h.random.IntN(100) < 15:
			used := h.random.IntN(5000)
			p.State, p.CPUPermille = "R", schema.Some(int64(used/5))
			p.CPUMillis += uint64(used)
			p.RSS = schema.Some(p.RSS.V + int64(h.random.IntN(512)))
		default:
			p.State, p.CPUPermille = "S", schema.Some[int64](0)
		}
		kept = append(kept, p)
	}
	h.procs = kept
	// New processes have the highest pids; the list rises.
	sortByPID(h.procs)
	snap := &schema.Snapshot{Interval: int64(samplePeriod), Tick: h.tick, DaemonPID: 1, CPUs: 8, MemoryTotal: 32 << 20, MemoryAvail: 16 << 20,
		PressureLevel: "none", Processes: schema.ProcessesOf(h.procs...)}
	messages = append(messages, h.message(schema.KindSnapshot, &schema.Message{Snapshot: snap}))
	if len(exits) > 0 {
		messages = append(messages, h.message(schema.KindExit, &schema.Message{Events: exits}), h.message(schema.KindSpawn, &schema.Message{Events: spawns}))
	}
	return messages
}

func sortByPID(procs []schema.Process) {
	for i := 1; i < len(procs); i++ {
		for j := i; j > 0 && procs[j].PID < procs[j-1].PID; j-- {
			procs[j], procs[j-1] = procs[j-1], procs[j]
		}
	}
}

// message numbers a message as a producer does.
func (h *host) message(kind schema.Kind, m *schema.Message) *schema.Message {
	m.Version, m.Kind, m.Host, m.BootID, m.Instance = schema.Version, kind, h.name, h.boot, h.instance
	m.Wall, m.Boot = h.wall, h.uptime
	m.Seq = h.next[kind] + 1
	h.next[kind] += m.Count()
	h.produced += m.Count()
	m.Produced = h.produced
	return m
}

// natsMessage is a message as a producer publishes it.
func natsMessage(t *testing.T, m *schema.Message) *nats.Msg {
	t.Helper()
	payload, encoding, err := schema.Encode(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	msg := nats.NewMsg(schema.Subject(m.Host, m.Kind))
	msg.Data = payload
	msg.Header.Set(nats.MsgIdHdr, m.ID())
	if n := m.Count(); n > 1 {
		msg.Header.Set(schema.HeaderItems, fmt.Sprint(n))
	}
	if encoding != "" {
		msg.Header.Set(schema.HeaderEncoding, encoding)
	}
	return msg
}

// logServer is a log on a data folder, as a recorder runs it, without the recorder.
type logServer struct {
	t      *testing.T
	dir    string
	server *embeddednats.Server
	nc     *nats.Conn
	js     jetstream.JetStream
}

func startLog(t *testing.T, dir string) *logServer {
	t.Helper()
	l := &logServer{t: t, dir: dir}
	l.start()
	t.Cleanup(l.stop)
	return l
}

func (l *logServer) start() {
	l.t.Helper()
	var err error
	if l.server, err = embeddednats.Start(context.Background(), embeddednats.Config{Dir: l.dir}); err != nil {
		l.t.Fatal(err)
	}
	if l.nc, err = l.server.Connect(); err != nil {
		l.t.Fatal(err)
	}
	if l.js, err = jetstream.New(l.nc, jetstream.WithPublishAsyncMaxPending(512)); err != nil {
		l.t.Fatal(err)
	}
	if err := embeddednats.Declare(context.Background(), l.js, schema.Streams(schema.Policy{}, 1), true); err != nil {
		l.t.Fatal(err)
	}
}

func (l *logServer) stop() {
	if l.server == nil {
		return
	}
	l.nc.Close()
	if err := l.server.Close(); err != nil {
		l.t.Error(err)
	}
	l.server = nil
}

// publish publishes and waits until all are acknowledged.
func (l *logServer) publish(messages ...*schema.Message) {
	l.t.Helper()
	var futures []jetstream.PubAckFuture
	for _, m := range messages {
		f, err := l.js.PublishMsgAsync(natsMessage(l.t, m), jetstream.WithStallWait(patience))
		if err != nil {
			l.t.Fatal(err)
		}
		futures = append(futures, f)
	}
	for _, f := range futures {
		select {
		case <-f.Ok():
		case err := <-f.Err():
			l.t.Fatal(err)
		}
	}
}

// record publishes n snapshots of a host and the events in between.
func (l *logServer) record(h *host, n int) {
	l.t.Helper()
	for done := 0; done < n; {
		var batch []*schema.Message
		for ; done < n && len(batch) < 100; done++ {
			batch = append(batch, h.snapshot()...)
		}
		l.publish(batch...)
	}
}
