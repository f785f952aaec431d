package web_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/proctape/proctape/query/health"
	"github.com/proctape/proctape/query/web"
)

// A probe learns whether the recording goes on, and no more: not why it does not. That the server lives says /healthz whatever stands.
func TestReady_Verdict(t *testing.T) {
	w := newWorld(t, 1)
	for verdict, c := range map[string]struct {
		err    error
		status int
		says   string
	}{
		"well":     {nil, http.StatusOK, `"verdict":"well"`},
		"degraded": {nil, http.StatusOK, `"verdict":"degraded"`},
		"standing": {nil, http.StatusServiceUnavailable, "the recording stands"},
		"":         {errors.New("a secret"), http.StatusServiceUnavailable, "nobody knows"},
	} {
		s := w.serveWith(0, func(cfg *web.Config) {
			cfg.Status = func(context.Context) (*health.Status, error) {
				return &health.Status{Verdict: health.Verdict{Word: verdict}}, c.err
			}
		})
		for path, want := range map[string]int{"/readyz": c.status, "/healthz": http.StatusOK} {
			r := s.request(path)
			r.Header.Del("Authorization")
			answer, body := s.do(r)
			if answer.StatusCode != want || path == "/readyz" && !strings.Contains(strings.ReplaceAll(string(body), ": ", ":"), c.says) || strings.Contains(string(body), "secret") {
				t.Errorf("%q: %s answers %d %s, want %d", verdict, path, answer.StatusCode, body, want)
			}
		}
	}
}
