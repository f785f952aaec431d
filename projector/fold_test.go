package projector

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/proctape/proctape/projector/ndjson"
	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

func seeded(seed uint64) dice { return rand.New(rand.NewPCG(seed, 1)).IntN }

// batches folds deliveries in batches as drawn, and in between forgets what is not committed: by opening the database
// again, or by giving a batch up half way and folding it anew.
func batches(t *rapid.T, p *tape, deliveries []*received) {
	for len(deliveries) > 0 {
		n := rapid.IntRange(1, min(12, len(deliveries))).Draw(t, "batch")
		switch rapid.IntRange(0, 5).Draw(t, "crash") {
		case 0:
			p.abandon(deliveries[:n], rapid.Bool().Draw(t, "flushed"))
			p.reopen()
		case 1:
			p.reopen()
		}
		p.fold(deliveries[:n]...)
		deliveries = deliveries[n:]
	}
}

// checkSome is rapid.Check with a twelfth of the usual number of checks, a twentieth in short tests, and all under make soak, unless the number
// was asked for.
func checkSome(t *testing.T, property func(*rapid.T)) {
	t.Helper()
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		checks := "8"
		if soak {
			checks = f.DefValue
		}
		if testing.Short() {
			checks = "5"
		}
		if err := f.Value.Set(checks); err != nil {
			t.Fatal(err)
		}
		defer f.Value.Set(f.DefValue)
	}
	rapid.Check(t, property)
}

const smallFile = 4000 // bytes, so that a story rotates its files

// wholeAndSplit are a tape of messages in one batch, and one in any batches with any crashes.
func wholeAndSplit(t *testing.T, r *rapid.T, told []*received) (whole, split *tape) {
	whole, split = newTape(t, smallFile), newTape(t, smallFile)
	whole.fold(told...)
	batches(r, split, told)
	return whole, split
}

// The same messages give the same rows and the same lines, in whatever batches and with whatever crashes.
func TestFold_AnyBatches(t *testing.T) {
	checkSome(t, func(r *rapid.T) {
		roll := seeded(rapid.Uint64().Draw(r, "story"))
		told := story{late: true, poison: true}.tell(roll, rapid.IntRange(1, 60).Draw(r, "messages"))

		whole, split := wholeAndSplit(t, r, told)
		defer whole.close()
		defer split.close()

		if d := diff(split.dump(), whole.dump()); d != "" {
			r.Errorf("tables:\n%s", d)
		}
		if d := diffFiles(split.files(), whole.files()); d != "" {
			r.Errorf("files:\n%s", d)
		}
		checkShape(r, split)
	})
}

// A fold that goes on after a transaction that failed is one that the comparison finds out.
func TestFold_AnyBatchesControl(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	for seed := range uint64(5) {
		told := story{}.tell(seeded(seed), 40)
		whole, broken := newTape(t, smallFile), newTape(t, smallFile)
		whole.fold(told...)
		broken.fold(told[:20]...)
		if _, err := broken.s.fill(told[20:25]); err != nil {
			t.Fatal(err)
		}
		broken.s.batch.Reset()
		broken.s.lines = lines{}
		broken.fold(told[25:]...) // it thinks that it has the five
		if diff(broken.dump(), whole.dump()) == "" {
			t.Errorf("story %d: five messages were lost and the tables are equal", seed)
		}
	}
}

// checkShape checks what holds of every database.
func checkShape(t rapid.TB, p *tape) {
	t.Helper()
	for _, test := range []struct{ what, query string }{
		{"samples without a row of process_metrics", `SELECT (SELECT count(*) FROM samples) - (SELECT count(*) FROM process_metrics)`},
		{"snapshots whose child_count is not the number of their rows", `SELECT count(*) FROM snapshots s
			WHERE child_count <> (SELECT count(*) FROM process_metrics m WHERE m.snapshot_id = s.id)`},
		{"ids of process_metrics that are given twice", `SELECT count(*) - count(DISTINCT id) FROM process_metrics`},
		{"producers whose books do not balance", `SELECT count(*) FROM producers WHERE next_seq - 1 <> stored + quarantined + missing`},
		{"producers whose holes are not their gaps", `SELECT count(*) FROM producers p WHERE missing + quarantined <>
			(SELECT coalesce(sum(count), 0) FROM gaps g WHERE g.host_id = p.host_id AND g.instance = p.instance AND g.message_kind = p.kind AND first_seq IS NOT NULL)`},
		{"gaps that do not count their numbers", `SELECT count(*) FROM gaps WHERE first_seq IS NOT NULL AND count <> last_seq - first_seq + 1`},
		{"rows that end before they begin", `SELECT count(*) FROM processes WHERE last_snapshot < first_snapshot`},
		{"hosts without a name", `SELECT count(*) FROM (SELECT host_id FROM snapshots UNION SELECT host_id FROM process_events UNION
			SELECT host_id FROM process_execs UNION SELECT host_id FROM producers UNION SELECT host_id FROM gaps WHERE host_id IS NOT NULL) WHERE host_id NOT IN (SELECT id FROM hosts)`},
	} {
		if n := p.value(test.query); n != 0 {
			t.Errorf("%d %s", n, test.what)
		}
	}
	if got := p.rows(`PRAGMA integrity_check`); !slices.Equal(got, []string{"ok"}) {
		t.Errorf("integrity check: got %q", got)
	}
}

