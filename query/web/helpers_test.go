package web_test

import (
	"bufio"
	"bytes"
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
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/embedded-nats/logtest"
	"github.com/proctape/proctape/projector"
	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/web"
	"github.com/proctape/proctape/schema"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(logtest.Singletons()...); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

const token = "0123456789abcdef0123456789abcdef-test"

var quiet = slog.New(slog.DiscardHandler)

// world is a log with a database of it.
type world struct {
	testing.TB
	js       jetstream.JetStream
	db       *query.DB
	instance schema.Instance
	made     map[schema.Kind]uint64 // messages published
}

// began is when the world's record begins.
var began = time.Now().Add(-30 * time.Minute).Truncate(time.Second)

// newWorld makes a log on a server of its own, with n snapshots of two hosts and n events of each, and a database of it.
func newWorld(t testing.TB, n int) *world {
	t.Helper()
	return newWorldWith(t, n, func(*world) {})
}

// newWorldWith is newWorld with more in the log.
func newWorldWith(t testing.TB, n int, more func(*world)) *world {
	t.Helper()
	dir := t.TempDir()
	a, err := embeddednats.Attach(t.Context(), embeddednats.Config{Dir: dir, Log: quiet}, true)
	check(t, err)
	t.Cleanup(func() { check(t, a.Close()) })
	w := &world{TB: t, instance: schema.NewInstance(), made: map[schema.Kind]uint64{}}
	w.js, err = jetstream.New(a.Conn)
	check(t, err)
	check(t, embeddednats.Declare(t.Context(), w.js, schema.Streams(schema.Policy{}, 1), true))
	for i := range n {
		w.snapshot(i)
		w.spawn(i)
	}
	more(w)
	path := filepath.Join(dir, "monitor.db")
	_, err = projector.Replay(t.Context(), w.js, projector.ReplayConfig{DB: path, Log: quiet})
	check(t, err)
	w.db, err = query.Open(t.Context(), path)
	check(t, err)
	t.Cleanup(func() { check(t, w.db.Close()) })
	return w
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// snapshot publishes the i-th snapshot, of one process, whose name is hostile.
func (w *world) snapshot(i int) {
	w.publish(i, schema.KindSnapshot, func(m *schema.Message) {
		m.Snapshot = &schema.Snapshot{Tick: uint64(i + 1), Interval: int64(time.Second), PressureLevel: "none", Processes: schema.ProcessesOf(
			schema.Process{PID: 42, StartTicks: 7, Command: "<script>alert(1)</script>\x1b[2J", State: "S", RSS: schema.Some[int64](int64(1024 * (i + 1)))})}
	})
}

// spawn publishes the i-th event.
func (w *world) spawn(i int) {
	w.publish(i, schema.KindSpawn, func(m *schema.Message) {
		m.Events = []schema.Event{{PID: 1000 + i, StartTicks: uint64(100 + i), Wall: m.Wall, Boot: m.Boot, Command: fmt.Sprintf("made %d", i), Source: "proc-diff"}}
	})
}

// crowd publishes a snapshot of many processes, more than one statement asks about.
func (w *world) crowd(i int) {
	w.publish(i, schema.KindSnapshot, func(m *schema.Message) {
		var all []schema.Process
		for pid := range 1200 {
			all = append(all, schema.Process{PID: 100 + pid, StartTicks: uint64(1 + pid), Command: fmt.Sprintf("one of many %d", pid), State: "S", RSS: schema.Some[int64](1024)})
		}
		m.Snapshot = &schema.Snapshot{Tick: uint64(i + 2), Interval: int64(time.Second), PressureLevel: "none", Processes: schema.ProcessesOf(all...)}
	})
}

// failedJob publishes a run of the job build whose process 1003 ends by a signal. The world has at least 8 snapshots.
func (w *world) failedJob() {
	w.jobEvent(2, schema.JobEvent{Type: schema.JobDeclared, Status: "running", TotalSheets: schema.Some[int64](1), Run: schema.RunID{7}, Command: "make"})
	w.jobEvent(3, schema.JobEvent{Type: schema.JobSheetStarted, Sheet: schema.Some[int64](1), Run: schema.RunID{7}})
	w.publish(5, schema.KindExit, func(m *schema.Message) {
		m.Events = []schema.Event{{PID: 1003, StartTicks: 103, Wall: m.Wall, Boot: m.Boot, Command: "made 3", Source: "taskstats", JobID: "build", Sheet: schema.Some[int64](1),
			Signal: schema.Some[int64](9), CPUMillis: schema.Some[int64](1200), PeakRSS: schema.Some[int64](2048), Lifetime: schema.Some[int64](2000)}}
	})
	w.jobEvent(6, schema.JobEvent{Type: schema.JobSheetEnded, Sheet: schema.Some[int64](1), ExitCode: schema.Some[int64](2), Run: schema.RunID{7}})
	w.jobEvent(7, schema.JobEvent{Type: schema.JobEnded, Status: "failed", ExitCode: schema.Some[int64](2), Run: schema.RunID{7}})
}

func (w *world) jobEvent(i int, e schema.JobEvent) {
	w.publish(i, schema.KindJob, func(m *schema.Message) {
		e.Wall, e.JobID = m.Wall, "build"
		m.Jobs = []schema.JobEvent{e}
	})
}

func (w *world) publish(i int, kind schema.Kind, fill func(*schema.Message)) {
	w.Helper()
	w.made[kind]++
	at := began.Add(time.Duration(i) * time.Second).UnixNano()
	m := &schema.Message{Envelope: schema.Envelope{Version: schema.Version, Kind: kind, Host: "alpha", BootID: "boot-1", Instance: w.instance,
		Seq: w.made[kind], Wall: at, Boot: int64(time.Hour) + int64(i)*int64(time.Second), Produced: w.made[schema.KindSnapshot] + w.made[schema.KindSpawn] + w.made[schema.KindExit] + w.made[schema.KindJob]}}
	fill(m)
	msg := nats.NewMsg("")
	var err error
	msg.Subject, msg.Data, err = schema.EncodeMsg(m, msg.Header)
	check(w, err)
	_, err = w.js.PublishMsg(w.Context(), msg)
	check(w, err)
}

// site is a server that listens.
type site struct {
	testing.TB
	url  string
	stop func()
}

// serve starts a server of the world on a port, 0 for any. It ends with the test, or when stop is called.
func (w *world) serve(port int) *site {
	w.Helper()
	return w.serveWith(port, func(*web.Config) {})
}

// serveWith is serve with more of a configuration.
func (w *world) serveWith(port int, configure func(*web.Config)) *site {
	w.Helper()
	cfg := web.Config{DB: w.db, Log: w.js, Token: token, Logger: quiet}
	configure(&cfg)
	s, err := web.New(cfg)
	check(w, err)
	l, err := web.Listen(fmt.Sprintf("127.0.0.1:%d", port), false)
	check(w, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	stopped := false
	stop := func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		check(w, <-ended)
	}
	w.Cleanup(stop)
	return &site{w, "http://" + l.Addr().String(), stop}
}

func (s *site) port() int {
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(s.url, "http://"))
	n := 0
	fmt.Sscan(port, &n)
	return n
}

// request makes a request with the token.
func (s *site) request(path string) *http.Request {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), http.MethodGet, s.url+path, nil)
	check(s, err)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

