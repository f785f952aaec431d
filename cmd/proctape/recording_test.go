package main

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/projector"
	"github.com/proctape/proctape/schema"
)

// fixedStart is when the fixed recording begins, 1000 seconds after its machines have booted.
var fixedStart = time.Date(2026, 11, 23, 3, 10, 0, 0, time.UTC)

const fixedUptime = 1000 * time.Second

// fixedHost makes the messages of one machine, as its sampler would. All that is in them is fixed.
type fixedHost struct {
	start    time.Time
	name     string
	instance schema.Instance
	numbers  map[schema.Kind]uint64
	produced uint64
	messages []*schema.Message
}

func newFixedHost(start time.Time, name string, id byte) *fixedHost {
	return &fixedHost{start: start, name: name, instance: schema.Instance{id}, numbers: map[schema.Kind]uint64{}}
}

// publish numbers a message, some time after the start, and keeps it for the log.
func (h *fixedHost) publish(kind schema.Kind, after time.Duration, msg schema.Message) {
	h.produced += max(1, uint64(len(msg.Events)+len(msg.Jobs)+len(msg.Execs)+len(msg.Gaps)))
	msg.Envelope = schema.Envelope{Version: schema.Version, Kind: kind, Host: h.name, BootID: "boot-" + h.name, Instance: h.instance, Seq: h.numbers[kind] + 1,
		Wall: h.start.Add(after).UnixNano(), Boot: int64(fixedUptime + after), Produced: h.produced}
	h.numbers[kind] += msg.Count()
	h.messages = append(h.messages, &msg)
}

// snapshot is a snapshot of a sampler that takes one every five seconds.
func (h *fixedHost) snapshot(after time.Duration, processes ...schema.Process) {
	capabilities := []schema.Capability{schema.CapProcesses, schema.CapIO, schema.CapPSI, schema.CapEventsTaskstats, schema.CapOOM}
	h.publish(schema.KindSnapshot, after, schema.Message{Snapshot: &schema.Snapshot{
		Interval: int64(5 * time.Second), Tick: uint64(after/(5*time.Second)) + 1, CPUs: 8, MemoryTotal: 24 << 20, MemoryAvail: 11 << 20,
		Load: [3]int64{910, 702, 421}, PressureLevel: "none", Capabilities: capabilities, Processes: schema.ProcessesOf(processes...)}})
}

// event is an event in the life of a process.
func (h *fixedHost) event(kind schema.Kind, after time.Duration, e schema.Event) {
	e.Wall, e.Boot, e.Source = h.start.Add(after).UnixNano(), int64(fixedUptime+after), "taskstats"
	h.publish(kind, after, schema.Message{Events: []schema.Event{e}})
}

// job is an event of a job.
func (h *fixedHost) job(after time.Duration, e schema.JobEvent) {
	e.Wall = h.start.Add(after).UnixNano()
	h.publish(schema.KindJob, after, schema.Message{Jobs: []schema.JobEvent{e}})
}

// fixedProcess is what a process of the fixed recording is.
type fixedProcess struct {
	pid, ppid  int
	command    string
	job        string
	sheet      int64
	born, dies time.Duration // a process without an end goes on
	rss, grows int64         // KiB, and KiB a snapshot
	cpu        int64         // thousandths of a core
	uid        int64
	state      string
}

// at is the process as a snapshot has it.
func (p *fixedProcess) at(after time.Duration) schema.Process {
	lived := after - p.born
	out := schema.Process{PID: p.pid, PPID: p.ppid, StartTicks: p.startTicks(), State: p.state, Threads: 1, Command: p.command, JobID: p.job, Cgroup: "/work",
		UID: schema.Some(p.uid), CPUPermille: schema.Some(p.cpu), CPUMillis: uint64(lived.Milliseconds() * p.cpu / 1000), RSS: schema.Some(p.rss + p.grows*int64(lived/(5*time.Second))),
		VMS: schema.Some(4 * p.rss), OpenFDs: schema.Some[int64](7), ReadKiB: schema.Some[int64](2048), WriteKiB: schema.Some[int64](512), Swap: schema.Some[int64](0)}
	if p.sheet > 0 {
		out.Sheet = schema.Some(p.sheet)
	}
	return out
}

func (p *fixedProcess) startTicks() uint64 {
	return uint64((fixedUptime + p.born) / (10 * time.Millisecond))
}

