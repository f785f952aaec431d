package projector

import (
	"testing"

	"github.com/proctape/proctape/schema"
)

// messageOf makes a message of a kind; nil for a kind that this test does not know how to make.
func (h *simHost) messageOf(kind schema.Kind) *schema.Message {
	switch kind.Body() {
	case schema.BodySnapshot:
		return h.snapshot()
	case schema.BodyEvents:
		return h.events(kind, 1)
	case schema.BodyExecs:
		return h.execs(1)
	case schema.BodyGaps:
		return h.gaps(1)
	case schema.BodyJobs:
		return h.jobs(declared("build"))
	case schema.BodyRun:
		return h.record("build", schema.RunID{15: 1}, 1, 1)
	case schema.BodyAnomaly:
		return h.anomaly(schema.AnomalySubject{Kind: schema.AboutProcess, PID: 5, StartTicks: 50}, 1)
	case schema.BodyRollup:
		u := &schema.Rollup{Minute: schema.MinuteOf(h.wall), Samples: 1, Covers: []schema.Cover{{Instance: h.instance, First: 1, Last: 1}},
			Interval: second, Processes: []schema.ProcessRollup{}}
		m := &schema.Message{Envelope: h.envelope(kind, 1), Rollup: u}
		m.Instance, m.Seq = schema.RollupInstance(h.name, u.Minute, u.Covers), 1
		return m
	}
	return nil
}

// record is a record of a run of the host: the count-th of the run.
func (h *simHost) record(job string, run schema.RunID, number int64, count uint64) *schema.Message {
	m := &schema.Message{Envelope: h.envelope(schema.KindRun, count), Run: &schema.RunRecord{JobID: job, Run: run, Number: number, Started: h.wall, LastEvent: h.wall}}
	m.Instance, m.Seq = schema.RecordInstance(h.name, job, run), count
	return m
}

// bookkeeping are the tables that say that a message came, whatever it holds.
var bookkeeping = []string{"checkpoints", "producers", "hosts", "meta", "files"}

// holdsRows folds a message and reports whether a table other than the bookkeeping has a row of it.
func holdsRows(t *testing.T, m *schema.Message, spoil func(*received)) bool {
	t.Helper()
	p := newTape(t, -1)
	d := newLog().publish(m)
	spoil(d)
	p.fold(d)
	tables := p.dump()
	for _, name := range bookkeeping {
		delete(tables, name)
	}
	for _, rows := range tables {
		if len(rows) > 0 {
			return true
		}
	}
	return false
}

// A message of every kind leaves a row: the fold has a case for what it holds.
func TestFold_EveryKindHasRows(t *testing.T) {
	for _, k := range schema.Kinds() {
		t.Run(string(k.Kind), func(t *testing.T) {
			m := newHost("h", schema.Process{PID: 5}).messageOf(k.Kind)
			if m == nil {
				t.Fatalf("say in projector/kinds_test.go how to make a message of kind %s", k.Kind)
			}
			if !holdsRows(t, m, func(*received) {}) {
				t.Errorf("no table has a row of a message of kind %s: it needs its case in add of projector/fold/fold.go, "+
					"its list in WriteBatch of projector/store/write.go, and its table in schema/sql", k.Kind)
			}
		})
	}
	// The control: a message whose body the fold has no case for.
	if holdsRows(t, newHost("h").events(schema.KindExit, 1), func(d *received) { d.Msg.Events = nil }) {
		t.Error("a message without a body left a row")
	}
}

// anomaly is what is told of an episode of the host: the count-th message of it.
func (h *simHost) anomaly(about schema.AnomalySubject, count uint64) *schema.Message {
	m := &schema.Message{Envelope: h.envelope(schema.KindAnomaly, count), Anomaly: &schema.Anomaly{Rule: "r", Digest: "d", Severity: schema.SeverityHigh, About: about,
		Started: h.wall, Noticed: h.wall, Peaked: h.wall, LastSeen: h.wall, Samples: 1, Peak: schema.Some[int64](1500), Description: "it is so"}}
	m.Instance, m.Seq = schema.AnomalyInstance(h.name, m.BootID, "r", &about, h.wall), count
	return m
}
