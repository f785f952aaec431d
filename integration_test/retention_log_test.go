package integration_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema"
)

// retaining follows a log into a database, and makes passes.
func retaining(t *testing.T, program, data, db string, args ...string) *process {
	t.Helper()
	p := startProgram(t, program, append([]string{"project", "--data", data, "--db", db}, args...)...)
	p.awaitLine("is projecting")
	return p
}

// passes are what a database's status shows of its passes.
func passes(t *testing.T, db string) []query.RetentionPass {
	t.Helper()
	return decode[struct {
		Passes []query.RetentionPass `json:"passes"`
	}](t, run(t, "retention", "status", "--json", "--data", filepath.Dir(db), "--db", db))[0].Passes
}

// TestRetention_OneScheduleForAll has two databases follow one log. It ticks once for both, each makes a pass a tick,
// and an outage of three ticks is made up for by one.
func TestRetention_OneScheduleForAll(t *testing.T) {
	long(t)
	t.Parallel()
	log := startLog(t, quickDir(t))
	dbs := []string{filepath.Join(t.TempDir(), "a.db"), filepath.Join(t.TempDir(), "b.db")}
	var projections []*process
	for _, db := range dbs {
		projections = append(projections, retaining(t, proctape, log.dir, db, "--retention-interval", "1s"))
	}
	after := func(n int) { // passes of both
		t.Helper()
		await(t, fmt.Sprint(n, " passes"), func() bool {
			return count(t, dbs[0], `SELECT count(*) FROM retention_passes`) >= n && count(t, dbs[1], `SELECT count(*) FROM retention_passes`) >= n
		})
	}
	after(3)
	if n := log.messages(schema.SubjectSchedule); n != 1 {
		t.Errorf("the log has %d schedules, want 1", n)
	}

	before := log.last(schema.StreamOps)
	down := time.Now()
	log.stop()
	await(t, "time for five ticks", func() bool { return time.Since(down) > 5*time.Second })
	began := time.Now()
	log.start()
	await(t, "two ticks", func() bool { return log.last(schema.StreamOps) >= before+2 })
	if n, most := log.last(schema.StreamOps)-before, 2+uint64(time.Since(began)/time.Second); n > most {
		t.Errorf("%d ticks within %s of an outage of five, want one late and the others in time: at most %d", n, time.Since(began), most)
	}
	made := max(count(t, dbs[0], `SELECT count(*) FROM retention_passes`), count(t, dbs[1], `SELECT count(*) FROM retention_passes`))
	after(made + 2)
	for _, p := range projections {
		p.stop()
	}
	for _, db := range dbs {
		// A tick that was on its way when the log stopped is given again, and counted twice by the server. One that came while the projection stopped is open: its
		// pass is made or not.
		given, open := log.handled(db)
		if got := count(t, db, `SELECT count(*) FROM retention_passes WHERE asked = 'schedule' AND error = ''`); got < given-open-1 || got > given {
			t.Errorf("%s: %d passes, and ticks were given %d times; %d are open", db, got, given, open)
		}
		for _, p := range passes(t, db) {
			during := p.Started < schema.Timestamp(began.UnixNano()) && p.Finished > schema.Timestamp(down.UnixNano())
			if p.Asked != "schedule" || p.Error != "" && !during {
				t.Errorf("%s: pass %+v", db, p)
			}
		}
	}
}

// messages is how many messages of a subject the log's stream of operations holds.
func (l *logServer) messages(subject string) uint64 {
	l.t.Helper()
	stream := must(l.js.Stream(context.Background(), schema.StreamOps))(l.t)
	return must(stream.Info(context.Background(), jetstream.WithSubjectFilter(subject)))(l.t).State.Subjects[subject]
}

// last is where a stream ends.
func (l *logServer) last(stream string) uint64 {
	l.t.Helper()
	return must(l.js.Stream(context.Background(), stream))(l.t).CachedInfo().State.LastSeq
}

// awaitFolded waits until a database has all that the log has of snapshots and of events. Their lines are written then, too.
func (l *logServer) awaitFolded(db string) {
	l.t.Helper()
	for _, stream := range []string{schema.StreamSnapshots, schema.StreamEvents} {
		last := l.last(stream)
		await(l.t, "all of "+stream, func() bool {
			return count(l.t, db, `SELECT coalesce(max(seq), 0) FROM checkpoints WHERE stream = '`+stream+`'`) >= int(last)
		})
	}
}

// handled is how many ticks a database was given, each of them once, and whether one of them is open: never more.
func (l *logServer) handled(db string) (given, open int) {
	l.t.Helper()
	id := column(l.t, readOnly(l.t, db), `SELECT value FROM meta WHERE key = 'database_id'`)[0]
	consumer := must(l.js.Consumer(context.Background(), schema.StreamOps, schema.TickConsumer(id).Durable))(l.t)
	info := consumer.CachedInfo()
	if info.NumRedelivered != 0 || info.NumAckPending > 1 {
		l.t.Errorf("%s: %d ticks were given twice, and %d are open", db, info.NumRedelivered, info.NumAckPending)
	}
	return int(info.Delivered.Consumer), info.NumAckPending
}

