package projector

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/proctape/proctape/projector/ndjson"
	"github.com/proctape/proctape/schema"
)

// A late snapshot may show a process in a job that it has left since. The pid counts for that job, and the tables
// do not depend on whether both came in one batch.
func TestFold_LateSnapshotOfAnotherJob(t *testing.T) {
	for _, batch := range []int{1, 3} {
		t.Run(fmt.Sprint("batches of ", batch), func(t *testing.T) {
			l, h, p := newLog(), newHost("h", schema.Process{PID: 5}), newTape(t, 0)
			h.procs[5].JobID = "old"
			late := h.snapshot()
			h.procs[5].JobID = ""
			list := l.publishAll(h.snapshot(), late, h.snapshot())
			for len(list) > 0 {
				p.fold(list[:batch]...)
				list = list[batch:]
			}
			p.wantRows(`SELECT job_id, pid FROM job_pids`, "old 5")
			p.wantRows(`SELECT job_id, unique_pids, samples FROM jobs`, "old 1 1")
		})
	}
}

// A row ends no earlier than the last snapshot that holds its process, though that one came late.
func TestFold_LateSnapshotBeforeTheEnd(t *testing.T) {
	for _, reopen := range []bool{false, true} {
		t.Run(fmt.Sprint("reopened ", reopen), func(t *testing.T) {
			l, h, p := newLog(), newHost("h", schema.Process{PID: 5}), newTape(t, 0)
			late, newest := h.snapshot(), h.snapshot()
			delete(h.procs, 5)
			p.fold(l.publishAll(newest, late)...)
			if reopen {
				p.reopen()
			}
			p.fold(l.publish(h.snapshot()))
			p.wantRows(`SELECT first_snapshot, last_snapshot FROM processes`, "1 2")
			checkShape(t, p)
		})
	}
}

// A process that has ended when several late snapshots of it come used its CPU once, not once a snapshot.
func TestFold_LateSnapshotsCountCPUAgain(t *testing.T) {
	l, h, p := newLog(), newHost("h", schema.Process{PID: 5, JobID: "j", CPUMillis: 100}), newTape(t, 0)
	first := h.snapshot()
	h.procs[5].CPUMillis = 150
	second := h.snapshot()
	h.procs[5].CPUMillis = 200
	third := h.snapshot()
	delete(h.procs, 5)
	p.fold(l.publishAll(first, h.snapshot(), second, third)...)
	p.wantRows(`SELECT cpu_ms FROM jobs`, "200")
}

// A boot that was never seen is a new one, for a wall clock may be wrong by years. When it was an older one after all,
// whose snapshot came late, the story goes on with the next snapshot, and no CPU is counted twice.
func TestFold_LateSnapshotOfTheBootBefore(t *testing.T) {
	l, h, p := newLog(), newHost("h", schema.Process{PID: 5, CPUMillis: 7}), newTape(t, 0)
	late := h.snapshot()
	h.reboot()
	h.start(schema.Process{PID: 8, JobID: "j", CPUMillis: 100})
	p.fold(l.publishAll(h.snapshot(), late, h.snapshot())...)
	p.wantRows(`SELECT pid, first_snapshot, last_snapshot FROM processes ORDER BY id`,
		"8 1 1", "5 2 2", fmt.Sprint("8 3 ", schema.OpenEnded))
	p.wantRows(`SELECT cpu_ms FROM jobs`, "100")
	p.wantRows(`SELECT count(*) FROM gaps WHERE kind = 'reboot'`, "2")
}

// The newest snapshot of a host is known again after the database is opened, however many older ones came after it.
func TestFold_NewestSnapshotBehindManyLateOnes(t *testing.T) {
	h, l := newHost("h"), newLog()
	var late []*schema.Message
	for range 1002 {
		late = append(late, h.snapshot())
	}
	h.start(schema.Process{PID: 6})
	checkSplit(t, l.publishAll(append([]*schema.Message{h.snapshot()}, late...)...), 1002)
}

// The same with a boot that came back: what is in memory and what is read from the database must agree.
func TestFold_NewestSnapshotOfABootThatCameBack(t *testing.T) {
	h, l := newHost("h", schema.Process{PID: 5}), newLog()
	one := h.snapshot()
	delete(h.procs, 5)
	two, three := h.snapshot(), h.snapshot()
	h.reboot()
	checkSplit(t, l.publishAll(three, h.snapshot(), one, two), 3)
}

// checkSplit checks that opening the database again after n messages changes nothing.
func checkSplit(t *testing.T, list []*received, n int) {
	t.Helper()
	whole, split := newTape(t, -1), newTape(t, -1)
	whole.fold(list...)
	split.fold(list[:n]...)
	split.reopen()
	split.fold(list[n:]...)
	if d := diff(split.dump(), whole.dump()); d != "" {
		t.Error(d)
	}
}

// A late snapshot says what its processes were called then, in its rows and in the line that is made again of them.
func TestFold_LateSnapshotUnderAnEarlierName(t *testing.T) {
	h, l, p := newHost("h", schema.Process{PID: 5, Command: "sh", JobID: "old"}), newLog(), newTape(t, 0)
	late := h.snapshot()
	h.procs[5].Command, h.procs[5].JobID = "make", "new"
	p.fold(l.publishAll(h.snapshot(), late)...)
	p.wantRows(`SELECT snapshot_id, command, job_id FROM process_metrics ORDER BY 1`, "1 make new", "2 sh old")
	want := p.files()
	p.close()
	if err := os.Remove(filepath.Join(p.dir, ndjson.SnapshotsFile)); err != nil {
		t.Fatal(err)
	}
	p.open()
	if d := diffFiles(p.files(), want); d != "" {
		t.Errorf("the file made again:\n%s", d)
	}
}

// A boot whose wall clock was years ahead does not make what follows late.
func TestFold_ClockAheadInTheBootBefore(t *testing.T) {
	l, h, p := newLog(), newHost("h", schema.Process{PID: 5}), newTape(t, 0)
	ahead := h.snapshot()
	ahead.Wall += 4 * 365 * 24 * 3600 * second
	h.reboot()
	h.start(schema.Process{PID: 8})
	p.fold(l.publishAll(ahead, h.snapshot(), h.snapshot(), h.snapshot())...)
	p.wantRows(`SELECT pid, first_snapshot, last_snapshot FROM processes ORDER BY id`, "5 1 1", fmt.Sprint("8 2 ", schema.OpenEnded))
	p.wantRows(`SELECT kind FROM gaps`, "reboot")
}