// about is an event in the life of the process.
func (p *fixedProcess) about() schema.Event {
	e := schema.Event{PID: p.pid, PPID: schema.Some(int64(p.ppid)), StartTicks: p.startTicks(), Command: p.command, JobID: p.job, UID: schema.Some(p.uid)}
	if p.sheet > 0 {
		e.Sheet = schema.Some(p.sheet)
	}
	return e
}

// end is the end of the process.
func (p *fixedProcess) end(code, signal int64) schema.Event {
	e, lived := p.about(), p.dies-p.born
	e.CPUMillis, e.System, e.Lifetime = schema.Some(lived.Milliseconds()*p.cpu/1000), schema.Some(lived.Milliseconds()*p.cpu/10000), schema.Some(lived.Milliseconds())
	e.PeakRSS, e.ReadKiB, e.WriteKiB = schema.Some(p.rss+p.grows*int64(lived/(5*time.Second))), schema.Some[int64](2048), schema.Some[int64](512)
	if signal != 0 {
		e.Signal = schema.Some(signal)
	} else {
		e.ExitCode = schema.Some(code)
	}
	return e
}

// fixedProcesses are the processes of build-07: a job of two steps, of which the second runs out of memory; one that left a daemon; and what
// is always there.
func fixedProcesses() []*fixedProcess {
	const s = time.Second
	return []*fixedProcess{
		{pid: 1, command: "/sbin/init", born: -900 * s, rss: 9 << 10, state: "S"},
		{pid: 800, ppid: 1, command: "sshd: /usr/sbin/sshd -D", born: -800 * s, rss: 6 << 10, state: "S"},
		{pid: 3900, ppid: 800, command: "proctape run --job build-7 -- make -j8", born: 2 * s, rss: 12 << 10, state: "S", uid: 3100},
		{pid: 3901, ppid: 3900, command: "make -j8", job: "build-7", sheet: 1, born: 3 * s, dies: 21 * s, rss: 20 << 10, cpu: 40, state: "S", uid: 3100},
		{pid: 3910, ppid: 3901, command: "cc -O2 -c main.c", job: "build-7", sheet: 1, born: 4 * s, dies: 20 * s, rss: 180 << 10, grows: 4 << 10, cpu: 990, state: "R", uid: 3100},
		{pid: 3950, ppid: 3900, command: "make link", job: "build-7", sheet: 2, born: 22 * s, dies: 52 * s, rss: 20 << 10, cpu: 10, state: "S", uid: 3100},
		{pid: 3951, ppid: 3950, command: "ld.lld -o app --threads=8 @objs.rsp", job: "build-7", sheet: 2, born: 23 * s, dies: 51 * s, rss: 600 << 10, grows: 900 << 10, cpu: 3100, state: "R", uid: 3100},
		{pid: 4100, ppid: 1, command: "node mcp-server.js", job: "agent-7f3", born: 5 * s, rss: 300 << 10, grows: 1 << 10, cpu: 940, state: "R", uid: 3101},
	}
}

