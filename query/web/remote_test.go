package web_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/compare"
	"github.com/proctape/proctape/query/correlate"
	"github.com/proctape/proctape/query/estimate"
	"github.com/proctape/proctape/query/remote"
	"github.com/proctape/proctape/query/report"
	"github.com/proctape/proctape/query/why"
)

// elsewhere opens a site as a database elsewhere.
func (s *site) elsewhere() *query.DB {
	s.Helper()
	db, err := s.client(token).Open(s.Context())
	check(s, err)
	s.Cleanup(func() { check(s, db.Close()) })
	return db
}

func (s *site) client(token string) *remote.Client {
	s.Helper()
	c, err := remote.New(s.url, token, uint32(os.Geteuid()))
	check(s, err)
	return c
}

// What the library reads elsewhere is what it reads here, hostile names and all.
func TestRemote_IsTheDatabase(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	w := newWorldWith(t, 12, func(w *world) { w.failedJob(); w.crowd(11) })
	far := w.serve(0).elsewhere()
	noon := began.Add(time.Minute)
	at := float64(began.Add(5*time.Second).UnixNano()) / 1e9
	job := query.JobFilter{Name: "build"}
	for name, ask := range map[string]func(ctx context.Context, db *query.DB) (any, error){
		"snapshots": func(ctx context.Context, db *query.DB) (any, error) { return query.Snapshots(ctx, db, query.Range{}) },
		"events": func(ctx context.Context, db *query.DB) (any, error) {
			return query.Events(ctx, db, query.Filter{Command: "made", Range: query.Range{Reverse: true, Limit: 7}})
		},
		"history": func(ctx context.Context, db *query.DB) (any, error) { return query.History(ctx, db, 42, query.Range{}) },
		"hosts":   func(ctx context.Context, db *query.DB) (any, error) { return query.Hosts(ctx, db) },
		"tree":    func(ctx context.Context, db *query.DB) (any, error) { return query.TreeAt(ctx, db, at, query.Filter{}) },
		"diff": func(ctx context.Context, db *query.DB) (any, error) {
			return query.Diff(ctx, db, at-3, at, query.Filter{})
		},
		"top": func(ctx context.Context, db *query.DB) (any, error) {
			return query.TopOf(ctx, db, query.TopQuery{Filter: query.Filter{Range: query.Range{Since: at - 4, Until: at}}, By: "command", Sort: "cpu"})
		},
		"jobs":   func(ctx context.Context, db *query.DB) (any, error) { return query.Jobs(ctx, db, query.Range{}) },
		"report": func(ctx context.Context, db *query.DB) (any, error) { return report.ReadRun(ctx, db, job, "", noon) },
		"all":    func(ctx context.Context, db *query.DB) (any, error) { return report.Read(ctx, db, job, noon) },
		"compare": func(ctx context.Context, db *query.DB) (any, error) {
			return compare.Read(ctx, db, compare.Question{Job: job, Other: "build"})
		},
		"correlate": func(ctx context.Context, db *query.DB) (any, error) {
			return correlate.Read(ctx, db, correlate.Question{Job: job})
		},
		"estimate": func(ctx context.Context, db *query.DB) (any, error) {
			return estimate.Read(ctx, db, estimate.Question{Job: job}, noon)
		},
		"why":     func(ctx context.Context, db *query.DB) (any, error) { return why.Job(ctx, db, job) },
		"balance": func(ctx context.Context, db *query.DB) (any, error) { return query.Checkpoints(ctx, db) },
		"coverage": func(ctx context.Context, db *query.DB) (any, error) {
			return query.HostCoverage(ctx, db, query.Range{Since: at - 9, Until: at})
		},
	} {
		here, err := ask(t.Context(), w.db)
		check(t, err)
		there, err := ask(t.Context(), far)
		check(t, err)
		if text(t, here) != text(t, there) || len(text(t, here)) < 3 {
			t.Errorf("%s: here %.300s\nthere %.300s", name, text(t, here), text(t, there))
		}
	}
	// Errors are the library's too.
	var elsewhere *query.JobHostError
	if _, err := query.JobProfile(t.Context(), far, query.JobFilter{Name: "build", Host: "beta"}); !errors.As(err, &elsewhere) {
		t.Errorf("got %v", err)
	}
	if _, err := query.JobProfile(t.Context(), far, query.JobFilter{Name: "none"}); !errors.Is(err, query.ErrNoJob) {
		t.Errorf("got %v", err)
	}
}

