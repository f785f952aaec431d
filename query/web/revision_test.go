package web_test

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/web"
	"github.com/proctape/proctape/schema"
)

// revisionOf is the part of a tag that names what the answer is made of, with the quote behind it; empty for a tag without one.
func revisionOf(tag string) string {
	_, revision, found := strings.Cut(tag, ".")
	if !found {
		return ""
	}
	return "." + revision
}

// forged is a tag of an answer that nobody was given: who is told that it still holds is told so without a look at the answer.
func forged(tag string) string { return `"nobody` + revisionOf(tag) }

// spawned publishes a start, at the i-th second.
func (w *world) spawned(i int) {
	w.publish(i, schema.KindSpawn, func(m *schema.Message) {
		m.Events = []schema.Event{{PID: 3000 + i, StartTicks: 300, Wall: m.Wall, Boot: m.Boot, Command: "later", Source: "proc-diff"}}
	})
}

// Whoever has the answer about a time that has ended is told so without that it is worked out. What comes later changes nothing of that; late data
// does. The control is a projector that does not note what late data change: who asks is told that the old answer holds.
func TestAPI_TagsAreKnownBefore(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	w := newWorld(t, 80) // what is known of a minute changes together
	w.project()
	now := began.Add(2 * time.Minute)
	s := w.serveWith(0, func(cfg *web.Config) { cfg.Now = func() time.Time { return now } })
	tags := map[string]string{}
	for _, path := range closedQuestions() {
		if _, tag := s.tagged(path, ""); revisionOf(tag) != "" {
			tags[path] = tag
		} else if !strings.HasPrefix(path, "lanes") {
			t.Errorf("%s: the tag %s has no revision", path, tag)
		}
	}
	expect := func(what string, status int) {
		t.Helper()
		for path, tag := range tags {
			if got, _ := s.tagged(path, forged(tag)); got != status {
				t.Errorf("%s: %s: %d, want %d", what, path, got, status)
			}
		}
	}
	expect("at once", http.StatusNotModified)
	w.spawned(80)
	w.snapshot(81)
	w.project()
	expect("something came later", http.StatusNotModified)
	other := "events?since=" + stamp(-10) + "&until=" + stamp(7)
	if status, _ := s.tagged(other, forged(tags["events?since="+stamp(-10)+"&until="+stamp(6)])); status != http.StatusOK {
		t.Errorf("another range: %d", status)
	}
	undo := changesOf(t, w.db.Path())
	w.spawned(4)
	w.project()
	expect("after late data", http.StatusOK)
	undo()
	expect("the control, where late data are not noted", http.StatusNotModified)
}

// changesOf returns what makes a database forget the changes that it notes from now on.
func changesOf(t *testing.T, path string) (undo func()) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	check(t, err)
	t.Cleanup(func() { check(t, db.Close()) })
	noted := map[string]string{}
	rows, err := db.QueryContext(t.Context(), `SELECT key, value FROM meta WHERE key >= ? AND key < ?`, schema.ChangedKey, schema.ChangedEnd)
	check(t, err)
	for rows.Next() {
		var key, value string
		check(t, rows.Scan(&key, &value))
		noted[key] = value
	}
	check(t, rows.Err())
	return func() {
		_, err := db.ExecContext(t.Context(), `DELETE FROM meta WHERE key >= ? AND key < ?`, schema.ChangedKey, schema.ChangedEnd)
		check(t, err)
		for key, value := range noted {
			_, err := db.ExecContext(t.Context(), `INSERT INTO meta(key, value) VALUES (?, ?)`, key, value)
			check(t, err)
		}
	}
}

// Whatever comes, in any order: while an answer has the same revision it is the same.
func TestAPI_RevisionsHideNoChange(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	w := newWorld(t, 12)
	now := began.Add(10 * time.Minute)
	random := rand.New(rand.NewPCG(7, 11))
	told, same, other := map[string]string{}, 0, 0
	for round := range 9 {
		said := w.somethingComes(random, round)
		w.project()
		db, err := query.Open(t.Context(), w.db.Path()) // which keeps nothing of before
		check(t, err)
		s := w.serveWith(0, func(cfg *web.Config) { cfg.DB, cfg.Now = db, func() time.Time { return now } })
		for _, path := range questionsUntil(-10, 3, 14) {
			_, tag := s.tagged(path, "")
			before := told[path]
			told[path] = tag
			switch {
			case before == "" || revisionOf(tag) != revisionOf(before):
				other++
			case tag != before:
				t.Errorf("%s: after %s the answer is another one, and its revision is not", path, said)
			default:
				same++
			}
		}
		s.stop()
		check(t, db.Close())
	}
	if same == 0 || other < 60 {
		t.Errorf("%d answers had the revision that they had before, %d another", same, other)
	}
}

// questionsUntil are questions about times that end at some seconds.
func questionsUntil(since int, untils ...int) (all []string) {
	for _, u := range untils {
		of := "since=" + stamp(since) + "&until=" + stamp(u)
		for _, path := range []string{"snapshots?", "events?", "execs?", "history?pid=42&", "gaps?", "series?", "top?", "anomalies?"} {
			all = append(all, path+of)
		}
		all = append(all, "tree?at="+stamp(u), "processes?at="+stamp(u), "diff?from="+stamp(2)+"&to="+stamp(u))
	}
	return all
}

// somethingComes publishes something, now or late, and says what.
func (w *world) somethingComes(random *rand.Rand, round int) string {
	late := random.IntN(13)
	switch what := random.IntN(7); what {
	case 0:
		w.snapshot(100 + round)
		return "a snapshot"
	case 1:
		w.snapshot(late)
		return fmt.Sprintf("a late snapshot of second %d", late)
	case 2:
		w.spawned(late)
		return fmt.Sprintf("a late start in second %d", late)
	case 3:
		w.made[schema.KindSpawn] += 2 // numbers that never come
		w.spawned(100 + round)
		return "a start behind a hole of numbers"
	case 4:
		w.instance, w.made = schema.NewInstance(), map[schema.Kind]uint64{}
		w.snapshot(100 + round)
		return "a snapshot of a sampler that was started anew"
	case 5:
		w.publish(late, schema.KindSpawn, func(m *schema.Message) {
			m.Host, m.Seq = fmt.Sprintf("host-%d", round), 1
			m.Events = []schema.Event{{PID: 9, StartTicks: 3, Wall: m.Wall, Boot: m.Boot, Command: "elsewhere", Source: "proc-diff"}}
		})
		w.made[schema.KindSpawn]--
		return "another host"
	}
	w.publish(100+round, schema.KindExit, func(m *schema.Message) {
		m.Events = []schema.Event{{PID: 1000 + late, StartTicks: uint64(100 + late), Wall: m.Wall, Boot: m.Boot, Command: "made", Source: "taskstats", ExitCode: schema.Some[int64](1)}}
	})
	return "an end"
}
