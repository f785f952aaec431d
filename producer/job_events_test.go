package producer

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/proctape/proctape/embedded-nats/logtest"
	"github.com/proctape/proctape/producer/jobs"
	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/schema"
)

// A conductor in another language publishes JSON, and need not know when its process started.
func TestJobEvents_JSON(t *testing.T) {
	t.Parallel()
	nc := logtest.Serve(t)
	j := newLogReader(t, nc)
	record(t, nc, Config{})
	s := startShell(t)
	bootID, err := procfs.New("").BootID()
	if err != nil {
		t.Fatal(err)
	}
	wall, boot := procfs.ReadClocks()
	message := func(bootID string, boot int64, job string) *nats.Msg {
		msg := nats.NewMsg(schema.Subject("h", schema.KindJob))
		msg.Header.Set(schema.HeaderType, "application/json")
		msg.Data = fmt.Appendf(nil, `{"v":2,"kind":"job","host":"h","boot_id":%q,"instance":%q,"seq":1,"wall_ns":%d,"boot_ns":%d,"produced":1,
			"jobs":[{"type":"declared","wall_ns":%d,"job_id":%q,"pid":%d}]}`, bootID, schema.NewInstance(), wall, boot, wall, job, s.pid())
		return msg
	}
	for _, m := range []*nats.Msg{
		{Subject: schema.Subject("h", schema.KindJob), Data: []byte("no message")}, // is put aside
		message(bootID, 1, "before it was"),
		message(bootID, boot, "told"),
		message("another", boot, "of another boot"),
	} {
		if err := nc.PublishMsg(m); err != nil {
			t.Fatal(err)
		}
	}
	var m *schema.Message
	j.until("snapshot of three jobs", func() bool {
		if len(j.snapshots) > 0 {
			m = j.snapshots[len(j.snapshots)-1]
		}
		return m != nil && len(m.Snapshot.JobProgress) == 3
	})
	if got, _ := find(m, s.pid()); got.JobID != "told" {
		t.Errorf("got job %q", got.JobID)
	}
	var names []string
	for _, p := range m.Snapshot.JobProgress {
		names = append(names, p.JobID)
	}
	if got := strings.Join(names, ", "); got != "before it was, of another boot, told" {
		t.Errorf("got progress of %s", got)
	}
}

// What was declared in a life of the machine that is over, or ended since, is recalled without harm.
func TestJobEvents_LongBacklog(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	t.Parallel()
	nc := logtest.Serve(t)
	s := startShell(t)
	for i := range 1200 { // more than one batch, and than are followed
		e := schema.JobEvent{Type: schema.JobDeclared, JobID: fmt.Sprint("j", i), Wall: 1}
		if err := jobs.PublishJobEvent(t.Context(), nc, "h", &e); err != nil {
			t.Fatal(err)
		}
	}
	e := declared(t, "last", s.pid())
	e.Wall = 1
	if err := jobs.PublishJobEvent(t.Context(), nc, "h", &e); err != nil {
		t.Fatal(err)
	}
	e.JobID, e.StartTicks = "dead", e.StartTicks-1000 // who had the pid before
	if err := jobs.PublishJobEvent(t.Context(), nc, "h", &e); err != nil {
		t.Fatal(err)
	}
	j := newLogReader(t, nc)
	record(t, nc, Config{})
	j.untilSnapshots(1)
	if got, _ := find(j.snapshots[0], s.pid()); got.JobID != "last" {
		t.Errorf("got job %q, want last", got.JobID)
	}
	if got := len(j.snapshots[0].Snapshot.JobProgress); got != 1000 {
		t.Errorf("got the progress of %d jobs, want %d", got, 1000)
	}
}