var trimsForItself = withFault("trims-for-itself", "projector/retention/trim.go",
	`if acked+1 >= keep {`,
	`if acked+1 >= keep || runsAs("trims-for-itself") {`)

// TestRetention_SlowDatabase stops the second of two databases. The log waits for it, and no longer when it has been
// away for too long: then it is told what it has missed.
func TestRetention_SlowDatabase(t *testing.T) {
	long(t)
	t.Parallel()
	t.Run("waited for", func(t *testing.T) {
		s := newSlow(t)
		s.pass(t, proctape)
		if first := s.log.first(schema.StreamSnapshots); first != s.has+1 {
			t.Errorf("the log begins at %d, and the slow database has %d", first, s.has)
		}
		if n := s.comeBack(t); n != 0 {
			t.Errorf("the slow database misses %d snapshots", n)
		}
		s.pass(t, proctape)
		if first := s.log.first(schema.StreamSnapshots); first <= s.has+1 {
			t.Errorf("the log still begins at %d, when the slow database has all", first)
		}
	})
	t.Run("away for too long", func(t *testing.T) {
		s := newSlow(t)
		if left := s.pass(t, proctape).LeftBehind; left != 0 {
			t.Errorf("%d were left behind at once", left)
		}
		// An hour is the least that --away-hours takes: what the first pass has noted is made older.
		if _, err := writable(t, s.quick).Exec(`UPDATE retention_databases SET since_ns = since_ns - ?`, int64(2*time.Hour)); err != nil {
			t.Fatal(err)
		}
		if left := s.pass(t, proctape, "--away-hours", "3").LeftBehind; left != 0 {
			t.Errorf("%d were left behind after two hours, want none before three", left)
		}
		if left := s.pass(t, proctape, "--away-hours", "1").LeftBehind; left == 0 {
			t.Error("none was left behind after two hours, want so after one")
		}
		missed := int(s.log.first(schema.StreamSnapshots) - s.has - 1)
		if n := s.comeBack(t); n != missed || missed == 0 {
			t.Errorf("the slow database misses %d snapshots, want the %d that were trimmed", n, missed)
		}
		if n := count(t, s.slow, `SELECT count FROM gaps WHERE kind = 'stream_hole' AND stream = 'PROCTAPE_SNAPSHOTS'`); n != missed {
			t.Errorf("the gap counts %d snapshots, want %d", n, missed)
		}
	})
	t.Run("control", func(t *testing.T) {
		s := newSlow(t)
		s.pass(t, trimsForItself.program(t))
		if s.comeBack(t) == 0 {
			t.Error("a build that does not look at the other databases lost nothing: this test catches nothing")
		}
	})
}

// slow is a log of three hours that two databases follow. One has all of it; the other was stopped after the first hour.
type slow struct {
	log         *logServer
	quick, slow string
	has         uint64 // what the slow one has of the snapshots
}

const inSlow = 3 * 120 // snapshots

func newSlow(t *testing.T) *slow {
	t.Helper()
	s := &slow{log: startLog(t, quickDir(t)), quick: filepath.Join(quickDir(t), "quick.db"), slow: filepath.Join(quickDir(t), "slow.db")}
	story := newHost("alpha", 20, 1).until(time.Now(), 3*time.Hour, 30*time.Second)
	s.log.publish(story[:len(story)/3]...)
	s.follow(t, s.slow)
	s.has = s.log.last(schema.StreamSnapshots)
	s.log.publish(story[len(story)/3:]...)
	s.follow(t, s.quick)
	return s
}

// pass makes a pass over the quick database.
func (s *slow) pass(t *testing.T, program string, args ...string) schema.Removed {
	t.Helper()
	p := startProgram(t, program, append([]string{"retention", "run", "--data", s.log.dir, "--db", s.quick, "--json",
		"--full-resolution-hours", "1"}, args...)...)
	p.wait()
	if p.err != nil {
		t.Fatalf("pass: %v\n%s", p.err, p.stderr())
	}
	return decode[query.RetentionPass](t, strings.Join(p.out(), "\n"))[0].Removed
}

// comeBack has the slow database follow again, and returns how many snapshots it misses in the end.
func (s *slow) comeBack(t *testing.T) (missing int) {
	t.Helper()
	s.follow(t, s.slow)
	return inSlow - count(t, s.slow, `SELECT count(*) FROM snapshots`)
}

// follow has a database fold all that the log has.
func (s *slow) follow(t *testing.T, db string) {
	t.Helper()
	last := s.log.last(schema.StreamSnapshots)
	p := projection(t, s.log.dir, db)
	await(t, "the end of the log", func() bool {
		return count(t, db, `SELECT seq FROM checkpoints WHERE stream = 'PROCTAPE_SNAPSHOTS'`) == int(last)
	})
	p.stop()
}
