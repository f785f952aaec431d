package embeddednats_test

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
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
)

// soak asks for the long campaigns (make soak).
var soak = os.Getenv("PROCTAPE_SOAK") == "1"

// recorded is a log as it lies on the disk, and what was acknowledged when it was written.
type recorded struct {
	dir  string
	acks map[string]map[uint64]string // by stream and sequence the message's id
}

// record writes a log of many small files. Retention has removed the first messages of a stream, in the middle of a file.
// The folder with the name killed is what a kill -9 leaves, closed is what is left by an orderly end.
func record(t *testing.T) (closed, killed recorded) {
	t.Helper()
	dir := t.TempDir()
	s := start(t, embeddednats.Config{Dir: dir})
	nc, err := s.Connect()
	if err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	acks := map[string]map[uint64]string{}
	streams := schema.Streams(schema.Policy{}, 1)
	for _, cfg := range streams {
		acks[cfg.Name] = map[uint64]string{}
		cfg.MaxBytes = 100_000 // the server makes small files then, and goes on with them
		if _, err := js.CreateStream(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
	}
	if err := embeddednats.Declare(t.Context(), js, streams, true); err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateConsumer(t.Context(), schema.StreamEvents, schema.Consumer("0123456789abcdef")); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 200 {
		for _, kind := range []schema.Kind{schema.KindSnapshot, schema.KindSpawn} {
			msg := nats.NewMsg(schema.Subject(fmt.Sprintf("host%d", i%3), kind))
			msg.Header.Set(schema.HeaderID, fmt.Sprintf("%032d.%s.%d", i%3, kind, i))
			for range 100 + random.IntN(1500) {
				msg.Data = append(msg.Data, byte(random.IntN(4)))
			}
			ack, err := js.PublishMsg(t.Context(), msg)
			if err != nil {
				t.Fatal(err)
			}
			acks[ack.Stream][ack.Sequence] = msg.Header.Get(schema.HeaderID)
		}
	}
	purge(t, js, acks, schema.StreamEvents, 31)
	// The copy fails where the server removes a file meanwhile, and at the socket, when all else is copied.
	for n := 0; ; n++ {
		killed = recorded{filepath.Join(t.TempDir(), "killed"), acks}
		if err := os.CopyFS(killed.dir, os.DirFS(dir)); err == nil || strings.Contains(err.Error(), "nats.sock") {
			break
		} else if n == 100 {
			t.Fatal(err)
		}
	}
	nc.Close()
	closeServer(t, s)
	closed = recorded{filepath.Join(t.TempDir(), "closed"), acks}
	if err := os.CopyFS(closed.dir, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return closed, killed
}

func purge(t *testing.T, js jetstream.JetStream, acks map[string]map[uint64]string, stream string, below uint64) {
	t.Helper()
	st, err := js.Stream(t.Context(), stream)
	if err == nil {
		err = st.Purge(t.Context(), jetstream.WithPurgeSequence(below))
	}
	if err != nil {
		t.Fatal(err)
	}
	for seq := range acks[stream] {
		if seq < below {
			delete(acks[stream], seq)
		}
	}
}

// copy is a copy of the log, to damage.
func (r recorded) copy(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "d")
	if err := os.CopyFS(dir, os.DirFS(r.dir)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(embeddednats.KeysDir(dir)); err != nil { // the copy's are readable to all; the server makes others
		t.Fatal(err)
	}
	return dir
}

// files are the files of the store, without the durables where they are not wanted.
func (r recorded) files(t *testing.T, wanted func(path string) bool) []string {
	t.Helper()
	var files []string
	root := filepath.Join(r.dir, "jetstream")
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && wanted(path) {
			if info, _ := e.Info(); info.Size() > 0 {
				path, err = filepath.Rel(r.dir, path)
				files = append(files, path)
			}
		}
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	return files
}

// outcome is what a start made of a store.
type outcome struct {
	gaps   []schema.Gap
	there  map[string]map[uint64]string
	said   string
	lasts  map[string]uint64
	starts time.Duration
}

// open starts a server on a data folder as a recorder does, and reads all of the log.
func open(t *testing.T, dir string) outcome {
	t.Helper()
	var said lines
	o := outcome{there: map[string]map[uint64]string{}, lasts: map[string]uint64{}}
	began := time.Now()
	s := start(t, embeddednats.Config{Dir: dir, Streams: schema.Streams(schema.Policy{}, 1), Log: slog.New(slog.NewTextHandler(&said, nil))})
	o.starts = time.Since(began)
	defer closeServer(t, s)
	nc, err := s.Connect()
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range schema.DataStreams {
		o.there[name] = map[uint64]string{}
		st, err := js.Stream(t.Context(), name)
		if err != nil {
			t.Fatalf("%v\n%s", err, said.String())
		}
		state := st.CachedInfo().State
		o.lasts[name] = state.LastSeq
		readAll(t, st, state.Msgs, o.there[name])
	}
	o.gaps, o.said = s.Gaps(), said.String()
	return o
}

// readAll reads a stream as a projector does.
func readAll(t *testing.T, st jetstream.Stream, n uint64, there map[uint64]string) {
	t.Helper()
	if n == 0 {
		return
	}
	consumer, err := st.OrderedConsumer(t.Context(), jetstream.OrderedConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	batch, err := consumer.Fetch(int(n), jetstream.FetchMaxWait(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	for msg := range batch.Messages() {
		meta, err := msg.Metadata()
		if err != nil {
			t.Fatal(err)
		}
		there[meta.Sequence.Stream] = msg.Headers().Get(schema.HeaderID)
	}
	if batch.Error() != nil || uint64(len(there)) != n {
		t.Fatalf("read %d of %d messages: %v", len(there), n, batch.Error())
	}
}

// lines is what a logger wrote.
type lines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// judge says what is not as it should be: a message that is lost and not counted, one that is counted and there, one that is
// another than the acknowledged, a sequence that would be given away again.
func (r recorded) judge(o outcome) string {
	told, unknown, lost := int64(0), false, int64(0)
	for _, g := range o.gaps {
		told += g.Count.V
		unknown = unknown || !g.Count.Known
	}
	for _, name := range schema.DataStreams {
		last := uint64(0)
		for seq, id := range r.acks[name] {
			last = max(last, seq)
			if got, ok := o.there[name][seq]; !ok {
				lost++
			} else if got != id {
				return fmt.Sprintf("message %d of %s is another one: %q, want %q", seq, name, got, id)
			}
		}
		if o.lasts[name] < last && !unknown { // else nobody but the databases knows where it ended
			return fmt.Sprintf("the stream %s ends with %d, want %d", name, o.lasts[name], last)
		}
	}
	if lost > 0 && len(o.gaps) == 0 {
		return fmt.Sprintf("%d messages are lost and nothing is said", lost)
	}
	if !unknown && told != lost {
		return fmt.Sprintf("%d messages are lost and %d are told: %+v", lost, told, o.gaps)
	}
	return ""
}

func TestCheck_SoundStore(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	t.Parallel()
	closed, killed := record(t)
	for name, r := range map[string]recorded{"closed": closed, "killed": killed} {
		o := open(t, r.copy(t))
		if problem := r.judge(o); problem != "" || len(o.gaps) > 0 || strings.Contains(o.said, "damaged") || strings.Contains(o.said, "lost") {
			t.Errorf("%s: %s\n%s", name, problem, o.said)
		}
	}
}

// TestCheck_FlippedBits flips one bit anywhere in the store, after an orderly end and after a kill: what is lost is counted or
// said to be unknown, all else is there.
func TestCheck_FlippedBits(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	t.Parallel()
	closed, killed := record(t)
	trials := 6
	if soak {
		trials = 300
	}
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	for kind, wanted := range map[string]func(string) bool{
		"files of messages": func(p string) bool { return strings.HasSuffix(p, ".blk") },
		"descriptions":      func(p string) bool { return !strings.HasSuffix(p, ".blk") },
	} {
		unknown, lossless := 0, 0
		for n := range trials {
			r, end := closed, "closed"
			if n%2 == 0 {
				r, end = killed, "killed"
			}
			files := r.files(t, wanted)
			name := files[random.IntN(len(files))]
			dir := r.copy(t)
			bit := flipAnyBit(t, filepath.Join(dir, name), random)
			o := open(t, dir)
			if problem := r.judge(o); problem != "" {
				t.Errorf("%s, %s, bit %d of %s: %s\n%s", kind, end, bit, name, problem, o.said)
			}
			if len(o.gaps) == 0 {
				lossless++
			} else if !o.gaps[0].Count.Known {
				unknown++
			}
			if kind != "files of messages" && len(o.gaps) > 0 {
				t.Errorf("%s, bit %d of %s: messages are lost: %+v", end, bit, name, o.gaps)
			}
			// The second start has nothing to say any more.
			if n%4 == 0 {
				if again := open(t, dir); strings.Contains(again.said, "lost") || strings.Contains(again.said, "anew") || strings.Contains(again.said, "mended") {
					t.Errorf("%s, bit %d of %s: said again:\n%s", end, bit, name, again.said)
				}
			}
		}
		t.Logf("%s: %d trials, %d lost nothing, of %d the number is unknown", kind, trials, lossless, unknown)
	}
}

// flipAnyBit flips a bit of a file, at its beginning or end more often than elsewhere.
func flipAnyBit(t *testing.T, path string, random *rand.Rand) int {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	bit := random.IntN(8 * len(b))
	switch near := min(8*40, 8*len(b)); random.IntN(6) {
	case 0:
		bit = random.IntN(near)
	case 1:
		bit = 8*len(b) - 1 - random.IntN(near)
	}
	b[bit/8] ^= 1 << (bit % 8)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return bit
}

// TestCheck_OtherDamage is what is not one bit: files that are gone, empty, cut, foreign, or rubbish.
func TestCheck_OtherDamage(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	t.Parallel()
	closed, killed := record(t)
	msgs := filepath.Join("jetstream", "$G", "streams", schema.StreamEvents, "msgs")
	names := closed.files(t, func(p string) bool { return strings.Contains(p, schema.StreamEvents) && strings.HasSuffix(p, ".blk") })
	middle := names[len(names)/2]
	newest := newestOf(t, filepath.Join(closed.dir, msgs))
	// Each kind at one of both ends, at both under make soak.
	at := map[bool]map[string]recorded{true: {"closed": closed}, false: {"killed": killed}}
	if soak {
		both := map[string]recorded{"closed": closed, "killed": killed}
		at = map[bool]map[string]recorded{true: both, false: both}
	}
	n := 0
	for name, c := range map[string]struct {
		damage func(dir string) error
		said   string // that has to be in what the start says
		lost   bool   // messages are
	}{
		"a leftover of a killed start": {func(dir string) error { return os.WriteFile(filepath.Join(dir, "jetstream", "_test_42"), nil, 0o600) }, "", false},
		"leftovers of killed writes": {func(dir string) error {
			return errors.Join(os.WriteFile(filepath.Join(dir, msgs, "1.blk.tmp"), []byte("x"), 0o600), os.WriteFile(filepath.Join(dir, msgs, "2.new"), []byte("x"), 0o600),
				os.WriteFile(filepath.Join(dir, msgs, "..", "meta.inf.tmp"), []byte("x"), 0o600), os.WriteFile(filepath.Join(dir, msgs, "..", "_test_7"), nil, 0o600),
				os.MkdirAll(filepath.Join(dir, "jetstream", ".snap-staging", "snap-3"), 0o700), os.MkdirAll(filepath.Join(dir, msgs, "..", "obs", "half"), 0o700))
		}, "", false},
		"foreign files": {func(dir string) error {
			return errors.Join(os.WriteFile(filepath.Join(dir, "jetstream", "README"), []byte("x"), 0o600), os.WriteFile(filepath.Join(dir, msgs, "01.blk"), []byte("x"), 0o600),
				os.WriteFile(filepath.Join(dir, msgs, "core"), []byte("x"), 0o600), os.MkdirAll(filepath.Join(dir, "jetstream", "$G", "streams", "backup"), 0o700),
				os.MkdirAll(filepath.Join(dir, "jetstream", "other"), 0o700))
		}, "not the log's", false},
		"another block's file":  {func(dir string) error { return os.Rename(filepath.Join(dir, middle), filepath.Join(dir, newest)) }, "lost", true},
		"an empty file":         {func(dir string) error { return os.Truncate(filepath.Join(dir, middle), 0) }, "lost", true},
		"a missing file":        {func(dir string) error { return os.Remove(filepath.Join(dir, middle)) }, "lost", true},
		"the newest file gone":  {func(dir string) error { return os.Remove(filepath.Join(dir, newest)) }, "lost", true},
		"the newest file empty": {func(dir string) error { return os.Truncate(filepath.Join(dir, newest), 0) }, "lost", true},
		"rubbish in a file": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, middle), []byte(strings.Repeat("rubbish ", 5000)), 0o600)
		}, "lost", true},
		"rubbish in the newest": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, newest), []byte(strings.Repeat("rubbish ", 5000)), 0o600)
		}, "lost", true},
		"all files of a stream": {func(dir string) error { return removeAll(filepath.Join(dir, msgs, "*.blk")) }, "lost", true},
		"a description gone":    {func(dir string) error { return os.Remove(filepath.Join(dir, msgs, "..", "meta.inf")) }, "made anew", false},
		"a description empty": {func(dir string) error {
			return removeContent(filepath.Join(dir, msgs, "..", "meta.inf"), filepath.Join(dir, msgs, "..", "meta.sum"))
		}, "made anew", false},
		"a checksum of it gone":     {func(dir string) error { return os.Remove(filepath.Join(dir, msgs, "..", "meta.sum")) }, "made anew", false},
		"a state of a durable long": {func(dir string) error { return bombDurable(dir) }, "forgotten", false},
	} {
		n++
		for end, r := range at[n%2 == 0] {
			dir := r.copy(t)
			if err := c.damage(dir); err != nil {
				t.Fatal(err)
			}
			o := open(t, dir)
			problem := r.judge(o)
			if problem != "" || !strings.Contains(o.said, c.said) || c.lost != (len(o.gaps) > 0) && end == "closed" {
				t.Errorf("%s, %s: %s, gaps %+v, said:\n%s", name, end, problem, o.gaps, o.said)
			}
			if end == "killed" {
				continue
			}
			if again := open(t, dir); again.said != "" {
				t.Errorf("%s, %s: said again:\n%s", name, end, again.said)
			}
		}
	}
}

