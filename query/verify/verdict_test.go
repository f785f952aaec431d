package verify_test

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/embedded-nats/logtest"
	"github.com/proctape/proctape/query/verify"
	"github.com/proctape/proctape/schema"
)

// Loss, lag and difference are told apart.
func TestCompare_Verdicts(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	recording := t.TempDir()
	recordInto(t, recording).close()
	for _, c := range []struct {
		name  string
		do    func(t *testing.T, r *recorded)
		want  verify.Verdict
		check func(*verify.Result) bool
	}{
		{"nothing", func(*testing.T, *recorded) {}, verify.Equal, nil},
		{"the events' stream is deleted", func(t *testing.T, r *recorded) { deleteStream(t, r, schema.StreamEvents) }, verify.Lost,
			func(v *verify.Result) bool {
				return v.Losses[0].Stream == schema.StreamEvents && v.NotCompared.Events > 0
			}},
		{"the snapshots' stream is deleted", func(t *testing.T, r *recorded) { deleteStream(t, r, schema.StreamSnapshots) }, verify.Lost,
			func(v *verify.Result) bool { return v.Losses[0].Messages == 24 }},
		{"all messages of a stream are gone", func(t *testing.T, r *recorded) { purge(t, r, schema.StreamSnapshots, 0) }, verify.Lost,
			func(v *verify.Result) bool { return v.Losses[0].Messages == 24 }},
		{"the beginning is gone", func(t *testing.T, r *recorded) { purge(t, r, schema.StreamSnapshots, 11) }, verify.Lost,
			func(v *verify.Result) bool { return v.Losses[0].Messages == 10 }},
		{"messages in the middle are gone", func(t *testing.T, r *recorded) {
			for seq := uint64(5); seq < 8; seq++ {
				if err := stream(t, r, schema.StreamSnapshots).DeleteMsg(t.Context(), seq); err != nil {
					t.Fatal(err)
				}
			}
		}, verify.Lost, func(v *verify.Result) bool { return v.Losses[0].Messages == 3 }},
		{"the beginning is gone, and what is left was changed", func(t *testing.T, r *recorded) {
			purge(t, r, schema.StreamSnapshots, 11)
			r.change(`UPDATE samples SET rss_kib = rss_kib + 1 WHERE id = (SELECT max(id) FROM samples)`)
		}, verify.Different, nil},
		{"what another database's retention trimmed", func(t *testing.T, r *recorded) {
			s := stream(t, r, schema.StreamSnapshots)
			if _, err := s.CreateConsumer(t.Context(), schema.Keeping(schema.Consumer("another"), time.Nanosecond)); err != nil {
				t.Fatal(err)
			}
			purge(t, r, schema.StreamSnapshots, 11)
		}, verify.Equal, func(v *verify.Result) bool { return v.NotCompared.Snapshots == 10 }},
		{"two producers claim more than a sum holds", func(t *testing.T, r *recorded) {
			r.change(`UPDATE producers SET acked = 9223372036854775807, ended_ns = 1`)
			r.change(`INSERT INTO gaps(stream, epoch, at_seq, n, timestamp, kind, host_id, instance, first_seq, last_seq, count)
				SELECT instance, 1, 1, n, 1, 'end_lost', host_id, instance, 1, 1, 9223372036854775807 FROM (SELECT DISTINCT host_id, instance FROM producers), (SELECT 1 AS n UNION SELECT 2)`)
		}, verify.Different, func(v *verify.Result) bool {
			l := v.Losses[len(v.Losses)-1]
			return l.Items == schema.MaxSum && slices.Equal(l.AtLeast, []string{"items"})
		}},
		{"the first event is deleted by hand", func(t *testing.T, r *recorded) {
			r.change(`DELETE FROM process_events WHERE id = (SELECT min(id) FROM process_events)`)
		}, verify.Different, nil},
		{"a snapshot is deleted by hand", func(t *testing.T, r *recorded) {
			r.change(`DELETE FROM snapshots WHERE id = (SELECT min(id) FROM snapshots)`)
		}, verify.Different, nil},
		{"an event is made up", func(t *testing.T, r *recorded) {
			r.change(`INSERT INTO process_events(id, timestamp, pid, event_type, host_id, boot_id, boot_ns, start_ticks, source, instance, seq)
				SELECT id + 1000, timestamp, pid, event_type, host_id, boot_id, boot_ns, start_ticks, source, instance, 99999 FROM process_events ORDER BY id LIMIT 1`)
		}, verify.Different, nil},
		{"a job is changed", func(t *testing.T, r *recorded) { r.change(`UPDATE jobs SET cpu_ms = cpu_ms + 1`) }, verify.Different, nil},
		{"another log", func(t *testing.T, r *recorded) { r.js = record(t).js }, verify.Different, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := open(t, logtest.Copy(t, recording))
			c.do(t, r)
			got := r.compare(verify.Config{Log: r})
			if got.Verdict != c.want || c.check != nil && !c.check(got) {
				t.Errorf("got %+v, want %s", got, c.want)
			}
		})
	}
}

// A database that has not folded all of the log is behind, as long as what it has folded is equal.
func TestCompare_Behind(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	r := record(t)
	for _, seq := range []uint64{20, 0} {
		behind := &recorded{t: t, js: r.js, db: filepath.Join(t.TempDir(), "behind.db")}
		if err := behind.Replay(t.Context(), behind.db, map[string]uint64{schema.StreamSnapshots: seq, schema.StreamEvents: 5, schema.StreamRollups: 0}); err != nil {
			t.Fatal(err)
		}
		for _, cfg := range []verify.Config{{Log: r}, {Against: r.db}} {
			got := behind.compare(cfg)
			if got.Verdict != verify.Behind || got.Lag[schema.StreamSnapshots] != int64(24-seq) {
				t.Errorf("got %+v against %s, want behind by %d snapshots", got, got.Against, 24-seq)
			}
		}
		if got := r.compare(verify.Config{Against: behind.db}); got.Verdict != verify.Behind || got.Lag[schema.StreamSnapshots] != -int64(24-seq) {
			t.Errorf("got %+v, want the other %d snapshots behind", got, 24-seq)
		}
		if seq == 0 {
			continue
		}
		behind.change(`UPDATE samples SET rss_kib = rss_kib + 1 WHERE id = (SELECT max(id) FROM samples)`) // the control
		for _, cfg := range []verify.Config{{Log: r}, {Against: r.db}} {
			if got := behind.compare(cfg); got.Verdict != verify.Different {
				t.Errorf("got %+v against %s, want different", got, got.Against)
			}
		}
	}
}

func stream(t *testing.T, r *recorded, name string) jetstream.Stream {
	t.Helper()
	s, err := r.js.Stream(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func deleteStream(t *testing.T, r *recorded, name string) {
	t.Helper()
	if err := r.js.DeleteStream(t.Context(), name); err != nil {
		t.Fatal(err)
	}
}

// purge removes the messages below a sequence; all for 0.
func purge(t *testing.T, r *recorded, name string, below uint64) {
	t.Helper()
	var opts []jetstream.StreamPurgeOpt
	if below > 0 {
		opts = append(opts, jetstream.WithPurgeSequence(below))
	}
	if err := stream(t, r, name).Purge(t.Context(), opts...); err != nil {
		t.Fatal(err)
	}
}