func checkRows(t rapid.TB, what string, got, want []string) {
	t.Helper()
	slices.Sort(got)
	slices.Sort(want)
	if d := diff(map[string][]string{what: got}, map[string][]string{what: want}); d != "" {
		t.Error(d)
	}
}

// checkAccount compares the tables with what the messages alone say.
func checkAccount(t rapid.TB, p *tape, told []*received) {
	t.Helper()
	a := accountOf(told)
	checkRows(t, "producers", p.rows(`SELECT h.name, instance, kind, next_seq, stored, quarantined, missing, duplicates
		FROM producers JOIN hosts h ON h.id = host_id`), a.producerRows())
	checkRows(t, "jobs", p.rows(`SELECT `+scopedName+`, first_seen, last_seen, samples, peak_rss_kib, max_cpu_permille, cpu_ms, unique_pids, spawns,
		exits, signals, ooms, first_event, last_event, status, total_sheets, last_completed_sheet, current_sheet, started, ended, exit_code,
		command FROM jobs t`), a.jobRows())
	checkRows(t, "job_sheets", p.rows(`SELECT `+scopedName+`, sheet_num, peak_rss_kib, max_cpu_permille, cpu_ms, started, ended, exit_code, status
		FROM job_sheets t`), a.sheetRows())
	checkRows(t, "job_pids", p.rows(`SELECT `+scopedName+`, pid FROM job_pids t`), a.pidRows())
	checkRows(t, "job_syscalls", p.rows(`SELECT `+scopedName+`, name, time_pct_x100, first_ns, rank FROM job_syscalls t`), a.callRows())
	checkRows(t, "process_events", p.rows(`SELECT instance, seq, details, id FROM process_events`), a.eventRows())
	checkRows(t, "process_execs", p.rows(`SELECT instance, seq, command, id FROM process_execs`), a.execRows())
	if got := p.value(`SELECT count(*) FROM quarantine`); got != int64(a.poisoned) {
		t.Errorf("quarantine: got %d messages, want %d", got, a.poisoned)
	}
	if got := p.value(`SELECT coalesce(sum(count), 0) FROM gaps WHERE instance IS NULL AND details LIKE 'messages %'`); got != int64(a.lost) {
		t.Errorf("messages that the streams lost: got %d, want %d", got, a.lost)
	}
	checkLines(t, p, a)
}

// checkLines counts the lines of the files, where nothing was rotated away.
func checkLines(t rapid.TB, p *tape, a *account) {
	t.Helper()
	snapshots, events := 0, 0
	for _, d := range a.accepted {
		if d.Msg.Snapshot != nil {
			snapshots++
		}
		events += len(d.Msg.Events) + len(d.Msg.Execs)
	}
	files := p.files()
	if got := strings.Count(files[ndjson.SnapshotsFile], "\n"); got != snapshots {
		t.Errorf("%s: got %d lines, want %d", ndjson.SnapshotsFile, got, snapshots)
	}
	if got := strings.Count(files[ndjson.EventsFile], "\n") - strings.Count(files[ndjson.EventsFile], `"event_type":"gap"`); got != events {
		t.Errorf("%s: got %d events, want %d", ndjson.EventsFile, got, events)
	}
}

