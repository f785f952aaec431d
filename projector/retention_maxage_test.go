package projector

import (
	"testing"
	"time"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/projector/retention"
	"github.com/proctape/proctape/schema"
)

func (w *world) maxAge(stream string) time.Duration {
	w.t.Helper()
	s, err := w.js.Stream(w.t.Context(), stream)
	if err != nil {
		w.t.Fatal(err)
	}
	return s.CachedInfo().Config.MaxAge
}

// The streams of the log are kept as long as the database wants that wants it longest, whoever starts last, and no longer when
// that one is gone.
func TestRetention_MaxAgeIsTheLongestPolicy(t *testing.T) {
	w := newWorld(t)
	long := retention.Settings{Policy: schema.Policy{FullResolution: 72 * time.Hour, Events: 90 * 24 * time.Hour}}
	brief := retention.Settings{Policy: schema.Policy{FullResolution: time.Hour, Events: 24 * time.Hour}}
	w.run(minute, 10*second, steady, w.host("alpha"))
	patient, hasty := w.open("patient", long), w.open("hasty", brief)
	patient.settle()
	hasty.settle()
	want := func(what, stream string, keeps time.Duration) {
		t.Helper()
		if got := w.maxAge(stream); got != schema.MaxAge(keeps) {
			t.Errorf("%s: %s has the age %s, want %s", what, stream, got, schema.MaxAge(keeps))
		}
	}
	hasty.retain()
	want("a pass of the hasty one", schema.StreamSnapshots, 72*time.Hour)
	want("a pass of the hasty one", schema.StreamEvents, 90*24*time.Hour)
	patient.retain()
	want("a pass of the patient one", schema.StreamSnapshots, 72*time.Hour)

	// A recorder that starts with the brief policy.
	if err := embeddednats.Declare(t.Context(), w.js, schema.Streams(brief.Policy, 1), true); err != nil {
		t.Fatal(err)
	}
	want("a start of the hasty one", schema.StreamSnapshots, 72*time.Hour)
	patient.halt() // its durable stays
	hasty.retain()
	want("the patient one is away", schema.StreamSnapshots, 72*time.Hour)

	for _, stream := range schema.DataStreams {
		if err := w.js.DeleteConsumer(t.Context(), stream, schema.ConsumerName(patient.id)); err != nil {
			t.Fatal(err)
		}
	}
	hasty.retain()
	want("the patient one is gone", schema.StreamSnapshots, time.Hour)
	want("the patient one is gone", schema.StreamEvents, 24*time.Hour)

	// A durable that does not say how long its database wants the stream, as an older build makes it.
	if _, err := w.js.CreateConsumer(t.Context(), schema.StreamSnapshots, schema.Consumer("older")); err != nil {
		t.Fatal(err)
	}
	long.Policy.FullResolution = 10 * time.Minute
	w.open("third", long).retain()
	want("an older one reads", schema.StreamSnapshots, time.Hour)
}

// The control: what a start did that knew only its own policy is found out. So is a pass that does not see what other
// databases want.
func TestRetention_MaxAgeIsTheLongestPolicyControl(t *testing.T) {
	w := newWorld(t)
	long := retention.Settings{Policy: schema.Policy{FullResolution: 72 * time.Hour}}
	brief := retention.Settings{Policy: schema.Policy{FullResolution: time.Hour}}
	w.run(minute, 10*second, steady, w.host("alpha"))
	patient, hasty := w.open("patient", long), w.open("hasty", brief)
	patient.settle()
	hasty.settle()
	hasty.retain()
	if got := w.maxAge(schema.StreamSnapshots); got != schema.MaxAge(72*time.Hour) {
		t.Fatalf("the age is %s before anything is broken", got)
	}
	for _, cfg := range schema.Streams(brief.Policy, 1) {
		if cfg.Name == schema.StreamSnapshots {
			if _, err := w.js.UpdateStream(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := w.maxAge(schema.StreamSnapshots); got == schema.MaxAge(72*time.Hour) {
		t.Errorf("a start that sets its own policy leaves the age at %s: the test catches nothing", got)
	}
	// The patient one's durable, without what it wants.
	if _, err := w.js.UpdateConsumer(t.Context(), schema.StreamSnapshots, schema.Consumer(patient.id)); err != nil {
		t.Fatal(err)
	}
	hasty.retain()
	if got := w.maxAge(schema.StreamSnapshots); got == schema.MaxAge(72*time.Hour) {
		t.Errorf("a pass that does not see the longer policy sets the age %s: the test catches nothing", got)
	}
}

// What the server drops by its limits before a database has read it is a gap with the exact number.
func TestRetention_LimitsBeyondTheCheckpoint(t *testing.T) {
	w := newWorld(t)
	h := w.host("alpha")
	db := w.open("db", short)
	w.run(minute, 10*second, steady, h)
	db.halt()
	folded := w.state(schema.StreamSnapshots).LastSeq
	w.run(5*minute, 10*second, steady, h)
	stream, err := w.js.Stream(t.Context(), schema.StreamSnapshots)
	if err != nil {
		t.Fatal(err)
	}
	cfg := stream.CachedInfo().Config
	cfg.MaxBytes = int64(w.state(schema.StreamSnapshots).Bytes / 4)
	if _, err := w.js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	first := w.state(schema.StreamSnapshots).FirstSeq
	if first <= folded+1 {
		t.Fatalf("the log begins at %d still", first)
	}
	db = w.open("db", short)
	db.settle()
	var count uint64
	if err := db.read.QueryRow(`SELECT sum(count) FROM gaps WHERE kind = 'stream_hole'`).Scan(&count); err != nil || count != first-folded-1 {
		t.Errorf("the gap counts %d, want %d (%v)", count, first-folded-1, err)
	}
}
