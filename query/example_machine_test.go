package query_test

import (
	"context"
	"errors"
	"log"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/projector"
	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema"
)

// start is when the examples' recordings begin, 1000 seconds after their machine has booted.
var start = time.Date(2026, 11, 23, 3, 10, 0, 0, time.UTC)

const bootedFor = 1000 * time.Second

// machine makes the messages of one machine, as its sampler would.
type machine struct {
	host     string
	instance schema.Instance
	numbers  map[schema.Kind]uint64
	produced uint64
	messages []*schema.Message
}

func newMachine(host string) *machine {
	return &machine{host: host, instance: schema.NewInstance(), numbers: map[schema.Kind]uint64{}}
}

// publish numbers a message of the machine, some time after the start, and keeps it for the log.
func (m *machine) publish(kind schema.Kind, after time.Duration, msg schema.Message) {
	m.produced += max(1, uint64(len(msg.Events)+len(msg.Jobs)))
	msg.Envelope = schema.Envelope{Version: schema.Version, Kind: kind, Host: m.host, BootID: "boot-1", Instance: m.instance, Seq: m.numbers[kind] + 1,
		Wall: start.Add(after).UnixNano(), Boot: int64(bootedFor + after), Produced: m.produced}
	m.numbers[kind] += msg.Count()
	m.messages = append(m.messages, &msg)
}

// snapshot is a snapshot of a sampler that takes one every five seconds.
func (m *machine) snapshot(after time.Duration, processes ...schema.Process) {
	m.publish(schema.KindSnapshot, after, schema.Message{Snapshot: &schema.Snapshot{
		Interval: int64(5 * time.Second), Tick: uint64(after/(5*time.Second)) + 1, CPUs: 2, MemoryTotal: 8 << 20, MemoryAvail: 6 << 20,
		Load: [3]int64{125, 80, 40}, PressureLevel: "none", Capabilities: []schema.Capability{schema.CapProcesses, schema.CapIO, schema.CapEventsTaskstats},
		Processes: schema.ProcessesOf(processes...)}})
}

// event is an event in the life of a process.
func (m *machine) event(kind schema.Kind, after time.Duration, e schema.Event) {
	e.Wall, e.Boot, e.Source = start.Add(after).UnixNano(), int64(bootedFor+after), "bpf"
	m.publish(kind, after, schema.Message{Events: []schema.Event{e}})
}

// compiler is a process of a job, as a snapshot has it.
func compiler(cpuPermille, rssKiB int64, cpu time.Duration) schema.Process {
	return schema.Process{PID: 4242, PPID: 1, StartTicks: 99_000, State: "R", Threads: 1, Command: "cc -O2 main.c", JobID: "build-7", Sheet: schema.Some[int64](1),
		CPUPermille: schema.Some(cpuPermille), RSS: schema.Some(rssKiB), CPUMillis: uint64(cpu.Milliseconds())}
}

// record makes a database of a machine's messages the way a recorder does: a server stores them in its log, and a projector
// makes the database of the log. remove removes both.
func (m *machine) record() (path string, remove func()) {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		log.Fatal(err)
	}
	path = filepath.Join(dir, "monitor.db")
	if err := m.project(dir, path); err != nil {
		log.Fatal(err)
	}
	return path, func() { os.RemoveAll(dir) }
}

func (m *machine) project(dir, path string) error {
	ctx, quiet := context.Background(), slog.New(slog.DiscardHandler)
	a, err := embeddednats.Attach(ctx, embeddednats.Config{Dir: dir, Log: quiet}, true)
	if err != nil {
		return err
	}
	js, err := jetstream.New(a.Conn)
	if err == nil {
		err = embeddednats.Declare(ctx, js, schema.Streams(schema.Policy{}, 1), true)
	}
	for _, msg := range m.messages {
		if err != nil {
			break
		}
		out := nats.NewMsg("")
		if out.Subject, out.Data, err = schema.EncodeMsg(msg, out.Header); err == nil {
			_, err = js.PublishMsg(ctx, out)
		}
	}
	if err == nil {
		_, err = projector.Replay(ctx, js, projector.ReplayConfig{DB: path, Log: quiet})
	}
	return errors.Join(err, a.Close())
}

// openRecorded records a machine and opens its database. done closes and removes it.
func (m *machine) openRecorded() (db *query.DB, done func()) {
	path, remove := m.record()
	db, err := query.Open(context.Background(), path)
	if err != nil {
		log.Fatal(err)
	}
	return db, func() {
		db.Close()
		remove()
	}
}