// What is kept up as messages come is what the messages say when they are all read at the end.
func TestFold_Accounts(t *testing.T) {
	checkSome(t, func(r *rapid.T) {
		roll := seeded(rapid.Uint64().Draw(r, "story"))
		told := story{poison: true}.tell(roll, rapid.IntRange(1, 80).Draw(r, "messages"))
		p := newTape(t, 0)
		defer p.close()
		batches(r, p, told)
		checkAccount(r, p, told)
		checkShape(r, p)
	})
}

// A host has the same id in every database, whichever comes first.
func TestFold_HostIDs(t *testing.T) {
	ids := func(names ...string) []string {
		l, p := newLog(), newTape(t, -1)
		for _, name := range names {
			p.fold(l.publish(newHost(name).events(schema.KindSpawn, 1)))
		}
		return p.rows(`SELECT id, name FROM hosts ORDER BY name`)
	}
	got, want := ids("a", "b", "c"), ids("c", "a", "b", "a")
	if !slices.Equal(got, want) {
		t.Errorf("got %v and %v", got, want)
	}
	for _, name := range []string{"a", "b", "c"} {
		if !slices.Contains(got, fmt.Sprintf("%d %s", store.HostID(name), name)) {
			t.Errorf("host %s: want id %d in %v", name, store.HostID(name), got)
		}
	}
	if id := store.HostID("a"); id < 0 || id >= 1<<48 {
		t.Errorf("got id %d, want 48 bits", id)
	}
}

// Event ids are unique and rise with the stream, up to the most events that a message may hold.
func TestFold_EventIDs(t *testing.T) {
	l, h, p := newLog(), newHost("h"), newTape(t, -1)
	p.fold(l.publishAll(h.events(schema.KindSpawn, schema.MaxEvents), h.events(schema.KindExit, 1), h.events(schema.KindSpawn, schema.MaxEvents))...)
	const n = 2*schema.MaxEvents + 1
	if got := p.value(`SELECT count(DISTINCT id) FROM process_events`); got != n {
		t.Errorf("got %d ids, want %d", got, n)
	}
	if got := p.value(`SELECT count(*) FROM (SELECT seq, event_type, lag(seq) OVER (PARTITION BY event_type ORDER BY id) AS before
		FROM process_events) WHERE before IS NOT NULL AND seq <> before + 1`); got != 0 {
		t.Errorf("%d events are out of order", got)
	}
	p.wantRows(`SELECT DISTINCT id >> 10, event_type FROM process_events ORDER BY 1`, "1 spawn", "2 exit", "3 spawn")
}

func TestFold_DuplicatesChangeNothing(t *testing.T) {
	h, l, p := newHost("h", schema.Process{PID: 5, JobID: "j", CPUMillis: 7}), newLog(), newTape(t, 0)
	ms := []*schema.Message{h.snapshot(), h.events(schema.KindSpawn, 3, "j"), h.jobs(declared("j")), h.gaps(2), h.snapshot()}
	p.fold(l.publishAll(ms...)...)
	before, lines := p.dump(), p.files()
	p.fold(l.publishAll(ms...)...)
	p.reopen()
	p.fold(l.publishAll(ms...)...)
	after := p.dump()
	for _, table := range []string{"checkpoints", "producers"} {
		delete(before, table)
		delete(after, table)
	}
	if d := diff(after, before); d != "" {
		t.Error(d)
	}
	if d := diffFiles(p.files(), lines); d != "" {
		t.Error(d)
	}
	p.wantRows(`SELECT kind, next_seq, stored, duplicates, missing FROM producers ORDER BY kind`,
		"event.gap 3 2 4 0", "event.spawn 4 3 6 0", "job 2 1 2 0", "snapshot 3 2 4 0")
}

const holes = `SELECT kind, message_kind, first_seq, last_seq, count, at_seq, n FROM gaps WHERE first_seq IS NOT NULL ORDER BY first_seq`