// do sends a request, and returns the answer with its body.
func (s *site) do(r *http.Request) (*http.Response, []byte) {
	s.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(r)
	check(s, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	check(s, err)
	return answer, body
}

// get asks for a path with the token.
func (s *site) get(path string) (status int, body []byte) {
	s.Helper()
	answer, body := s.do(s.request(path))
	return answer.StatusCode, body
}

// told is an event of the stream.
type told struct {
	id, name string
	data     json.RawMessage
}

// follow opens the stream and calls each for every event, until it returns false or the stream ends. A last id goes on behind it.
func (s *site) follow(ctx context.Context, path, last string, each func(told) bool) error {
	r := s.request(path).WithContext(ctx)
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	return s.events(r, each)
}

// followWith is follow with another token.
func (s *site) followWith(ctx context.Context, token, path string, each func(told) bool) error {
	r := s.request(path).WithContext(ctx)
	r.Header.Set("Authorization", "Bearer "+token)
	return s.events(r, each)
}

// events reads a stream.
func (s *site) events(r *http.Request, each func(told) bool) error {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", answer.StatusCode)
	}
	var e told
	lines := bufio.NewReader(answer.Body)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return nil // the stream has ended
		}
		key, value, _ := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte(": "))
		switch string(key) {
		case "id":
			e.id = string(value)
		case "event":
			e.name = string(value)
		case "data":
			e.data = value
		case "":
			if e.name != "" && !each(e) {
				return nil
			}
			e = told{}
		}
	}
}
