package publish

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/proctape/proctape/embedded-nats/logtest"
	"github.com/proctape/proctape/schema"
)

// A message that is left is published by the next life of its host, once, and by nobody else; one of an event is no sign of a sampler.
func TestLeave_IsTakenUpOnce(t *testing.T) {
	nc, folder := logtest.Serve(t), filepath.Join(t.TempDir(), "lives")
	m := &schema.Message{Envelope: schema.Envelope{Version: schema.Version, Kind: schema.KindJob, Host: "h", BootID: "b", Instance: schema.NewInstance(),
		Seq: 1, Wall: 1, Boot: 1, Produced: 1}, Jobs: []schema.JobEvent{{Type: schema.JobDeclared, Wall: 1, JobID: "j"}}}
	for _, into := range []string{"", "nats://elsewhere:4222"} {
		if err := Leave(folder, into, m); err != nil {
			t.Fatal(err)
		}
		if !Waits(folder, "h") || Waits(folder, "g") {
			t.Errorf("into %q: waits for h %v, for g %v", into, Waits(folder, "h"), Waits(folder, "g"))
		}
		for range 2 {
			next := newLife(t, nc, folder, Config{TellsEnds: true})
			offer(t, next, events(schema.KindSpawn, 1))
			runToEnd(t, next)
		}
		jobs := 0
		for _, raw := range logtest.Stored(t, nc, schema.StreamEvents) {
			if logtest.Decode(t, raw.Header, raw.Data).Kind == schema.KindJob {
				jobs++
			}
		}
		if jobs != 1 {
			t.Errorf("into %q: the log has %d job events, want 1", into, jobs)
		}
	}
	if Sampled(folder, "h", time.Hour) {
		t.Error("lives without a snapshot are taken for a sampler's")
	}
	sampler := newLife(t, nc, folder, Config{TellsEnds: true})
	offer(t, sampler, snapshot(1))
	runToEnd(t, sampler)
	if !Sampled(folder, "h", time.Hour) || Sampled(folder, "g", time.Hour) {
		t.Errorf("sampled: h %v, g %v", Sampled(folder, "h", time.Hour), Sampled(folder, "g", time.Hour))
	}
	files, _ := filepath.Glob(filepath.Join(folder, "h.*"+lifeSuffix))
	for _, f := range files {
		if err := os.Chtimes(f, time.Time{}, time.Now().Add(-2*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if Sampled(folder, "h", time.Hour) {
		t.Error("a sampler of two hours ago is one of the last hour")
	}
}
