package projector

import (
	"slices"
	"testing"

	"github.com/proctape/proctape/schema"
)

// The log is not trimmed of an exec that the database still has.
func TestRetention_LogKeepsExecs(t *testing.T) {
	w := newWorld(t)
	h := w.host("alpha")
	d := w.open("live", short)
	w.publish(h.execs(2), h.events(schema.KindSpawn, 1))
	d.settle()
	d.retain()
	if n := w.messages(schema.StreamEvents); n != 2 {
		t.Errorf("the log has %d messages, want the execs and the event", n)
	}
	// The control: when the rows are gone, so is the message, which is the oldest.
	d.exec(`DELETE FROM process_execs`)
	d.retain()
	if n := w.messages(schema.StreamEvents); n != 1 {
		t.Errorf("without the rows of the execs the log has %d messages, want the event alone", n)
	}
}

// A job of which nothing but an exec is young stays. One of which all is old goes.
func TestRetention_ExecKeepsItsJob(t *testing.T) {
	w := newWorld(t)
	h := w.host("alpha")
	d := w.open("live", short)
	w.publish(h.events(schema.KindSpawn, 2, "executing", "idle"))
	w.pass(4*hour, h)
	w.publish(h.execs(1, "executing"))
	w.run(minute, 20*second, steady, h)
	d.settle()
	d.retain()
	wantNone(t, "events", d.rows(`SELECT id FROM process_events`))
	if got := d.rows(`SELECT job_id FROM jobs ORDER BY 1`); !slices.Equal(got, []string{"build-alpha", "executing"}) {
		t.Errorf("got the jobs %q, want the one that is sampled and the one that executes", got)
	}
}
