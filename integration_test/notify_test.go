package integration_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/schema"
)

// hook is a real webhook: what it was told, by episode and status.
type hook struct {
	mu   sync.Mutex
	told map[string]int
}

func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	var n struct {
		Status string
		Alerts []struct {
			Episode string `json:"episode_id"`
		}
	}
	if json.Unmarshal(b, &n) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range n.Alerts {
		h.told[n.Status+" "+a.Episode]++
	}
}

// counts are how many episodes were told of with a status, and those that were told more often than once.
func (h *hook) counts(status string) (n int, doubled []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for what, times := range h.told {
		if strings.HasPrefix(what, status+" ") {
			if n++; times > 1 {
				doubled = append(doubled, what)
			}
		}
	}
	slices.Sort(doubled)
	return n, doubled
}

// tellAnomaly publishes an episode on the log of a recorder: that it began, or that it has ended.
func tellAnomaly(t *testing.T, dir string, n int, ended bool) {
	t.Helper()
	nc := must(embeddednats.Connect(dir, embeddednats.RoleAdmin))(t)
	defer nc.Close()
	js := must(jetstream.New(nc))(t)
	about := schema.AnomalySubject{Kind: schema.AboutProcess, PID: int64(100 + n), StartTicks: 7, Command: "cc1", JobID: "nightly"}
	now := time.Now().UnixNano()
	a := &schema.Anomaly{Rule: "oom", Digest: "00112233aabbccdd", Severity: schema.SeverityHigh, About: about, Started: now, Noticed: now, Peaked: now, LastSeen: now, Samples: 1, Description: "no memory"}
	m := &schema.Message{Envelope: schema.Envelope{Version: schema.Version, Kind: schema.AnomalyKind("oom"), Host: "h", BootID: "b", Seq: 1, Wall: now, Boot: 1,
		Instance: schema.AnomalyInstance("h", "b", "oom", &about, int64(n))}, Anomaly: a}
	if ended {
		m.Seq, a.Ended, a.EndReason = 2, schema.Some(now), schema.EndRecovered
	}
	msg := nats.NewMsg("")
	var err error
	if msg.Subject, msg.Data, err = schema.EncodeMsg(m, msg.Header); err != nil {
		t.Fatal(err)
	}
	must(js.PublishMsg(t.Context(), msg))(t)
}

// followsAnomalies reports whether a notifier has its durable on the log of a recorder: it begins with what comes from then on.
func followsAnomalies(t *testing.T, dir string) bool {
	t.Helper()
	nc := must(embeddednats.Connect(dir, embeddednats.RoleAdmin))(t)
	defer nc.Close()
	js := must(jetstream.New(nc))(t)
	names := must(js.Stream(t.Context(), schema.StreamEvents))(t).ConsumerNames(t.Context())
	found := false
	for name := range names.Name() {
		found = found || strings.HasPrefix(name, "notify-")
	}
	return found
}

// TestNotify_OfARecorder has a recorder tell a real webhook of anomalies: it is down at first, and the recorder is killed meanwhile. Status says that notices wait; what a
// silence is of is not told.
func TestNotify_OfARecorder(t *testing.T) {
	long(t)
	t.Parallel()
	dir := t.TempDir()
	l := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	address := l.Addr().String()
	l.Close()
	file := filepath.Join(dir, "notify.yaml")
	text := "receivers:\n  - name: oncall\n    group_wait: 100ms\n    group_by: [rule]\n    rules: [oom]\n    jobs: [nightly]\n    webhook: {url: \"http://" + address + "\"}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "tape")
	record := func() *process {
		p := start(t, "up", "--data", data, "--host", "h", "--interval", "1s", "--notify", file)
		p.awaitLine("Recorded:")
		return p
	}
	p := record()
	state := filepath.Join(data, "monitor.db.notices")
	await(t, "the durable of the notices", func() bool { return followsAnomalies(t, data) })
	waits := func(n int) func() bool {
		return func() bool {
			b, _ := os.ReadFile(state)
			return strings.Count(string(b), `"revision"`) == n
		}
	}
	for n := range 3 {
		tellAnomaly(t, data, n, false)
	}
	await(t, "three notices that wait", waits(3))
	await(t, "trouble in status", func() bool { return strings.Contains(run(t, "status", "--data", data, "--json"), `"not_told"`) })
	p.cmd.Process.Kill()
	p.wait()
	p = record()
	tellAnomaly(t, data, 3, false)
	await(t, "four notices that wait", waits(4))
	run(t, "silence", "add", "--data", data, "--job", "nightly", "--rule", "oom", "--for", "1h")
	tellAnomaly(t, data, 4, false)
	await(t, "five that wait", waits(5))
	silence := strings.Fields(run(t, "silence", "list", "--data", data))
	h := &hook{told: map[string]int{}}
	l = must(net.Listen("tcp", address))(t)
	server := &http.Server{Handler: h}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	run(t, "silence", "end", "--data", data, silence[6])
	for n := range 5 {
		tellAnomaly(t, data, n, true)
	}
	await(t, "all that waits is told", func() bool {
		began, _ := h.counts("firing")
		ended, _ := h.counts("resolved")
		return began == 5 && ended == 5
	})
	await(t, "nothing waits", waits(0))
	p.stop()
	for _, status := range []string{"firing", "resolved"} {
		if _, doubled := h.counts(status); len(doubled) > 0 {
			t.Errorf("told more than once: %v", doubled)
		}
	}
}
