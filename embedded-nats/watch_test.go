package embeddednats_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/schema"
)

// patience is how long a test waits for what must happen, on a machine that may be busy with other work.
const patience = 5 * time.Minute

// watched is a server that is watched, as a recorder's is.
type watched struct {
	*embeddednats.Server
	t    *testing.T
	dir  string
	js   jetstream.JetStream
	said lines
	ran  chan error
	stop context.CancelFunc
}

func watch(t *testing.T, dir string) *watched {
	t.Helper()
	w := &watched{t: t, dir: dir, ran: make(chan error, 1)}
	w.Server = start(t, embeddednats.Config{Dir: dir, Streams: schema.Streams(schema.Policy{}, 1), CheckRate: 64 << 20, CheckPause: time.Millisecond,
		Log: slog.New(slog.NewTextHandler(&w.said, nil))})
	nc, err := w.Connect(nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		t.Fatal(err)
	}
	if w.js, err = jetstream.New(nc); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	w.stop = stop
	go func() { w.ran <- w.Run(ctx) }()
	t.Cleanup(func() {
		nc.Close()
		stop()
		if err := <-w.ran; err != nil {
			t.Error(err)
		}
		closeServer(t, w.Server)
	})
	return w
}

// awaitPublish waits until a stream takes a message, and returns its sequence.
func (w *watched) awaitPublish(kind schema.Kind) (seq uint64) {
	w.t.Helper()
	w.await("a message of kind "+string(kind)+" to be taken", func() bool {
		ctx, cancel := context.WithTimeout(w.t.Context(), time.Second)
		defer cancel()
		ack, err := w.js.Publish(ctx, schema.Subject("h", kind), []byte("x"))
		if err == nil {
			seq = ack.Sequence
		}
		return err == nil
	})
	return seq
}

func (w *watched) await(what string, ok func() bool) {
	w.t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("no %s within %s\n%s", what, patience, w.said.String())
		}
	}
}

func (w *watched) awaitSaid(what string) {
	w.t.Helper()
	w.await(what, func() bool { return strings.Contains(w.said.String(), what) })
}

func msgsDir(dir, stream string) string {
	return filepath.Join(dir, "jetstream", "$G", "streams", stream, "msgs")
}

// A stream that somebody deletes is made again, and the others know nothing of it.
func TestRun_DeletedStream(t *testing.T) {
	t.Parallel()
	w := watch(t, t.TempDir())
	w.awaitPublish(schema.KindSpawn)
	first := w.awaitPublish(schema.KindSnapshot)
	if err := w.js.DeleteStream(t.Context(), schema.StreamEvents); err != nil {
		t.Fatal(err)
	}
	w.awaitSaid("and is made again")
	w.awaitSaid("the stream is there again")
	if seq := w.awaitPublish(schema.KindSpawn); seq != 1 {
		t.Errorf("the new stream begins with %d", seq)
	}
	if seq := w.awaitPublish(schema.KindSnapshot); seq != first+1 {
		t.Errorf("the other stream goes on with %d, want %d", seq, first+1)
	}
	if said := w.said.String(); strings.Contains(said, "restarted") {
		t.Errorf("it restarted for that:\n%s", said)
	}
}

// A store that somebody removes is noticed, though the server goes on writing into files that are no longer there.
func TestRun_RemovedFiles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		remove func(dir string) error
		events bool // are lost alone
	}{
		"the store":          {func(dir string) error { return os.RemoveAll(filepath.Join(dir, "jetstream")) }, false},
		"a stream":           {func(dir string) error { return os.RemoveAll(filepath.Dir(msgsDir(dir, schema.StreamEvents))) }, true},
		"a stream's files":   {func(dir string) error { return removeAll(filepath.Join(msgsDir(dir, schema.StreamEvents), "*")) }, true},
		"a stream's folders": {func(dir string) error { return removeAll(filepath.Join(msgsDir(dir, schema.StreamEvents), "..", "*")) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := watch(t, t.TempDir())
			for range 3 {
				w.awaitPublish(schema.KindSpawn)
			}
			snapshot := w.awaitPublish(schema.KindSnapshot)
			c.remove(w.dir) // the server may write meanwhile
			w.awaitSaid("is restarted in place")
			w.await("files of the stream", func() bool {
				w.awaitPublish(schema.KindSpawn)
				files, err := filepath.Glob(filepath.Join(msgsDir(w.dir, schema.StreamEvents), "*.blk"))
				return err == nil && len(files) > 0
			})
			if seq := w.awaitPublish(schema.KindSnapshot); c.events != (seq > snapshot) {
				t.Errorf("the other stream goes on with %d behind %d\n%s", seq, snapshot, w.said.String())
			}
		})
	}
}