// Nothing but reads is answered, whatever the statement; what a read may say is the control.
func TestSQL_OnlyReads(t *testing.T) {
	w := newWorld(t, 2)
	s := w.serve(0)
	for statement, want := range map[string]int{
		"SELECT count(*) FROM snapshots": 200,
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n LIMIT 9) SELECT * FROM n": 200,
		"PRAGMA user_version":   200,
		"":                      400,
		"SELECT":                400,
		"SELECT * FROM nothing": 400,
		"SELECT 1; SELECT 2":    400,
		" -- SELECT 1":          400,
		"SELECT ';' /* ; */;; ": 200,
		"DELETE FROM hosts":     400,
		"INSERT INTO hosts(id, name) VALUES (9, 'x')":           400,
		"UPDATE hosts SET name = 'x' RETURNING name":            400,
		"SELECT 1; DROP TABLE hosts":                            400,
		"CREATE TEMP TABLE x(y)":                                400,
		"ATTACH '/tmp/other.db' AS other":                       400,
		"VACUUM INTO '/tmp/copy.db'":                            400,
		"PRAGMA user_version = 99":                              400,
		"PRAGMA query_only = 0":                                 400,
		"PRAGMA journal_mode = DELETE":                          400,
		"SELECT * FROM pragma_database_list":                    400,
		"SELECT load_extension('/tmp/x.so')":                    400,
		"SELECT * FROM dbstat":                                  400,
		"SELECT zeroblob(1000000000)":                           400,
		"SELECT printf('%.*c', 900000000, 'x')":                 0, // it begins, and breaks off
		"BEGIN IMMEDIATE":                                       400,
		"EXPLAIN DELETE FROM hosts":                             400,
		"SELECT '" + strings.Repeat("x", 12<<10) + "'":          200,
		"SELECT '" + strings.Repeat("x", 70<<10) + "' FROM one": 431,
	} {
		r := s.request("/api/v1/sql?" + url.Values{"query": {statement}, "args": {"[]"}}.Encode())
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		answer, err := client.Do(r)
		status := 0
		if err == nil {
			status = answer.StatusCode
			answer.Body.Close()
		}
		if status != want && !(want == 0 && status == 400) {
			t.Errorf("%.60q: status %d, want %d (%v)", statement, status, want, err)
		}
	}
	hosts, err := query.HostNames(t.Context(), w.db)
	if err != nil || len(hosts) != 1 {
		t.Errorf("the hosts are %v now: %v", hosts, err)
	}
}

// A token that is wrong, and a server that is not there, are told apart, and no statement is in the text of the error.
func TestRemote_Refusals(t *testing.T) {
	s := newWorld(t, 1).serve(0)
	var refused *remote.RefusedError
	if _, err := s.client(strings.Repeat("x", 40)).Open(t.Context()); !errors.As(err, &refused) || refused.Status != http.StatusUnauthorized {
		t.Errorf("a wrong token: %v", err)
	}
	s.stop()
	var unreachable *remote.UnreachableError
	if _, err := s.client(token).Open(t.Context()); !errors.As(err, &unreachable) || strings.Contains(err.Error(), "SELECT") {
		t.Errorf("no server: %v", err)
	}
	for address, want := range map[string]string{
		"http://192.0.2.1:7447": "https", "ftp://localhost": "want http://", "localhost:7447": "want http://", "http://u:p@localhost": "more than a host",
		"http://localhost/api": "more than a host", "": "want http://",
	} {
		if _, err := remote.New(address, token, 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", address, err, want)
		}
	}
}

// A follower over HTTP gets each event once, while the server is started again three times.
func TestRemote_FollowsOverRestarts(t *testing.T) {
	w := newWorld(t, 10)
	s := w.serve(0)
	port := s.port()
	var got []string
	enough := errors.New("enough")
	err := s.client(token).Follow(t.Context(), url.Values{"kinds": {"event"}, "since": {"0"}}, func(e remote.Event) error {
		got = append(got, commandOf(t, told{data: e.Data}))
		n := len(got)
		if n%10 == 0 {
			if n == 40 {
				return enough
			}
			for i := range 10 {
				w.spawn(n + i)
			}
			s.stop()
			s = w.serve(port)
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Fatal(err)
	}
	for i, command := range got {
		if command != fmt.Sprintf("made %d", i) {
			t.Fatalf("event %d is %q", i, command)
		}
	}
}
