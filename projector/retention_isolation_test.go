package projector

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/proctape/proctape/projector/retention"
	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

// spoilt are what one host's rows may be like so that a minute of it cannot be rolled up.
var spoilt = map[string]string{
	"an instance that is none":  `UPDATE snapshots SET instance = 'zz' WHERE id = (SELECT min(id) FROM snapshots WHERE host_id = ?1)`,
	"GPUs that are no JSON":     `UPDATE snapshots SET gpus = '{' WHERE id = (SELECT min(id) FROM snapshots WHERE host_id = ?1)`,
	"a clock that is text":      `UPDATE snapshots SET boot_ns = 'abc' WHERE id = (SELECT min(id) FROM snapshots WHERE host_id = ?1)`,
	"memory that is text":       `UPDATE snapshots SET system_memory_total_mb = 'much' WHERE id = (SELECT min(id) FROM snapshots WHERE host_id = ?1)`,
	"a load that no host has":   `UPDATE snapshots SET load_avg_1 = 1e300 WHERE id = (SELECT min(id) FROM snapshots WHERE host_id = ?1)`,
	"a command without end":     `UPDATE processes SET command = printf('%.*c', 100000, 'x') WHERE host_id = ?1`,
	"a process id that is text": `UPDATE processes SET ppid = 'init' WHERE host_id = ?1`,
	"a rollup that is none": `INSERT INTO rollups(id, timestamp, host_id, boot_id, boot_ns, samples, covers, interval_ns, memory_total_kib, process_count, zombie_count)
		SELECT 1 << 40, timestamp - (timestamp % 60), host_id, '', 0, 1, '{}', 1, 1, 0, 0 FROM snapshots WHERE host_id = ?1 ORDER BY id LIMIT 1`,
}

// TestRetention_OneHostsRowsCostThatHostAlone: what of a host cannot be rolled up stays, with one line, and goes without a rollup before
// it holds the log of all for too long. What other hosts have is rolled up and goes as if nothing were.
func TestRetention_OneHostsRowsCostThatHostAlone(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	for name, spoil := range spoilt {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			alpha, beta := w.host("alpha", schema.Process{PID: 5, Command: "a"}), w.host("beta")
			w.run(13*minute, 20*second, busy(1), alpha, beta)
			d := w.open("live", short)
			d.settle()
			id := d.count(`SELECT id FROM hosts WHERE name = 'alpha'`)
			var log bytes.Buffer
			r := d.watchedBy(&log, d.as)
			d.exec(spoil, id)
			until := w.now.Wall - int64(short.Policy.FullResolution) - minute
			old := recordedBefore(w.sent, until)
			stayed := func() int64 {
				return d.count(`SELECT count(*) FROM snapshots WHERE host_id = ? AND timestamp < ?`, id, schema.Timestamp(until))
			}
			of := func(host string) (ms []*schema.Message) {
				for _, m := range old {
					if m.Host == host {
						ms = append(ms, m)
					}
				}
				return ms
			}
			wantSome(t, "the control: snapshots of others that stayed before the pass", overdue(t, d.read, of("beta")))
			for range 2 {
				if _, err := r.Pass(t.Context(), "test"); err != nil {
					t.Fatal(err)
				}
			}
			wantNone(t, "snapshots of another host that stayed", overdue(t, d.read, of("beta")))
			wantNone(t, "snapshots of another host that are not accounted for", unaccounted(t, d.read, of("beta")))
			if stayed() == 0 {
				t.Error("the host's snapshots that cannot be rolled up have gone at once")
			}
			if text := log.String(); strings.Count(text, "level=WARN") != 1 || !strings.Contains(text, "of=alpha") {
				t.Errorf("got the log\n%swant one line of alpha", text)
			}
			// Later, and still not readable.
			w.pass(int64(schema.MaxAge(short.Policy.FullResolution)), alpha, beta)
			w.run(minute, 20*second, busy(1), alpha, beta)
			d.settle()
			log.Reset()
			pass, err := r.Pass(t.Context(), "test")
			if err != nil || pass.Removed.MinutesLost == 0 {
				t.Errorf("got %+v, %v", pass.Removed, err)
			}
			if n := stayed(); n > 0 {
				t.Errorf("%d snapshots hold the log", n)
			}
			if _, err := r.Pass(t.Context(), "test"); err != nil {
				t.Error(err)
			}
			if text := log.String(); strings.Count(text, "level=WARN") != 1 || !strings.Contains(text, "level=INFO msg=\"no longer") {
				t.Errorf("got the log\n%swant what went without a rollup, and the end of the trouble", text)
			}
		})
	}
}