// A socket that somebody removes is made again, with the mode that says who may connect; who is connected stays so.
func TestRun_RemovedSocket(t *testing.T) {
	t.Parallel()
	w := watch(t, t.TempDir())
	path := embeddednats.SocketPath(w.dir)
	connected, err := embeddednats.Socket(path).InProcessConn()
	if err != nil {
		t.Fatal(err)
	}
	defer connected.Close()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	w.awaitSaid("somebody removed its socket")
	w.await("a connection", func() bool {
		again, err := embeddednats.Socket(path).InProcessConn()
		return err == nil && again.Close() == nil
	})
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket is %v, %v", info, err)
	}
	if n, err := connected.Read(make([]byte, 5)); err != nil || n == 0 { // a server greets
		t.Errorf("the connection from before: %v", err)
	}
}

// A file that somebody puts where the server looks for accounts does no harm.
func TestRun_ForeignFile(t *testing.T) {
	t.Parallel()
	w := watch(t, t.TempDir())
	if err := os.WriteFile(filepath.Join(w.dir, "jetstream", "_test_42"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w.awaitPublish(schema.KindSpawn)
	if reason := w.UnhealthyReason(); reason != "" {
		t.Errorf("the server is unhealthy: %s", reason)
	}
	if !w.UnhealthyOfAnyAccount() { // the control
		t.Error("the server does not mind the file when it is asked of all accounts: this test shows nothing")
	}
	if said := w.said.String(); said != "" {
		t.Errorf("it minded:\n%s", said)
	}
}

// TestRun_DamageUnderTheServer damages a file that the server has open: the check in the background finds it, what can be
// read is kept, and the loss is told with its number. It stays silent about a file that is being written.
func TestRun_DamageUnderTheServer(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	t.Parallel()
	closed, _ := record(t)
	dir := closed.copy(t)
	w := watch(t, dir)
	files, err := filepath.Glob(filepath.Join(msgsDir(dir, schema.StreamEvents), "*.blk"))
	if err != nil || len(files) < 3 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for range 50 {
		w.awaitPublish(schema.KindSpawn)
	}
	if said := w.said.String(); said != "" {
		t.Errorf("before there was anything:\n%s", said)
	}
	b, err := os.ReadFile(files[1])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 16
	if err := os.WriteFile(files[1], b, 0o600); err != nil {
		t.Fatal(err)
	}
	w.awaitSaid("the log lost messages")
	w.awaitPublish(schema.KindSpawn)
	gaps := w.Gaps()
	if len(gaps) != 1 || !gaps[0].Count.Known || gaps[0].Count.V == 0 {
		t.Errorf("got %+v, want one gap with a count", gaps)
	}
	st, err := w.js.Stream(t.Context(), schema.StreamEvents)
	if err != nil {
		t.Fatal(err)
	}
	if state := st.CachedInfo().State; state.LastSeq != 251 || len(gaps) == 1 && state.Msgs != 251-30-uint64(gaps[0].Count.V) {
		t.Errorf("the stream has %d messages up to %d, of which 30 were removed: %+v", state.Msgs, state.LastSeq, gaps)
	}
}

// A server that no restart makes well is not restarted for ever.
func TestRun_GivesUp(t *testing.T) {
	if !soak {
		t.Skip("SKIPPED: it takes a minute, make soak runs it")
	}
	t.Parallel()
	dir := t.TempDir()
	s := start(t, embeddednats.Config{Dir: dir, Streams: schema.Streams(schema.Policy{}, 1), Log: slog.New(slog.DiscardHandler)})
	defer s.Close()
	ran := make(chan error, 1)
	go func() { ran <- s.Run(t.Context()) }()
	stop := make(chan struct{})
	defer close(stop)
	go func() { // somebody who takes the store away as often as it is made
		for {
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Millisecond):
				os.RemoveAll(filepath.Join(dir, "jetstream"))
			}
		}
	}()
	select {
	case err := <-ran:
		if err == nil || !strings.Contains(err.Error(), "did not help") {
			t.Errorf("got %v", err)
		}
	case <-time.After(patience):
		t.Error(errors.New("it goes on for ever"))
	}
}
