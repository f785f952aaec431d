package projector

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/proctape/proctape/projector/fold"
	"github.com/proctape/proctape/schema"
)

// recordLog writes testdata/recorded.jsonl.gz anew. The log is frozen: a change of the code does not call for another
// recording, and a change of its hash is a change of what the tables or the lines hold.
var recordLog = flag.Bool("record", false, "record testdata/recorded.jsonl.gz anew")

const recordedPath = "testdata/recorded.jsonl.gz"

// recordedHash is the hash of all tables and both files that the recorded log gives.
const recordedHash = "51940ef79e0f38d4cab618028f3c512125a4035120580266948207fbe92981e4"

// youngerColumns are columns that the recorded log fills and its hash is older than.
var youngerColumns = map[string]bool{"checkpoints.first_seq": true, "producers.produced": true, "producers.acked": true, "producers.ended_ns": true, "producers.began_ns": true,
	"files.sum": true, "rosters.lead_wall_ns": true, "rosters.lead_boot_ns": true, "rosters.silent": true, "rosters.doubled": true,
	"snapshots.goes_on": true, "rosters.capabilities": true, "rosters.partial": true, "processes.peak_snapshot": true, "processes.first_rss_kib": true}

// youngerTables are tables that the recorded log fills and its hash is older than.
var youngerTables = map[string]bool{"runs": true, "run_steps": true, "host_minutes": true, "step_minutes": true, "program_minutes": true, "lives": true, "lanes": true, "rule_memories": true, "found_anomalies": true}

// recordedMessage is one message of the recorded log, as the server kept it.
type recordedMessage struct {
	Log     int         `json:"log"` // messages of one number are one log
	Stream  string      `json:"stream"`
	Seq     uint64      `json:"seq"`
	Stored  int64       `json:"stored_ns"`
	Subject string      `json:"subject"`
	Header  nats.Header `json:"header"`
	Payload []byte      `json:"payload"`
}

// The recorded log gives the same rows and the same lines, to the byte, as it did when it was recorded, in batches of
// any size.
func TestRecordedLog(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	if *recordLog {
		writeRecorded(t, makeLogs(t))
	}
	logs := readRecorded(t, recordedPath)
	for _, batch := range []int{1, 7, 1000} {
		if got := foldRecorded(t, logs, batch); got != recordedHash {
			t.Errorf("in batches of %d: got hash %s, want %s. This is a change of what is written: "+
				"tables and columns that hold nothing here are left out", batch, got, recordedHash)
		}
	}
	// The control: one message less is another hash.
	logs[0] = slices.Delete(logs[0], 20, 21)
	if got := foldRecorded(t, logs, 1000); got == recordedHash {
		t.Error("a message is missing, and the hash is the same")
	}
}

