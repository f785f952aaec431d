package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/trouble"
)

// check ends a test that cannot go on.
func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// world is a real log, and a notifier on it whose clock a test turns.
type world struct {
	*testing.T
	js       jetstream.JetStream
	dir      string
	config   *Config
	clock    time.Time
	notifier *Notifier
	log      jetstream.Consumer
	wrap     func(*Notifier) // changes each notifier that is opened
	trouble  *trouble.Reporter
}

// newWorld starts a log and a notifier with a file of receivers.
func newWorld(t *testing.T, config string, wrap func(*Notifier)) *world {
	t.Helper()
	w := &world{T: t, dir: t.TempDir(), clock: time.Unix(1_800_000_000, 0), wrap: wrap, trouble: trouble.NewReporter(slog.New(slog.DiscardHandler))}
	server, err := embeddednats.Start(t.Context(), embeddednats.Config{Dir: filepath.Join(w.dir, "server"), Streams: schema.Streams(schema.Policy{}, 1), Log: slog.New(slog.DiscardHandler)})
	check(t, err)
	t.Cleanup(func() { check(t, server.Close()) })
	nc, err := server.Connect()
	check(t, err)
	t.Cleanup(nc.Close)
	w.js, err = jetstream.New(nc)
	check(t, err)
	w.config, err = ReadConfig(w.file("notify.yaml", config))
	check(t, err)
	w.open()
	return w
}

// file writes a file of ours.
func (w *world) file(name, text string) string {
	w.Helper()
	path := filepath.Join(w.dir, name)
	check(w, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// open opens a notifier as a new process does: what another remembered is gone, but for the file.
func (w *world) open() {
	w.Helper()
	var err error
	w.notifier, err = Open(Settings{DB: filepath.Join(w.dir, "monitor.db"), Config: w.config, Log: slog.New(slog.DiscardHandler), Trouble: w.trouble})
	check(w, err)
	w.notifier.now, w.notifier.round = func() time.Time { return w.clock }, 20*time.Millisecond
	if w.wrap != nil {
		w.wrap(w.notifier)
	}
	w.log, err = w.notifier.follow(w.Context(), w.js)
	check(w, err)
}

// publish publishes what is known of an episode.
func (w *world) publish(rule string, n int, change func(*schema.Message)) {
	w.Helper()
	about := schema.AnomalySubject{Kind: schema.AboutProcess, PID: int64(1000 + n), StartTicks: 5, Command: "cc1", JobID: "build-7"}
	m := &schema.Message{Envelope: schema.Envelope{Version: schema.Version, Kind: schema.AnomalyKind(rule), Host: "h", BootID: "b", Seq: 1, Wall: w.clock.UnixNano(), Boot: 1,
		Instance: schema.AnomalyInstance("h", "b", rule, &about, int64(n))},
		Anomaly: &schema.Anomaly{Rule: rule, Digest: "00112233aabbccdd", Severity: schema.SeverityHigh, About: about, Started: w.clock.UnixNano(), Noticed: w.clock.UnixNano(),
			Peaked: w.clock.UnixNano(), LastSeen: w.clock.UnixNano(), Samples: 1, Description: fmt.Sprintf("%s of %d", rule, n)}}
	if change != nil {
		change(m)
	}
	msg := nats.NewMsg("")
	var err error
	msg.Subject, msg.Data, err = schema.EncodeMsg(m, msg.Header)
	check(w, err)
	_, err = w.js.PublishMsg(w.Context(), msg)
	check(w, err)
}

// ended says that an episode is over.
func (w *world) ended(m *schema.Message) {
	m.Seq = 2
	m.Anomaly.Ended, m.Anomaly.EndReason = schema.Some(w.clock.UnixNano()), schema.EndRecovered
}

// pass is one round of the notifier, after some time.
func (w *world) pass(after time.Duration) {
	w.Helper()
	w.clock = w.clock.Add(after)
	w.notifier.adopt()
	check(w, w.notifier.takeIn(w.Context(), w.log))
	check(w, w.notifier.tell(w.Context()))
}

// taken is what a receiver was told of an episode.
type taken struct{ episode, status string }

// receiver is a real server that takes notices.
type receiver struct {
	mu      sync.Mutex
	notices map[string]int // by id
	told    map[taken]int
	bodies  []string
	headers []http.Header
	answer  int
	server  *http.Server
}

// freeAddress is one on which nobody listens.
func freeAddress(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	return l.Addr().String()
}

// listen has a receiver listen.
func (r *receiver) listen(t testing.TB, address string) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	check(t, err)
	r.server = &http.Server{Handler: r}
	go r.server.Serve(l)
	t.Cleanup(func() { r.server.Close() })
}

func newReceiver() *receiver {
	return &receiver{notices: map[string]int{}, told: map[taken]int{}, answer: 200}
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	b, _ := io.ReadAll(req.Body)
	r.bodies, r.headers = append(r.bodies, string(b)), append(r.headers, req.Header)
	if r.answer == 200 {
		var n Notice
		if json.Unmarshal(b, &n) == nil {
			r.notices[n.ID]++
			for i := range n.Alerts {
				r.told[taken{n.Alerts[i].Episode, string(n.Status)}]++
			}
		}
	}
	w.WriteHeader(r.answer)
}

// defects are what is wrong with what a receiver was told: want are how many episodes began, and how many ended.
func (r *receiver) defects(began, ended int) (problems []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	count := map[string]int{}
	for what, n := range r.told {
		if count[what.status]++; n != 1 {
			problems = append(problems, fmt.Sprintf("%s of %s was told %d times", what.status, what.episode, n))
		}
	}
	for id, n := range r.notices {
		if n != 1 {
			problems = append(problems, fmt.Sprintf("notice %s came %d times", id, n))
		}
	}
	if count["firing"] != began || count["resolved"] != ended {
		problems = append(problems, fmt.Sprintf("told: %v; %d began and %d ended", count, began, ended))
	}
	return problems
}

// webhook is a file with one receiver.
func webhook(address string, more ...string) string {
	return "receivers:\n  - name: oncall\n    webhook: {url: \"http://" + address + "/hook\"}\n" + strings.Join(more, "")
}

// acksFirst is the control: a notifier that notes a notice as taken before it is sent.
func acksFirst(n *Notifier) {
	send := n.send
	n.send = func(ctx context.Context, r *Receiver, notice *Notice, now time.Time) error {
		_ = send(ctx, r, notice, now)
		return nil
	}
}
