package projector

import (
	"fmt"
	"strings"
	"testing"

	"github.com/proctape/proctape/projector/ndjson"
	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

// An exec is a row of its own table and a line of events.jsonl. It is no event, and in no job's figures.
func TestFold_Execs(t *testing.T) {
	l, h, p := newLog(), newHost("h"), newTape(t, 0)
	m := h.execs(3, "j", "")
	m.Execs[0].UID, m.Execs[0].Sheet = schema.Some(int64(0)), schema.Some(int64(2))
	p.fold(l.publishAll(h.events(schema.KindSpawn, 1, "j"), m)...)
	const at = "1700000000"
	id := func(i int) int64 { return 2<<10 | int64(i) }
	row := func(i int, rest string) string {
		return fmt.Sprintf("%d %s %d boot-1 %d %d %d connector %s %d %s", id(i), at, store.HostID("h"), h.boot+int64(i), 100+i, 7+i, h.instance, 1+i, rest)
	}
	p.wantRows(`SELECT id, CAST(timestamp AS INTEGER), host_id, boot_id, boot_ns, pid, start_ticks, source, instance, seq, uid, command, job_id, sheet_num
		FROM process_execs ORDER BY id`, row(0, "0 program 0 j 2"), row(1, "<nil> program 1 <nil> <nil>"), row(2, "<nil> <nil> j <nil>"))
	p.wantRows(`SELECT event_type FROM process_events`, "spawn")
	p.wantRows(`SELECT spawns, exits, signals, ooms, last_event = first_event FROM jobs`, "1 0 0 0 1")
	if got, _ := p.s.progress.read(); got.Events != 1 {
		t.Errorf("got %d events in the statistics, want 1", got.Events)
	}
	lines := strings.Split(strings.TrimSpace(p.files()[ndjson.EventsFile]), "\n")
	if len(lines) != 4 || !strings.Contains(lines[1], `"event_type":"exec","pid":100,"command":"program 0","job_id":"j","sheet_num":2,"source":"connector"`) ||
		!strings.Contains(lines[3], `"pid":102,"command":null,`) {
		t.Errorf("%s has\n%s", ndjson.EventsFile, strings.Join(lines, "\n"))
	}
	if got := p.files()[ndjson.SnapshotsFile]; got != "" {
		t.Errorf("%s has %q", ndjson.SnapshotsFile, got)
	}
}

// The contract: whatever kinds there are, process_events has five event types, and readers stop at a sixth.
func TestFold_FiveEventTypes(t *testing.T) {
	l, h, p := newLog(), newHost("h", schema.Process{PID: 5}), newTape(t, 0)
	for _, k := range schema.Kinds() {
		switch k.Body {
		case schema.BodySnapshot:
			p.fold(l.publish(h.snapshot()))
		case schema.BodyEvents:
			p.fold(l.publish(h.events(k.Kind, 2, "j")))
		case schema.BodyExecs:
			p.fold(l.publish(h.execs(2, "j")))
		case schema.BodyGaps:
			p.fold(l.publish(h.gaps(1)))
		case schema.BodyJobs:
			p.fold(l.publish(h.jobs(declared("j"))))
		}
	}
	p.wantRows(`SELECT event_type, count(*) FROM process_events GROUP BY 1 ORDER BY 1`, "exit 2", "kill 2", "oom 2", "signal 2", "spawn 2")
	p.wantRows(`SELECT count(*) FROM process_execs`, "2")
}

// The row ids of execs are unique and rise with the stream, up to the most that a message may hold.
func TestFold_ExecIDs(t *testing.T) {
	l, h, p := newLog(), newHost("h"), newTape(t, -1)
	p.fold(l.publishAll(h.execs(schema.MaxEvents), h.events(schema.KindExit, 1), h.execs(schema.MaxEvents))...)
	p.wantRows(`SELECT count(DISTINCT id), min(seq), max(seq) FROM process_execs`, fmt.Sprint(2*schema.MaxEvents, " ", 1, " ", 2*schema.MaxEvents))
	p.wantRows(`SELECT DISTINCT id >> 10 FROM process_execs ORDER BY 1`, "1", "3")
	p.wantRows(`SELECT count(*) FROM (SELECT seq, lag(seq) OVER (ORDER BY id) AS before FROM process_execs) WHERE before IS NOT NULL AND seq <> before + 1`, "0")
}

// Execs that come twice are stored once, and execs that come late are stored, whether the gap that they fill is in memory
// or in the database.
func TestFold_ExecsTwiceAndLate(t *testing.T) {
	for _, reopen := range []bool{false, true} {
		t.Run(fmt.Sprint("reopened ", reopen), func(t *testing.T) {
			l, h, p := newLog(), newHost("h"), newTape(t, 0)
			first, late, last := h.execs(2), h.execs(3), h.execs(1)
			for _, m := range []*schema.Message{first, last, last, first} {
				p.fold(l.publish(m))
				if reopen {
					p.reopen()
				}
			}
			p.wantRows(`SELECT seq FROM process_execs ORDER BY seq`, "1", "2", "6")
			p.wantRows(holes, "missing event.exec 3 5 3 2 0")
			p.fold(l.publishAll(late, late)...)
			p.wantRows(`SELECT seq FROM process_execs ORDER BY id`, "1", "2", "6", "3", "4", "5")
			p.wantRows(holes)
			p.wantRows(`SELECT kind, stored, duplicates, missing FROM producers`, "event.exec 6 6 0")
			checkShape(t, p)
		})
	}
}