// watchedBy is a retention whose lines go into a log.
func (d *kept) watchedBy(log *bytes.Buffer, as retention.Database) *retention.Retention {
	d.w.t.Helper()
	cfg := d.config()
	cfg.Log = slog.New(slog.NewTextHandler(log, nil))
	r, err := retention.Open(cfg, as)
	if err != nil {
		d.w.t.Fatal(err)
	}
	d.w.t.Cleanup(func() {
		if err := r.Close(); err != nil {
			d.w.t.Error(err)
		}
	})
	return r
}

// stuck is a database that does not come to where rollups are; and one that takes no writes either.
type stuck struct {
	retention.Database
	closed bool
}

func (stuck) WaitCommitted(context.Context, map[string]uint64) error {
	return errors.New("it does not come")
}

func (s stuck) Write(ctx context.Context, do func(*store.Tx) error) error {
	if s.closed {
		return errors.New("it takes none")
	}
	return s.Database.Write(ctx, do)
}

// TestRetention_AStepThatFailsLeavesTheOthers: events go, and the log is trimmed, while snapshots cannot be rolled up. The control is a
// database that takes nothing: that its events stay is noticed.
func TestRetention_AStepThatFailsLeavesTheOthers(t *testing.T) {
	w := newWorld(t)
	h := w.host("alpha")
	w.publish(h.events(schema.KindSpawn, 3))
	w.pass(int64(short.Policy.Events)+int64(time.Hour), h)
	w.run(13*minute, 20*second, busy(1), h)
	d := w.open("live", short)
	d.settle()
	before := w.messages(schema.StreamEvents)
	for _, c := range []struct {
		closed bool
		left   int64
	}{{true, 3}, {false, 0}} {
		var log bytes.Buffer
		_, err := d.watchedBy(&log, stuck{d.as, c.closed}).Pass(t.Context(), "test")
		if err == nil {
			t.Fatal("the pass is said to have come to its end")
		}
		if !c.closed && (!strings.Contains(err.Error(), "roll up snapshots: it does not come") || strings.Count(err.Error(), "\n") > 0) {
			t.Errorf("got error %v", err)
		}
		if n := d.count(`SELECT count(*) FROM process_events`); n != c.left {
			t.Errorf("closed %v: %d events are left, want %d", c.closed, n, c.left)
		}
	}
	if after := w.messages(schema.StreamEvents); after >= before {
		t.Errorf("the log had %d messages of events and has %d", before, after)
	}
}

// TestRetention_CapAndAClockThatIsAhead: under a cap the oldest goes, and a host whose clock is years ahead, or behind, does not make what
// others have just recorded look old.
func TestRetention_CapAndAClockThatIsAhead(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	for name, years := range map[string]int64{"ahead": 9, "behind": -9} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			alpha, wrong := w.host("alpha", schema.Process{PID: 5}), w.host("wrong", schema.Process{PID: 5})
			wrong.wall += years * 365 * day
			w.run(9*minute, 5*second, crowd(30), alpha)
			w.publish(wrong.snapshot(), wrong.snapshot())
			settings := short
			settings.MaxBytes = 1
			d := w.open("live", settings)
			d.settle()
			used, err := d.pages()
			if err != nil {
				t.Fatal(err)
			}
			d.settings.MaxBytes = used * 19 / 20
			d.retain()
			newest := recordedSince(w.sent, w.now.Wall-3*minute)
			kept := len(newest) - len(earlyGone(t, d.read, newest))
			if kept < len(newest)/2 {
				t.Errorf("of %d new snapshots %d are left", len(newest), kept)
			}
			if gone := len(earlyGone(t, d.read, w.sent)); gone == 0 {
				t.Error("the control: nothing has gone, the cap shows nothing")
			}
		})
	}
}
