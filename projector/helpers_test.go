package projector

import (
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/proctape/proctape/projector/anomaly"
	"github.com/proctape/proctape/projector/fold"
	"github.com/proctape/proctape/projector/ndjson"
	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

// dice returns a number from 0 to n-1.
type dice func(n int) int

// simHost makes the messages of one host. What it makes depends only on the calls.
type simHost struct {
	name     string
	bootID   string
	boots    int
	instance schema.Instance
	lives    int
	seq      map[schema.Kind]uint64
	produced uint64
	wall     int64
	boot     int64
	tick     uint64
	procs    map[int]*schema.Process
	tells    bool           // its lives tell what those before them had reached
	before   schema.End     // the life before
	telling  map[string]int // in so many messages more of a stream
}

const second = int64(time.Second)

func newHost(name string, procs ...schema.Process) *simHost {
	h := &simHost{name: name, wall: 1_700_000_000 * second, procs: map[int]*schema.Process{}}
	h.reboot()
	for _, p := range procs {
		h.start(p)
	}
	return h
}

// restart begins another life of the producer.
func (h *simHost) restart() {
	if h.tells && h.produced > 0 {
		h.before, h.telling = h.end(), map[string]int{schema.StreamSnapshots: 3, schema.StreamEvents: 3}
	}
	h.lives++
	h.seq, h.produced, h.tick = map[schema.Kind]uint64{}, 0, 0
	h.instance = schema.Instance{}
	copy(h.instance[:], fmt.Sprintf("%-8.8s%8d", h.name, h.lives))
}

// end is what the life has reached. Every other life is cut off.
func (h *simHost) end() schema.End {
	e := schema.End{Instance: h.instance, BootID: h.bootID, Wall: h.wall, Boot: h.boot, Final: h.lives%2 == 0, Produced: h.produced}
	for _, k := range schema.Kinds() {
		if next := h.seq[k.Kind]; next > 1 {
			e.Reached = append(e.Reached, schema.Reached{Kind: k.Kind, Seq: next - 1})
		}
	}
	return e
}

func (h *simHost) reboot() {
	h.boots++
	h.bootID = fmt.Sprintf("boot-%d", h.boots)
	h.boot = 100 * second
	clear(h.procs)
	h.restart()
}

// pass lets time go by.
func (h *simHost) pass(d int64) {
	h.wall += d
	h.boot += d
}

// start adds a process; what p leaves open gets a value.
func (h *simHost) start(p schema.Process) *schema.Process {
	if p.State == "" {
		p.State = "S"
	}
	if p.Command == "" {
		p.Command = fmt.Sprintf("program-%d", p.PID)
	}
	if p.StartTicks == 0 {
		p.StartTicks = uint64(h.boot / 1e7)
	}
	p.Threads = max(p.Threads, 1)
	h.procs[p.PID] = &p
	return &p
}

func (h *simHost) envelope(kind schema.Kind, n uint64) schema.Envelope {
	if h.seq[kind] == 0 {
		h.seq[kind] = 1
	}
	first := h.seq[kind]
	h.seq[kind] += n
	h.produced += n
	e := schema.Envelope{Version: schema.Version, Kind: kind, Host: h.name, BootID: h.bootID, Instance: h.instance,
		Seq: first, Wall: h.wall, Boot: h.boot, Produced: h.produced}
	if stream := schema.StreamFor(kind); h.telling[stream] > 0 {
		h.telling[stream]--
		e.Ended = []schema.End{h.before}
	}
	return e
}

// snapshot looks at the host as it is, a second after the last look.
func (h *simHost) snapshot() *schema.Message {
	h.pass(second)
	h.tick++
	s := &schema.Snapshot{Interval: second, Tick: h.tick, DaemonPID: 77, DaemonRSS: 20_480, Uptime: h.boot - 50*second, CPUs: 2,
		MemoryTotal: 16 << 20, MemoryAvail: 9 << 20, Load: [3]int64{150, 75, 5}, PressureLevel: "none"}
	for _, pid := range slices.Sorted(maps.Keys(h.procs)) {
		s.Processes.Append(h.procs[pid])
	}
	return &schema.Message{Envelope: h.envelope(schema.KindSnapshot, 1), Snapshot: s}
}

// events makes a message of n events.
func (h *simHost) events(kind schema.Kind, n int, jobs ...string) *schema.Message {
	m := &schema.Message{Envelope: h.envelope(kind, uint64(n))}
	for i := range n {
		e := schema.Event{Wall: h.wall + int64(i), Boot: h.boot + int64(i), PID: 100 + i, Command: "program",
			Source: "proc-diff", Details: fmt.Sprintf("event %d", i)}
		if len(jobs) > 0 {
			e.JobID = jobs[i%len(jobs)]
		}
		m.Events = append(m.Events, e)
	}
	return m
}

// execs makes a message of n execs. Of every third the command line could not be read.
func (h *simHost) execs(n int, jobs ...string) *schema.Message {
	m := &schema.Message{Envelope: h.envelope(schema.KindExec, uint64(n))}
	for i := range n {
		e := schema.Exec{Wall: h.wall + int64(i), Boot: h.boot + int64(i), PID: 100 + i, StartTicks: uint64(7 + i), Source: "connector"}
		if i%3 != 2 {
			e.Command = fmt.Sprintf("program %d", i)
		}
		if len(jobs) > 0 {
			e.JobID = jobs[i%len(jobs)]
		}
		m.Execs = append(m.Execs, e)
	}
	return m
}

func (h *simHost) gaps(n int) *schema.Message {
	m := &schema.Message{Envelope: h.envelope(schema.KindGap, uint64(n))}
	for i := range n {
		m.Gaps = append(m.Gaps, schema.Gap{Kind: schema.GapEventsLost, Count: schema.Some(int64(i)), FromWall: h.wall - second, ToWall: h.wall})
	}
	return m
}

func (h *simHost) jobs(events ...schema.JobEvent) *schema.Message {
	m := &schema.Message{Envelope: h.envelope(schema.KindJob, uint64(len(events))), Jobs: events}
	for i := range m.Jobs {
		if m.Jobs[i].Wall == 0 {
			m.Jobs[i].Wall = h.wall
		}
	}
	return m
}

func declared(job string) schema.JobEvent {
	return schema.JobEvent{Type: schema.JobDeclared, JobID: job}
}

// simLog gives messages their places in the streams.
type simLog struct {
	seq    map[string]uint64
	stored time.Time
}

func newLog() *simLog {
	return &simLog{seq: map[string]uint64{}, stored: time.Unix(1_700_000_000, 0)}
}

// publish is the delivery of m as a projector gets it.
func (l *simLog) publish(m *schema.Message) *received {
	payload, encoding, err := schema.Encode(nil, m)
	if err != nil {
		panic(err)
	}
	header := nats.Header{nats.MsgIdHdr: {m.ID()}}
	if encoding != "" {
		header.Set(schema.HeaderEncoding, encoding)
	}
	if m.Count() > 1 {
		header.Set(schema.HeaderItems, strconv.FormatUint(m.Count(), 10))
	}
	return l.deliver(schema.StreamFor(m.Kind), schema.Subject(m.Host, m.Kind), header, payload)
}

func (l *simLog) publishAll(ms ...*schema.Message) []*received {
	var list []*received
	for _, m := range ms {
		list = append(list, l.publish(m))
	}
	return list
}

func (l *simLog) deliver(stream, subject string, header map[string][]string, payload []byte) *received {
	l.seq[stream]++
	l.stored = l.stored.Add(10 * time.Millisecond)
	d := &received{Delivery: fold.Delivery{Stream: stream, Seq: l.seq[stream], Stored: l.stored, Subject: subject, Header: fold.Header(header), Payload: payload}}
	d.Decode()
	return d
}

// lose makes a hole of n messages in a stream.
func (l *simLog) lose(stream string, n uint64) { l.seq[stream] += n }

// tape is a database and its files, into which deliveries are folded without a server.
type tape struct {
	t     testing.TB
	dir   string
	limit int64  // of the files; negative for no files
	log   string // of the last opening of the files
	s     *session
	rules *anomaly.Rules // that look at what is folded
}

// fastDir is a folder in memory, where there is one. What these tests lose is what a process forgets, not what a disk
// does.
func fastDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "proctape")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func newTape(t testing.TB, limit int64) *tape {
	t.Helper()
	p := &tape{t: t, dir: fastDir(t), limit: limit, rules: builtInRules(t)}
	p.beginEmpty()
	p.open()
	t.Cleanup(p.close)
	return p
}

