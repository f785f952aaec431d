package web_test

import (
	"bytes"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

// What Prometheus is told is well formed and named, has what the database has, and no pid for a label.
func TestMetrics(t *testing.T) {
	w := newWorld(t, 12)
	s := w.serve(0)
	status, body := s.get("/metrics")
	if status != http.StatusOK {
		t.Fatalf("got %d %s", status, body)
	}
	lint(t, body)
	for _, want := range []string{
		`proctape_items_total{fate="stored",host="alpha"} 24`,
		`proctape_items_total{fate="missing",host="alpha"} 0`,
		`proctape_host_processes{host="alpha"} 1`,
		`proctape_checkpoint_sequence{stream="PROCTAPE_EVENTS"} 12`,
	} {
		if !strings.Contains(string(body), want+"\n") {
			t.Errorf("%s is not there:\n%s", want, body)
		}
	}
	if found := regexp.MustCompile(`pid="`).FindAll(body, -1); len(found) > 0 {
		t.Errorf("%d metrics have a pid for a label", len(found))
	}
	// The control: the linter notices what is named badly.
	bad, err := promlint.New(strings.NewReader("# TYPE proctapeMemoryMb gauge\nproctapeMemoryMb 1\n")).Lint()
	if err != nil || len(bad) == 0 {
		t.Errorf("the linter finds nothing wrong with a bad name: %v", err)
	}
	// It is data: without the token there is none.
	r := s.request("/metrics")
	r.Header.Del("Authorization")
	if answer, _ := s.do(r); answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a token: %d", answer.StatusCode)
	}
}

// lint reports what Prometheus's linter finds.
func lint(t *testing.T, body []byte) {
	t.Helper()
	problems, err := promlint.New(bytes.NewReader(body)).Lint()
	check(t, err)
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}
