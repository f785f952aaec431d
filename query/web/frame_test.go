package web_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/web"
	"github.com/proctape/proctape/schema"
)

// lines is a log that is read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), text)
}

// What a client did not ask for is not decoded for it: nobody notices that it cannot be read. The last client, who asks for it, is
// the control.
func TestStream_DecodesWhatIsAskedFor(t *testing.T) {
	w := newWorldWith(t, 3, func(w *world) { w.put(w.loaded("beta", "other", 1)...) })
	garbage := func(host string, kind schema.Kind) {
		msg := nats.NewMsg(schema.Subject(host, kind))
		msg.Data = []byte("garbage")
		w.put(msg)
	}
	garbage("beta", schema.KindSnapshot)
	garbage("beta", schema.KindSpawn)
	garbage("alpha", schema.KindExec)
	w.snapshot(3)
	w.spawn(3)
	for path, want := range map[string]int{"host=alpha&kinds=snapshot": 0, "host=alpha&kinds=event": 0, "kinds=snapshot": 1, "kinds=event": 1, "kinds=exec,event": 2} {
		var log lines
		s := w.serveWith(0, func(cfg *web.Config) {
			cfg.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		})
		check(t, s.follow(t.Context(), "/api/v1/stream?since=0&"+path, "", func(e told) bool {
			return !strings.Contains(string(e.data), `"made 3"`) && !strings.Contains(string(e.data), `"rss_mb":4,`)
		}))
		s.stop()
		if got := log.count("a message was skipped"); got != want {
			t.Errorf("%s: %d messages were decoded that cannot be read, want %d", path, got, want)
		}
	}
}

// Of a snapshot, clients with filters are told what the whole of it says of the processes that they asked for.
func TestStream_FiltersOfSnapshots(t *testing.T) {
	w := newWorld(t, 1)
	all := w.loaded("alpha", "mine", 3)
	w.put(all...)
	s := w.serve(0)
	for path, f := range map[string]query.Filter{"job=mine": {Job: "mine"}, "pid=142": {PID: 142}, "command=worker-7/": {Command: "worker-7/"},
		"state=S&pid=101": {PID: 101, States: []string{"S"}}} {
		var got, want []string
		for _, msg := range all {
			m, err := schema.DecodeMsg(msg.Subject, msg.Header, msg.Data)
			check(t, err)
			snapshot := query.SnapshotFromMessage(m)
			if f.KeepProcesses(&snapshot) {
				data, err := json.Marshal(snapshot)
				check(t, err)
				want = append(want, string(query.NullUnknown(data)))
			}
		}
		check(t, s.follow(t.Context(), "/api/v1/stream?since=0&"+path+"&kinds=snapshot", "", func(e told) bool {
			got = append(got, string(e.data))
			return len(got) < len(want)
		}))
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: got %.300s\nwant %.300s", path, got, want)
		}
	}
}
