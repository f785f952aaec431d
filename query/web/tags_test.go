package web_test

import (
	"context"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/proctape/proctape/projector"
	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/web"
	"github.com/proctape/proctape/schema"
)

// closedQuestions are about a range that ended long ago.
func closedQuestions() []string {
	since, until := stamp(-10), stamp(6)
	of := "since=" + since + "&until=" + until
	return []string{"snapshots?" + of, "events?" + of, "execs?" + of, "history?pid=42&" + of, "gaps?" + of, "series?" + of, "top?" + of, "lanes?px=200&" + of,
		"tree?at=" + until + "&host=alpha", "processes?at=" + until, "diff?from=" + stamp(2) + "&to=" + until, "anomalies?" + of}
}

// ask asks a question with the tag of an earlier answer, and returns the status and the tag.
func (s *site) tagged(path, tag string) (status int, now string) {
	s.Helper()
	r := s.request("/api/v1/" + path)
	if tag != "" {
		r.Header.Set("If-None-Match", tag)
	}
	answer, body := s.do(r)
	if answer.StatusCode >= 400 {
		s.Errorf("%s: %d %s", path, answer.StatusCode, body)
	}
	return answer.StatusCode, answer.Header.Get("ETag")
}

// project brings the database up to the log's end, and checks all that is in it.
func (w *world) project() {
	w.Helper()
	p, err := projector.Open(w.Context(), w.js, projector.Config{DB: w.db.Path(), CheckInterval: time.Millisecond, Log: quiet})
	check(w, err)
	ctx, stop := context.WithCancel(w.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	stream, err := w.js.Stream(w.Context(), schema.StreamEvents)
	check(w, err)
	before, at := query.NotedProof(w.db).Until, func() *float64 { return query.NotedProof(w.db).Until }
	for deadline := time.Now().Add(5 * time.Minute); p.Positions()[schema.StreamEvents].Folded < stream.CachedInfo().State.LastSeq || at() == nil || before != nil && *at() == *before; runtime.Gosched() {
		if time.Now().After(deadline) {
			w.Fatalf("the database is at %v", p.Positions())
		}
	}
	stop()
	check(w, <-ended)
}

// Of a range that has ended an answer has one tag, whenever it is asked for; whoever has it is told that it is the same. When late data come
// it has another. The control is the range before the late data, whose answers stay.
func TestAPI_TagsOfClosedRanges(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	w := newWorld(t, 12)
	w.project()
	now := began.Add(time.Minute)
	s := w.serveWith(0, func(cfg *web.Config) { cfg.Now = func() time.Time { return now } })
	tags := map[string]string{}
	for _, path := range closedQuestions() {
		_, tags[path] = s.tagged(path, "")
	}
	now = began.Add(3 * time.Hour)
	for path, tag := range tags {
		if status, other := s.tagged(path, tag); status != http.StatusNotModified || tag == "" {
			t.Errorf("%s: two hours later %d, and the tag %s in place of %s", path, status, other, tag)
		}
	}
	before := "snapshots?since=" + stamp(-10) + "&until=" + stamp(3)
	_, kept := s.tagged(before, "")
	w.publish(4, // what waited on the host meanwhile
		schema.KindSpawn, func(m *schema.Message) {
			m.Events = []schema.Event{{PID: 3000, StartTicks: 300, Wall: m.Wall, Boot: m.Boot, Command: "late", Source: "proc-diff"}}
		})
	proven := *query.NotedProof(w.db).Until
	w.project()
	if *query.NotedProof(w.db).Until == proven {
		t.Error("it is not proven anew")
	}
	path := "events?since=" + stamp(-10) + "&until=" + stamp(6)
	if status, tag := s.tagged(path, tags[path]); status != http.StatusOK || tag == tags[path] {
		t.Errorf("%s: after late data %d, with the tag %s", path, status, tag)
	}
	if status, _ := s.tagged(before, kept); status != http.StatusNotModified {
		t.Errorf("%s: %d, though nothing of it has changed", before, status)
	}
}