// fixedMessages are the messages of the fixed recording.
func fixedMessages(start time.Time) []*schema.Message {
	const s = time.Second
	h, all := newFixedHost(start, "build-07", 7), fixedProcesses()
	run, agent := schema.RunID{0x42}, schema.RunID{0x7f}
	sheet := func(n int64) schema.Opt[int64] { return schema.Some(n) }
	for at := time.Duration(0); at <= 60*s; at += s {
		switch at {
		case 2 * s:
			h.job(at, schema.JobEvent{Type: schema.JobDeclared, JobID: "build-7", Run: run, Status: "running", Command: "make -j8", TotalSheets: sheet(2), PID: sheet(3900), StartTicks: all[2].startTicks(), Supervisor: true})
		case 3 * s, 22 * s:
			h.job(at, schema.JobEvent{Type: schema.JobSheetStarted, JobID: "build-7", Run: run, Sheet: sheet(1 + int64(at/(20*s)))})
		case 4 * s:
			h.job(at, schema.JobEvent{Type: schema.JobDeclared, JobID: "agent-7f3", Run: agent, Status: "running", Command: "claude", PID: sheet(4090), StartTicks: 99_000})
		case 21 * s:
			h.job(at, schema.JobEvent{Type: schema.JobSheetEnded, JobID: "build-7", Run: run, Sheet: sheet(1), ExitCode: sheet(0), LastCompleted: sheet(1), Totals: &schema.Totals{
				CPUMicros: sheet(16_560_000), System: sheet(2_060_000), CPUSource: schema.FromWait, PeakRSS: sheet(192 << 10), PeakSource: schema.FromWait, GroupPeak: sheet(230 << 10)}})
		case 12 * s:
			h.publish(schema.KindExec, at, schema.Message{Execs: []schema.Exec{{Wall: h.start.Add(at).UnixNano(), Boot: int64(fixedUptime + at), PID: 4100, StartTicks: all[7].startTicks(),
				UID: sheet(3101), Command: "node mcp-server.js", JobID: "agent-7f3", Source: "connector"}}})
		case 40 * s:
			h.job(at, schema.JobEvent{Type: schema.JobEnded, JobID: "agent-7f3", Run: agent, Status: "completed", ExitCode: sheet(0)})
		case 52 * s:
			h.job(at, schema.JobEvent{Type: schema.JobSheetEnded, JobID: "build-7", Run: run, Sheet: sheet(2), ExitCode: sheet(2), Status: "failed"})
			h.job(at, schema.JobEvent{Type: schema.JobEnded, JobID: "build-7", Run: run, Status: "failed", ExitCode: sheet(2), Totals: &schema.Totals{
				CPUMicros: sheet(103_500_000), System: sheet(9_250_000), CPUSource: schema.FromGroup, PeakRSS: sheet(5100 << 10), PeakSource: schema.FromExits, GroupPeak: sheet(5200 << 10),
				ReadKiB: sheet(2100), WriteKiB: sheet(1024), IOSource: schema.FromGroup, Processes: sheet(4)}})
		}
		h.lives(all, at)
	}
	other := newFixedHost(start, "web-01", 1)
	nginx := &fixedProcess{pid: 700, ppid: 1, command: "nginx: worker process", born: -600 * s, rss: 40 << 10, cpu: 55, state: "S", uid: 3033}
	for at := time.Duration(0); at <= 60*s; at += 5 * s {
		if at <= 20*s || at > 40*s { // what is between was not sampled
			other.snapshot(at, nginx.at(at))
		}
	}
	return append(h.messages, other.messages...)
}

// lives publishes what happens to processes at a time, and every five seconds a snapshot.
func (h *fixedHost) lives(all []*fixedProcess, at time.Duration) {
	var there []schema.Process
	for _, p := range all {
		if p.born == at {
			h.event(schema.KindSpawn, at, p.about())
		}
		if p.dies == at && at > 0 {
			signal, code := int64(0), int64(0)
			if p.command == "make link" {
				code = 2
			}
			if p.pid == 3951 {
				signal = 9
				e := p.about()
				e.Signal, e.Details = schema.Some(signal), "out of memory: control group /work was at its limit of 5324800 KiB; the process held 4980 MiB"
				h.event(schema.KindOOM, at, e)
			}
			h.event(schema.KindExit, at, p.end(code, signal))
		}
		if p.born <= at && (p.dies == 0 || at < p.dies) {
			there = append(there, p.at(at))
		}
	}
	if at%(5*time.Second) == 0 {
		h.snapshot(at, there...)
	}
}

// record makes a data folder with the fixed recording, which begins at a time, as a recorder does: a server keeps the messages in its log, and a projector makes the
// database of the log. One message is none that can be read.
func record(t *testing.T, dir string, start time.Time) {
	t.Helper()
	recordMessages(t, dir, fixedMessages(start))
}

// recordMessages makes a data folder with a recording of messages.
func recordMessages(t *testing.T, dir string, messages []*schema.Message) {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	a, err := embeddednats.Attach(t.Context(), embeddednats.Config{Dir: dir, Log: quiet}, true)
	if err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.New(a.Conn)
	if err == nil {
		err = embeddednats.Declare(t.Context(), js, schema.Streams(schema.Policy{}, 1), true)
	}
	for _, msg := range messages {
		if err != nil {
			break
		}
		out := nats.NewMsg("")
		if out.Subject, out.Data, err = schema.EncodeMsg(msg, out.Header); err == nil {
			_, err = js.PublishMsg(t.Context(), out)
		}
	}
	if err == nil {
		_, err = js.Publish(context.Background(), "proctape.v1.web-01.event.spawn", []byte("no message"))
	}
	if err == nil {
		_, err = projector.Replay(t.Context(), js, projector.ReplayConfig{DB: filepath.Join(dir, "monitor.db"), Log: quiet})
	}
	if err := errors.Join(err, a.Close()); err != nil {
		t.Fatal(err)
	}
}
