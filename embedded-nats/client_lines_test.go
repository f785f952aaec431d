package embeddednats

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// violationLine is a line of the server, as it was seen.
func violationLine(cid int, user string) string {
	return fmt.Sprintf(`127.0.0.1:%d - cid:%d - "v1.55.0:go:proctape" - "%s" - Publish Violation - Subject "proctape.v1.other.snapshot"`, 40000+cid, cid, user)
}

// One client fills no log, whatever it does; the others' lines, and the server's own, are said.
func TestLogger_OneClientsLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		l := newLogger(slog.New(slog.NewTextHandler(&said, nil)))
		for i := range 1000 {
			l.Errorf("%s", violationLine(i, "host-mallory/nkey:UB2PQI"))
		}
		l.Errorf("%s", violationLine(7, "host-alpha/nkey:UAAAAA"))
		for range 3 {
			l.Errorf("the server's own")
		}
		if n := strings.Count(said.String(), "mallory"); n != linesOfClient {
			t.Errorf("%d lines of one client, want %d", n, linesOfClient)
		}
		if n := strings.Count(said.String(), "counted and not said"); n != 1 {
			t.Errorf("%d lines say that more are left out, want one", n)
		}
		if strings.Count(said.String(), "alpha") != 1 || strings.Count(said.String(), "the server's own") != 3 {
			t.Errorf("others are not heard:\n%s", said.String())
		}
		time.Sleep(linesFor)
		l.Errorf("%s", violationLine(1001, "host-mallory/nkey:UB2PQI"))
		if !strings.Contains(said.String(), fmt.Sprintf("unsaid=%d", 1000-linesOfClient)) {
			t.Errorf("what was left out is not counted:\n%s", said.String())
		}
	})
}