// What comes late takes its numbers out of the gap it left, whether the gap is in memory or in the database.
func TestFold_LateFillsGap(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	const whole = "missing event.exit 2 6 5 2 0"
	tests := []struct {
		name string
		come []int // the messages that come after 1 and 7, by number
		want [][]string
	}{
		{"whole", []int{2, 3, 4, 5, 6}, [][]string{
			{"missing event.exit 3 6 4 3 0"}, {"missing event.exit 4 6 3 4 0"}, {"missing event.exit 5 6 2 5 0"}, {"missing event.exit 6 6 1 6 0"}, nil}},
		{"right end", []int{6, 5}, [][]string{{"missing event.exit 2 5 4 3 0"}, {"missing event.exit 2 4 3 4 0"}}},
		{"middle", []int{4, 3, 5}, [][]string{
			{"missing event.exit 2 3 2 3 0", "missing event.exit 5 6 2 3 1"},
			{"missing event.exit 2 2 1 4 0", "missing event.exit 5 6 2 3 1"},
			{"missing event.exit 2 2 1 4 0", "missing event.exit 6 6 1 5 0"}}},
	}
	for _, test := range tests {
		for _, reopen := range []bool{false, true} {
			t.Run(fmt.Sprint(test.name, " reopened ", reopen), func(t *testing.T) {
				l, h, p := newLog(), newHost("h"), newTape(t, 0)
				var ms []*schema.Message
				for range 7 {
					ms = append(ms, h.events(schema.KindExit, 1))
				}
				p.fold(l.publishAll(ms[0], ms[6])...)
				p.wantRows(holes, whole)
				for i, number := range test.come {
					if reopen {
						p.reopen()
					}
					p.fold(l.publish(ms[number-1]))
					p.wantRows(holes, test.want[i]...)
					checkShape(t, p)
				}
				p.wantRows(`SELECT seq FROM process_events ORDER BY id DESC LIMIT 1`, fmt.Sprint(test.come[len(test.come)-1]))
			})
		}
	}
}

func TestFold_FirstNumberIsNotOne(t *testing.T) {
	l, h, p := newLog(), newHost("h"), newTape(t, 0)
	h.events(schema.KindExit, 4)
	p.fold(l.publish(h.events(schema.KindExit, 2)))
	p.wantRows(holes, "before_log event.exit 1 4 4 1 0")
	checkShape(t, p)
}

// Numbers that did not come are dropped when the producer says that it dropped as many, and missing when it does not.
func TestFold_DroppedNumbers(t *testing.T) {
	for kind, count := range map[schema.GapKind]uint64{schema.GapDropped: 2, schema.GapMissing: 1} {
		l, h, p := newLog(), newHost("h"), newTape(t, 0)
		p.fold(l.publish(h.events(schema.KindExit, 1)))
		h.events(schema.KindExit, 2)
		next := h.events(schema.KindExit, 1)
		next.Dropped = []schema.Drop{{Reason: "queue full", Count: count}}
		p.fold(l.publish(next))
		p.wantRows(holes, string(kind)+" event.exit 2 3 2 2 0")
	}
}

// While a producer's disk is emptied, what waits there is missing and what had to go is dropped, whatever was said of both when the hole was
// noticed; and so it is when the log was not there before.
func TestFold_HoleThatADiskFills(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	for name, c := range map[string]struct {
		before  bool // a message came before
		dropped uint64
		want    [][]string // once the one behind the hole came, and each of those that come from the disk: 5, 6, 7
	}{
		"some had to go": {true, 3, [][]string{{"missing event.exit 2 7 6 2 0"},
			{"dropped event.exit 2 4 3 3 0", "missing event.exit 6 7 2 3 1"}, {"dropped event.exit 2 4 3 3 0", "missing event.exit 7 7 1 4 0"}, {"dropped event.exit 2 4 3 3 0"}}},
		"of other kinds too": {true, 7, [][]string{{"dropped event.exit 2 7 6 2 0"},
			{"dropped event.exit 2 4 3 3 0", "missing event.exit 6 7 2 3 1"}, {"dropped event.exit 2 4 3 3 0", "missing event.exit 7 7 1 4 0"}, {"dropped event.exit 2 4 3 3 0"}}},
		"the log was not there": {false, 4, [][]string{{"before_log event.exit 1 7 7 1 0"},
			{"dropped event.exit 1 4 4 2 0", "missing event.exit 6 7 2 2 1"}, {"dropped event.exit 1 4 4 2 0", "missing event.exit 7 7 1 3 0"}, {"dropped event.exit 1 4 4 2 0"}}},
		"nothing had to go": {true, 0, [][]string{{"missing event.exit 2 7 6 2 0"},
			{"missing event.exit 2 4 3 3 0", "missing event.exit 6 7 2 3 1"}, {"missing event.exit 2 4 3 3 0", "missing event.exit 7 7 1 4 0"}, {"missing event.exit 2 4 3 3 0"}}},
	} {
		t.Run(name, func(t *testing.T) {
			l, h, p := newLog(), newHost("h"), newTape(t, 0)
			ms := []*schema.Message{nil}
			for range 8 {
				ms = append(ms, h.events(schema.KindExit, 1))
			}
			if c.before {
				p.fold(l.publish(ms[1]))
			}
			for i, number := range []int{8, 5, 6, 7} {
				if c.dropped > 0 && number != 6 {
					ms[number].Dropped = []schema.Drop{{Reason: "spool full", Count: c.dropped}}
				}
				p.fold(l.publish(ms[number]))
				p.wantRows(holes, c.want[i]...)
				checkShape(t, p)
			}
		})
	}
}