func newestOf(t *testing.T, msgs string) string {
	t.Helper()
	newest := 0
	entries, err := os.ReadDir(msgs)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		var n int
		if _, err := fmt.Sscanf(e.Name(), "%d.blk", &n); err == nil {
			newest = max(newest, n)
		}
	}
	return filepath.Join("jetstream", "$G", "streams", schema.StreamEvents, "msgs", fmt.Sprintf("%d.blk", newest))
}

func removeAll(pattern string) error {
	paths, err := filepath.Glob(pattern)
	for _, p := range paths {
		err = errors.Join(err, os.Remove(p))
	}
	return err
}

func removeContent(paths ...string) error {
	var err error
	for _, p := range paths {
		err = errors.Join(err, os.Truncate(p, 0))
	}
	return err
}

// bombDurable gives a durable a state that names as many pending messages as fit into a number.
func bombDurable(dir string) error {
	paths, err := filepath.Glob(filepath.Join(dir, "jetstream", "$G", "streams", schema.StreamEvents, "obs", "*"))
	if err != nil || len(paths) == 0 {
		return fmt.Errorf("no durable: %w", err)
	}
	return os.WriteFile(filepath.Join(paths[0], "o.dat"), []byte{22, 2, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, 0o600)
}

// Whoever cannot take notes of what was lost is told it again; who took them is not.
func TestServer_GapsAreTakenOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	t.Parallel()
	closed, _ := record(t)
	dir := closed.copy(t)
	if err := os.Remove(filepath.Join(dir, newestOf(t, filepath.Join(dir, "jetstream", "$G", "streams", schema.StreamEvents, "msgs")))); err != nil {
		t.Fatal(err)
	}
	s := start(t, embeddednats.Config{Dir: dir}) // a command that reads, and publishes nothing
	closeServer(t, s)
	o := open(t, dir)
	if len(o.gaps) != 1 || o.gaps[0].Kind != schema.GapLogDamaged || !o.gaps[0].Count.Known {
		t.Fatalf("got %+v, want one gap with a count", o.gaps)
	}
	if again := open(t, dir); len(again.gaps) != 0 {
		t.Errorf("told again: %+v", again.gaps)
	}
}