// emptyDatabase are a database without rows and the sums of its pages. To copy it costs a fraction of what making its tables costs.
var emptyDatabase = sync.OnceValues(func() (files map[string][]byte, err error) {
	dir, err := os.MkdirTemp("", "proctape")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "monitor.db")
	db, err := store.Open(path)
	if err == nil {
		err = db.Close()
	}
	files = map[string][]byte{}
	for _, suffix := range []string{"", "-sums"} {
		var failed error
		files[suffix], failed = os.ReadFile(path + suffix)
		err = errors.Join(err, failed)
	}
	return files, err
})

// beginEmpty gives a tape a copy of the empty database, which takes an id of its own when it is opened.
func (p *tape) beginEmpty() {
	p.t.Helper()
	files, err := emptyDatabase()
	for suffix, b := range files {
		err = errors.Join(err, os.WriteFile(p.path()+suffix, b, 0o600))
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *tape) path() string { return filepath.Join(p.dir, "monitor.db") }

func (p *tape) open() {
	p.t.Helper()
	db, err := store.Open(p.path())
	if err != nil {
		p.t.Fatal(err)
	}
	checkpoints := map[string]*store.Checkpoint{}
	for _, name := range schema.DataStreams {
		at, found, err := db.Tables().Checkpoint(name)
		if err != nil {
			p.t.Fatal(err)
		}
		if !found {
			at.Epoch, at.Created = 1, 1
		}
		checkpoints[name] = at
	}
	var log strings.Builder
	p.s = &session{cfg: Config{Log: slog.New(slog.NewTextHandler(&log, nil))}, progress: newProgress(), poisoned: map[store.GapKey]*fold.Poison{}, doubled: &doubled{seen: map[string]time.Time{}},
		output: output{store: db, batch: store.NewBatch()}, fold: fold.New(db.Tables(), checkpoints, p.rules), last: map[string]uint64{}}
	if p.limit >= 0 {
		if p.s.files, err = ndjson.LockFiles(ndjson.Layout{Dir: p.dir, Limit: p.limit}); err != nil {
			p.t.Fatal(err)
		}
		if err := p.s.openFiles(); err != nil {
			p.t.Fatal(err)
		}
	}
	p.log = log.String()
}

func (p *tape) close() {
	p.t.Helper()
	if p.s == nil {
		return
	}
	if err := p.s.close(); err != nil {
		p.t.Error(err)
	}
	p.s = nil
}

// reopen forgets all that is not in the database.
func (p *tape) reopen() {
	p.t.Helper()
	p.close()
	p.open()
	if p.log != "" {
		p.t.Errorf("the files were repaired: %s", p.log)
	}
}

// fold folds a batch as a session does.
func (p *tape) fold(batch ...*received) {
	p.t.Helper()
	if len(batch) == 0 {
		return
	}
	if err := p.s.commit(batch); err != nil {
		p.t.Fatal(err)
	}
}

var errCut = errors.New("cut")

// abandon folds a batch and does not commit. The fold is of no use afterwards.
func (p *tape) abandon(batch []*received, flush bool) {
	p.t.Helper()
	if _, err := p.s.fill(batch); err != nil {
		p.t.Fatal(err)
	}
	if !flush {
		return
	}
	p.s.fold.SaveCheckpoints(p.s.batch)
	err := p.s.store.Write(func(tx *store.Tx) error {
		if err := p.s.writeBatch(tx); err != nil {
			return err
		}
		return errCut
	})
	if !errors.Is(err, errCut) {
		p.t.Fatalf("got %v, want %v", err, errCut)
	}
}

// rows returns what a query answers, one row a string.
func (p *tape) rows(query string, args ...any) []string {
	p.t.Helper()
	var out []string
	err := p.s.store.Query(query, func(r *sql.Rows) error {
		columns, err := r.Columns()
		if err != nil {
			return err
		}
		values := make([]any, len(columns))
		pointers := make([]any, len(columns))
		for i := range values {
			pointers[i] = &values[i]
		}
		if err := r.Scan(pointers...); err != nil {
			return err
		}
		cells := make([]string, len(values))
		for i, v := range values {
			cells[i] = fmt.Sprint(v)
		}
		out = append(out, strings.Join(cells, " "))
		return nil
	}, args...)
	if err != nil {
		p.t.Fatalf("%s: %v", query, err)
	}
	return out
}

// value returns a query's one number.
func (p *tape) value(query string, args ...any) int64 {
	p.t.Helper()
	rows := p.rows(query, args...)
	if len(rows) != 1 {
		p.t.Fatalf("%s: got %d rows, want 1", query, len(rows))
	}
	n, err := strconv.ParseInt(rows[0], 10, 64)
	if err != nil {
		p.t.Fatalf("%s: %v", query, err)
	}
	return n
}

func (p *tape) wantRows(query string, want ...string) {
	p.t.Helper()
	if got := p.rows(query); !slices.Equal(got, want) {
		p.t.Errorf("%s:\n got %q\nwant %q", query, got, want)
	}
}

// dump is all that all tables hold, but for the database's own id.
func (p *tape) dump() map[string][]string {
	return p.dumpOf(func(_, _ string) bool { return true })
}

// filled is dump without the columns that hold nothing, as those of what is younger than the log, and without tables that
// have no other. The stream of records of runs is younger too.
func (p *tape) filled() map[string][]string {
	tables := p.dumpOf(func(table, column string) bool {
		return !youngerTables[table] && !youngerColumns[table+"."+column] && p.rows(`SELECT count(` + column + `) FROM ` + table)[0] != "0"
	})
	tables["files"] = slices.DeleteFunc(tables["files"], func(row string) bool { return strings.Contains(row, ".jsonl.") }) // younger too
	tables["checkpoints"] = slices.DeleteFunc(tables["checkpoints"], func(row string) bool { return strings.Contains(row, schema.StreamHistory) })
	maps.DeleteFunc(tables, func(_ string, rows []string) bool { return len(rows) == 0 })
	return tables
}

// dumpOf is the rows of all tables, with those columns for which with is true.
func (p *tape) dumpOf(with func(table, column string) bool) map[string][]string {
	p.t.Helper()
	out := map[string][]string{}
	for _, table := range p.rows(`SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE 'sqlite_%' ORDER BY name`) {
		columns := slices.DeleteFunc(p.rows(`SELECT name FROM pragma_table_info(?)`, table), func(c string) bool { return !with(table, c) })
		if len(columns) == 0 {
			continue
		}
		key := p.rows(`SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk`, table)
		for i, c := range columns {
			columns[i] = "quote(" + c + ")"
		}
		if table == "samples" { // as they lay when the log was recorded
			columns[0], key = "quote(id >> 22)", []string{"id >> 22", "process_id"}
		}
		out[table] = p.rows(`SELECT ` + strings.Join(columns, ` || ' ' || `) + ` FROM ` + table + ` ORDER BY ` + strings.Join(key, ","))
	}
	out["meta"] = slices.DeleteFunc(out["meta"], func(row string) bool {
		return strings.HasPrefix(row, "'database_") || strings.HasPrefix(row, "'"+schema.ChangedKey)
	})
	return out
}

// files are the NDJSON files, by name.
func (p *tape) files() map[string]string {
	p.t.Helper()
	out := map[string]string{}
	matches, err := filepath.Glob(filepath.Join(p.dir, "*.jsonl*"))
	if err != nil {
		p.t.Fatal(err)
	}
	for _, path := range matches {
		b, err := os.ReadFile(path)
		if err != nil {
			p.t.Fatal(err)
		}
		out[filepath.Base(path)] = string(b)
	}
	return out
}

// diff says how two dumps differ, or nothing.
func diff(got, want map[string][]string) string {
	var b strings.Builder
	for _, table := range slices.Sorted(maps.Keys(want)) {
		if slices.Equal(got[table], want[table]) {
			continue
		}
		fmt.Fprintf(&b, "%s: %d rows, want %d\n", table, len(got[table]), len(want[table]))
		show := func(what string, rows, others []string) {
			only := slices.DeleteFunc(slices.Clone(rows), func(row string) bool { return slices.Contains(others, row) })
			for _, row := range only[:min(len(only), 4)] {
				fmt.Fprintf(&b, "  %s %.300s\n", what, row)
			}
		}
		show("got ", got[table], want[table])
		show("want", want[table], got[table])
	}
	if len(got) != len(want) {
		fmt.Fprintf(&b, "%d tables, want %d\n", len(got), len(want))
	}
	return b.String()
}

// diffFiles says how two sets of files differ, or nothing.
func diffFiles(got, want map[string]string) string {
	lines := func(files map[string]string) map[string][]string {
		out := map[string][]string{}
		for name, text := range files {
			out[name] = strings.SplitAfter(text, "\n")
		}
		return out
	}
	return diff(lines(got), lines(want))
}

// builtInRules are the rules that need no file.
func builtInRules(t testing.TB) *anomaly.Rules {
	t.Helper()
	rules, err := anomaly.Compile(anomaly.BuiltIn())
	if err != nil {
		t.Fatal(err)
	}
	return rules
}
