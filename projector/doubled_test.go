package projector

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/proctape/proctape/schema/trouble"
)

// That two samplers record has one line when it begins, however often it is seen, and one when it was not seen for a minute.
func TestDoubled_OneLineAtEachEnd(t *testing.T) {
	var log strings.Builder
	d := &doubled{report: trouble.NewReporter(slog.New(slog.NewTextHandler(&log, nil))), seen: map[string]time.Time{}}
	for range 3 {
		d.note(map[string]string{"h": "another sampler"})
		d.check()
	}
	if n := strings.Count(log.String(), "\n"); n != 1 {
		t.Fatalf("%d lines, want 1: %s", n, &log)
	}
	d.seen["h"] = time.Now().Add(-2 * doubledFor)
	d.check()
	d.check()
	if n := strings.Count(log.String(), "\n"); n != 2 || !strings.Contains(log.String(), "one sampler records") {
		t.Errorf("%d lines, want 2: %s", n, &log)
	}
}
