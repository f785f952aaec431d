package projector

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/producer/simulate"
	"github.com/proctape/proctape/projector/episodes"
	"github.com/proctape/proctape/schema"
)

// tellFound has a keeper publish what the rules of a database found, until nothing is left.
func (d *kept) tellFound() {
	d.w.t.Helper()
	read := d.reader()
	defer read.Close()
	k := episodes.New(d.w.js, read, d.as, slog.New(slog.DiscardHandler))
	for range 3 {
		d.settle()
		if err := k.Look(d.w.t.Context()); err != nil {
			d.w.t.Fatal(err)
		}
	}
	d.settle()
}

const allEpisodes = `SELECT episode_id, revision, rule, started, ended, end_reason, peak_value, samples FROM anomalies ORDER BY 1`

// What one database finds is told once: a second keeper, a second database of the log, and one that is made anew from it tell nothing more, and all have
// the same rows. One whose log begins in the middle of an episode tells no other.
func TestEpisodes_AreToldOnce(t *testing.T) {
	w := newWorld(t)
	f, err := simulate.NewFleet(simulate.Config{Hosts: 1, Processes: 20, Interval: 5e9, Seed: 5, Trouble: "memory_pressure", Start: time.Unix(0, w.now.Wall).Add(-time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	first := w.open("first", short)
	publish := func(steps int) {
		for range steps {
			for _, m := range f.Host(0).Step() {
				w.publish(&m)
			}
		}
	}
	publish(70) // the trouble has begun
	first.tellFound()
	if got := first.rows(`SELECT rule, ended FROM anomalies`); !slices.Equal(got, []string{"memory_pressure <nil>"}) {
		t.Fatalf("got %q, want one episode that goes on", got)
	}
	publish(80) // it is over
	first.tellFound()
	want := first.rows(allEpisodes)
	if got := first.rows(`SELECT rule, end_reason, revision FROM anomalies`); !slices.Equal(got, []string{"memory_pressure recovered 2"}) {
		t.Fatalf("got %q, want one episode that is over", got)
	}
	if n := first.count(`SELECT count(*) FROM found_anomalies`); n != 0 {
		t.Errorf("%d episodes wait though the log has them", n)
	}
	told := w.messages(schema.StreamEvents)
	first.tellFound()
	second := w.open("second", short)
	second.tellFound()
	if got := second.rows(allEpisodes); !slices.Equal(got, want) {
		t.Errorf("a second database has\n%q, want\n%q", got, want)
	}
	stream, err := w.js.Stream(t.Context(), schema.StreamSnapshots)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(t.Context(), jetstream.WithPurgeSequence(64)); err != nil { // in the trouble, before it is noticed there
		t.Fatal(err)
	}
	third := w.open("third", short)
	third.settle()
	if n := third.count(`SELECT count(*) FROM found_anomalies WHERE episode_id NOT IN (SELECT episode_id FROM anomalies)`); n != 1 {
		t.Errorf("a database of a trimmed log found %d episodes of another start: this shows little", n)
	}
	third.tellFound()
	if got := third.rows(allEpisodes); !slices.Equal(got, want) {
		t.Errorf("a database of a trimmed log has\n%q, want\n%q", got, want)
	}
	if n := w.messages(schema.StreamEvents); n != told {
		t.Errorf("the log has %d messages of events, want %d: something was told twice", n, told)
	}
}
