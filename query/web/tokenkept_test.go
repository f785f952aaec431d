package web_test

import (
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proctape/proctape/query/web"
)

// A token that is replaced while the server runs is taken at once, and the old one is worth nothing, for new requests and for streams that are
// open. The control is a server that was not told of the file.
func TestToken_IsReplacedWhileServing(t *testing.T) {
	w := newWorld(t, 3)
	path := filepath.Join(t.TempDir(), "http.token")
	old, err := web.ReadToken(path)
	check(t, err)
	var log lines
	s := w.serveWith(0, func(cfg *web.Config) {
		cfg.Token, cfg.TokenFile, cfg.Logger = old, path, slog.New(slog.NewTextHandler(&log, nil))
	})
	deaf := w.serveWith(0, func(cfg *web.Config) { cfg.Token = old })
	status := func(s *site, token string) int {
		r := s.request("/api/v1/hosts")
		r.Header.Set("Authorization", "Bearer "+token)
		answer, _ := s.do(r)
		return answer.StatusCode
	}
	want := func(when, token string, status200 bool) {
		t.Helper()
		if got := status(s, token); (got == http.StatusOK) != status200 {
			t.Errorf("%s: got %d", when, got)
		}
	}
	want("at the start", old, true)
	ended := make(chan error, 1)
	begun := make(chan bool, 1)
	go func() {
		ended <- s.followWith(t.Context(), old, "/api/v1/stream?since=0&kinds=event", func(told) bool { sendOnce(begun); return true })
	}()
	<-begun
	fresh, err := web.RotateToken(path)
	check(t, err)
	want("the old one", old, false)
	want("the new one", fresh, true)
	if got := status(deaf, old); got != http.StatusOK {
		t.Errorf("the control refuses the old token: %d", got)
	}
	w.spawn(3) // the stream has something to say, and ends
	check(t, <-ended)

	check(t, os.Remove(path))
	want("without a file, the one before", fresh, false)
	want("without a file, none", "", false)
	check(t, os.WriteFile(path, []byte(strings.Repeat("x", 40)), 0o600))
	want("a file that somebody wrote", strings.Repeat("x", 40), true)
	check(t, os.Chmod(path, 0o644))
	want("a file that all may read", strings.Repeat("x", 40), false)
	check(t, os.Chmod(path, 0o600))
	want("one that they may not read again", strings.Repeat("x", 40), true)
	if begins, ends := log.count("nobody is answered"), log.count("can be read again"); begins != 2 || ends != 2 {
		t.Errorf("%d lines say that it began, and %d that it ended", begins, ends)
	}
}

func sendOnce(c chan bool) {
	select {
	case c <- true:
	default:
	}
}