// foldRecorded folds each log into a database of its own, and returns the hash of what they hold.
func foldRecorded(t *testing.T, logs [][]recordedMessage, batch int) string {
	t.Helper()
	sum := sha256.New()
	for _, log := range logs {
		p := newTape(t, smallFile*4)
		for part := range slices.Chunk(log, batch) {
			deliveries := make([]*received, len(part))
			for i, m := range part {
				deliveries[i] = &received{Delivery: fold.Delivery{Stream: m.Stream, Seq: m.Seq, Stored: time.Unix(0, m.Stored), Subject: m.Subject, Header: fold.Header(m.Header), Payload: m.Payload}}
				deliveries[i].Decode()
			}
			p.fold(deliveries...)
		}
		tables, files := p.filled(), p.files()
		for _, table := range slices.Sorted(maps.Keys(tables)) {
			fmt.Fprintln(sum, table, len(tables[table]))
			for _, row := range tables[table] {
				fmt.Fprintln(sum, row)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(files)) {
			fmt.Fprintln(sum, name, len(files[name]), files[name])
		}
		p.close()
	}
	return fmt.Sprintf("%x", sum.Sum(nil))
}

// makeLogs makes the logs to record: stories in which messages are lost, late, repeated and spoilt, with every field
// that a message has, and a log with rollups as retention makes them.
func makeLogs(t *testing.T) [][]*received {
	t.Helper()
	var logs [][]*received
	for seed := range uint64(4) {
		logs = append(logs, story{late: true, poison: true, full: true}.tell(seeded(seed+100), 150))
	}
	return append(logs, logWithRollups(t))
}

// logWithRollups is what the streams of a log hold after retention has made its rollups.
func logWithRollups(t *testing.T) []*received {
	t.Helper()
	w := newWorld(t)
	alpha, beta := w.host("alpha"), w.host("beta")
	w.run(13*minute, 20*second, busy(7), alpha, beta)
	log := newLog()
	told := log.publishAll(w.sent...)
	d := w.open("live", short)
	d.settle()
	d.retain()
	late := w.record(40*second, 20*second, busy(8), alpha)
	w.publish(late...)
	told = append(told, log.publishAll(late...)...)
	stream, err := w.js.Stream(t.Context(), schema.StreamRollups)
	if err != nil {
		t.Fatal(err)
	}
	for seq := stream.CachedInfo().State.FirstSeq; seq <= stream.CachedInfo().State.LastSeq; seq++ {
		msg, err := stream.GetMsg(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		told = append(told, log.deliver(schema.StreamRollups, msg.Subject, msg.Header, msg.Data))
	}
	return told
}

func writeRecorded(t *testing.T, logs [][]*received) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(recordedPath), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(recordedPath)
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	lines := json.NewEncoder(z)
	for i, log := range logs {
		for _, d := range log {
			if err := lines.Encode(recordedMessage{i, d.Stream, d.Seq, d.Stored.UnixNano(), d.Subject, nats.Header(d.Header), d.Payload}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := errors.Join(z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

func readRecorded(t *testing.T, path string) [][]recordedMessage {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var logs [][]recordedMessage
	for lines := json.NewDecoder(z); ; {
		var m recordedMessage
		if err := lines.Decode(&m); errors.Is(err, io.EOF) {
			return logs
		} else if err != nil {
			t.Fatal(err)
		}
		for len(logs) <= m.Log {
			logs = append(logs, nil)
		}
		logs[m.Log] = append(logs[m.Log], m)
	}
}

// fill gives a message a value in every field that a story leaves open.
func (t *teller) fill(m *schema.Message) {
	m.Dropped = nil
	if t.roll(5) == 0 {
		m.Dropped = []schema.Drop{{Reason: "queue full", Count: uint64(1 + t.roll(4))}}
	}
	if s := m.Snapshot; s != nil {
		t.fillSnapshot(s)
	}
	for i := range m.Events {
		e := &m.Events[i]
		e.PPID, e.UID, e.ExitCode, e.Signal, e.Sheet = t.opt(9), t.opt(3), t.opt(256), t.opt(15), t.opt(3)
		e.CPUMillis, e.SampledCPU, e.PeakRSS = t.opt(5000), t.opt(5000), t.opt(1<<20)
		e.ReadKiB, e.WriteKiB, e.Lifetime, e.Core = t.opt(1<<12), t.opt(1<<12), t.opt(1<<20), t.roll(4) == 0
		e.StartTicks, e.Command = uint64(t.roll(1000)), fmt.Sprintf("cc \"né\" -o %d.o\t\u2028", t.roll(5))
	}
	for i := range m.Execs {
		m.Execs[i].UID, m.Execs[i].Sheet = t.opt(3), t.opt(3)
	}
	for i := range m.Jobs {
		j := &m.Jobs[i]
		j.PID, j.StartTicks, j.Details = t.opt(100), uint64(t.roll(1000)), strings.Repeat("d", t.roll(3))
	}
	for i := range m.Gaps {
		m.Gaps[i].Details = fmt.Sprintf("gap %d", i)
	}
}

func (t *teller) fillSnapshot(s *schema.Snapshot) {
	s.Partial, s.Hidden = t.roll(3) == 0, t.roll(4)
	s.RunningJobs, s.ActiveSheets = t.roll(3), t.roll(3)
	s.Capabilities = []schema.Capability{"every process", "exit codes"}[:t.roll(3)]
	s.HostValues.HugetlbTotal, s.HostValues.GroupCPU = t.opt(1<<24), t.opt(1<<14)
	if t.roll(4) == 0 {
		s.HostValues.Unknown = []schema.HostValue{schema.HostLoad}
		s.Load = [3]int64{}
	}
	s.PressureLevel = []string{"none", "low", "medium", "high", "critical"}[t.roll(5)]
	if t.roll(3) > 0 {
		s.Pressure = &schema.Pressure{CPUSome: t.opt(10000), MemorySome: t.opt(10000), MemoryFull: t.opt(99), IOSome: t.opt(10000), IOFull: t.opt(99)}
	}
	for i := range t.roll(3) {
		s.GPUs = append(s.GPUs, schema.GPU{Index: i, Utilization: t.opt(1000), MemoryUsed: t.opt(1 << 24), MemoryTotal: t.opt(1 << 25), Temperature: t.opt(900)})
	}
	for i := range t.roll(3) {
		s.JobProgress = append(s.JobProgress, schema.JobProgress{JobID: fmt.Sprintf("job-%d", i), TotalSheets: t.opt(9), LastCompleted: t.opt(9),
			CurrentSheet: t.opt(9), Status: "running"})
	}
	rows := s.Processes.Rows()
	for i := range rows {
		p := &rows[i]
		p.WriteKiB, p.GPUMemory, p.Threads = t.opt(1<<16), t.opt(1<<22), 1+t.roll(5)
		p.Cgroup = []string{"", "/system.slice/cron.service", "/user.slice"}[t.roll(3)]
	}
	s.Processes = schema.ProcessesOf(rows...)
}