// A hole at the beginning of a log that begins with it was dropped, when its producer says so.
func TestFold_DroppedBeforeAnythingCame(t *testing.T) {
	l, h, p := newLog(), newHost("h"), newTape(t, 0)
	h.events(schema.KindExit, 4)
	next := h.events(schema.KindExit, 2)
	next.Dropped = []schema.Drop{{Reason: "spool full", Count: 4}}
	p.fold(l.publish(next))
	p.wantRows(holes, "dropped event.exit 1 4 4 1 0")
	checkShape(t, p)
}

func TestFold_StreamHole(t *testing.T) {
	const query = `SELECT stream, at_seq, n, kind, count, host_id, first_seq, details FROM gaps ORDER BY at_seq`
	l, h, p := newLog(), newHost("h"), newTape(t, 0)
	l.lose(schema.StreamEvents, 2)
	p.fold(l.publish(h.events(schema.KindExit, 1)))
	l.lose(schema.StreamEvents, 1)
	p.fold(l.publish(h.events(schema.KindExit, 1)))
	p.reopen()
	l.lose(schema.StreamEvents, 10)
	h.events(schema.KindExit, 3) // and the messages are the host's
	p.fold(l.publish(h.events(schema.KindExit, 1)))
	p.wantRows(query,
		"PROCTAPE_EVENTS 3 0 trimmed_unread 2 <nil> <nil> messages 1 to 2 of the stream are not there",
		"PROCTAPE_EVENTS 5 0 stream_hole 1 <nil> <nil> messages 4 to 4 of the stream are not there",
		"PROCTAPE_EVENTS 16 0 stream_hole 10 <nil> <nil> messages 6 to 15 of the stream are not there",
		fmt.Sprintf("PROCTAPE_EVENTS 16 1 missing 3 %d 3 event.exit 3 to 5 did not come", store.HostID("h")))
	p.wantRows(`SELECT stream, seq FROM checkpoints WHERE seq > 0`, "PROCTAPE_EVENTS 16")
	if got := strings.Count(p.files()[ndjson.EventsFile], `"event_type":"gap"`); got != 4 {
		t.Errorf("got %d lines of gaps, want 4", got)
	}
	checkShape(t, p)
}

// A stream is folded in its order: a sequence that was folded does not come again unnoticed.
func TestFold_SequenceGoesBack(t *testing.T) {
	l, h, p := newLog(), newHost("h"), newTape(t, 0)
	list := l.publishAll(h.events(schema.KindExit, 1), h.events(schema.KindExit, 1))
	p.fold(list...)
	before := p.dump()
	if err := p.s.commit(list[1:]); err == nil {
		t.Error("got no error")
	}
	p.reopen()
	if d := diff(p.dump(), before); d != "" {
		t.Error(d)
	}
}

// Rows of a new epoch of a stream go on above those of the one before.
func TestFold_EpochIDs(t *testing.T) {
	l, h, p := newLog(), newHost("h", schema.Process{PID: 5}), newTape(t, 0)
	ms := []*schema.Message{h.snapshot(), h.snapshot()}
	p.fold(l.publishAll(ms...)...)
	p.s.fold.NewEpoch(schema.StreamSnapshots, schema.GapStreamRecreated, 2, p.s.batch)
	if err := p.s.write(); err != nil {
		t.Fatal(err)
	}
	p.reopen()
	anew := newLog()
	p.fold(anew.publishAll(ms[0], ms[1], h.snapshot())...)
	p.wantRows(`SELECT id, seq FROM snapshots ORDER BY id`, "1 1", "2 2", "5 3")
	p.wantRows(`SELECT stored, duplicates, missing FROM producers`, "3 2 0")
	p.wantRows(`SELECT pid, first_snapshot, last_snapshot FROM processes`, fmt.Sprint("5 1 ", schema.OpenEnded))
	checkShape(t, p)
}
