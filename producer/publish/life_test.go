package publish

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/proctape/proctape/embedded-nats/logtest"
	"github.com/proctape/proctape/producer/publish/spool"
	"github.com/proctape/proctape/schema"
)

// newLife returns a publisher of another life of host h, which writes down what it has made.
func newLife(t *testing.T, nc *nats.Conn, folder string, cfg Config) *Publisher {
	t.Helper()
	cfg.Origin = Origin{Host: "h", BootID: "b", Instance: schema.NewInstance()}
	cfg.Lives = folder
	if cfg.Log == nil {
		cfg.Log = logTo(t)
	}
	p, err := New(nc, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// livesIn are the names of the files in a folder of lives, without the instances.
func livesIn(t *testing.T, folder string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		host, rest, _ := strings.Cut(e.Name(), ".")
		_, suffix, _ := strings.Cut(rest, ".")
		names = append(names, host+"."+suffix)
	}
	return names
}

// endsIn are what the messages of a stream tell of lives that have ended: for each message its number, and what was reached.
func endsIn(t *testing.T, nc *nats.Conn, stream string) (ends []string) {
	t.Helper()
	for _, raw := range logtest.Stored(t, nc, stream) {
		m := logtest.Decode(t, raw.Header, raw.Data)
		for _, e := range m.Ended {
			ends = append(ends, fmt.Sprintf("%s %d: %v final %v, %d of %d acknowledged", m.Kind, m.Seq, e.Reached, e.Final, e.Acked, e.Produced))
		}
	}
	return ends
}

// A life writes down what it has reached. The next one tells of it in each stream until the log has heard of it, and no longer.
func TestPublisher_TellsOfTheLifeBefore(t *testing.T) {
	nc, folder := logtest.Serve(t), filepath.Join(t.TempDir(), "lives")
	first := newLife(t, nc, folder, Config{TellsEnds: true})
	offer(t, first, snapshot(10), events(schema.KindSpawn, 3), snapshot(10))
	runToEnd(t, first)
	if got := livesIn(t, folder); !slices.Equal(got, []string{"h.life"}) {
		t.Fatalf("files of the first life: %v", got)
	}
	for range 3 { // the second tells it, the third the second's end, and so on
		next := newLife(t, nc, folder, Config{TellsEnds: true})
		offer(t, next, snapshot(10), events(schema.KindExit, 1), snapshot(10))
		runToEnd(t, next)
		offer(t, next, snapshot(10), events(schema.KindSpawn, 1)) // when all is told
		runToEnd(t, next)
		if got := livesIn(t, folder); !slices.Equal(got, []string{"h.life"}) {
			t.Errorf("files after the next life: %v", got)
		}
	}
	const one, later = "[{snapshot 2} {event.spawn 3}] final true, 5 of 5 acknowledged", "[{snapshot 3} {event.spawn 1} {event.exit 1}] final true, 5 of 5 acknowledged"
	var want []string
	for _, reached := range []string{one, later, later} {
		want = append(want, "snapshot 1: "+reached, "snapshot 2: "+reached) // both were made before the first was acknowledged
	}
	if got := endsIn(t, nc, schema.StreamSnapshots); !slices.Equal(got, want) {
		t.Errorf("told beside snapshots: got\n%s, want\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	want = []string{"event.exit 1: " + one, "event.exit 1: " + later, "event.exit 1: " + later}
	if got := endsIn(t, nc, schema.StreamEvents); !slices.Equal(got, want) {
		t.Errorf("told beside events: got\n%s, want\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A life whose time to publish is over leaves the rest on disk. The next one publishes that behind it, and nothing twice.
func TestPublisher_NoTimeToDrain(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	nc, folder := logtest.Serve(t), filepath.Join(t.TempDir(), "lives")
	p := newLife(t, nc, folder, Config{Drain: time.Nanosecond})
	const made = 4 * window // messages
	for range made {
		offer(t, p, snapshot(10), events(schema.KindSpawn, 2))
	}
	var left *LeftError
	if err := run(p); !errors.As(err, &left) || !left.Kept {
		t.Fatalf("got error %v, want that messages wait on disk: otherwise this test shows nothing", err)
	}
	s := p.Stats()
	if s.Produced != 3*made || s.Acked+s.Left != s.Produced || s.Left == 0 || s.Dropped != 0 {
		t.Errorf("got %+v", s)
	}
	runToEnd(t, newLife(t, nc, folder, Config{TellsEnds: true, Drain: testTimeout}))
	for stream, each := range map[string]int{schema.StreamSnapshots: 1, schema.StreamEvents: 2} {
		got := numbersIn(t, nc, stream)
		for i := range got {
			if want := fmt.Sprint(" ", each*i+1); !strings.HasSuffix(got[i], want) {
				t.Fatalf("%s: message %d is %s, want %s", stream, i, got[i], want)
			}
		}
		if len(got) != made {
			t.Errorf("%s: got %d messages, want %d", stream, len(got), made)
		}
	}
	if got := livesIn(t, folder); len(got) != 1 {
		t.Errorf("files: %v, want that of the life of which the log has not heard that it ended", got)
	}
}

// What a life could not publish before it had to stop, the next one publishes, each message once and in its order, and only then tells
// of that life's end; also when one more life comes and goes between them without
// a server. The control is a file that has lost what was left.
func TestPublisher_LeavesWhatWaits(t *testing.T) {
	for _, lost := range []bool{false, true} {
		dir, folder := t.TempDir(), filepath.Join(t.TempDir(), "lives")
		server := logtest.Start(t, dir)
		nc := logtest.Connect(t, dir)
		logtest.Declare(t, nc)
		p := newLife(t, nc, folder, Config{Drain: time.Millisecond})
		offer(t, p, snapshot(10), events(schema.KindSpawn, 2))
		publishAll(t, p)
		logtest.Close(t, server)
		for range 30 {
			offer(t, p, snapshot(10), events(schema.KindSpawn, 2))
		}
		var left *LeftError
		if err := run(p); !errors.As(err, &left) || !left.Kept || left.Messages != 60 {
			t.Fatalf("got error %v, want that 60 messages wait on disk", err)
		}
		if s := p.Stats(); s.Left != 90 || s.Dropped != 0 {
			t.Errorf("got %+v, want 90 items that are left", s)
		}
		between := newLife(t, nc, folder, Config{TellsEnds: true, Drain: time.Millisecond})
		offer(t, between, events(schema.KindExit, 1))
		if err := run(between); err == nil {
			t.Fatal("all was published without a server")
		}
		if lost {
			forgetLeft(t, folder)
		}
		server = logtest.Start(t, dir)
		nc = logtest.Connect(t, dir)
		elsewhere := newLife(t, nc, folder, Config{TellsEnds: true, Into: "another log"})
		runToEnd(t, elsewhere)
		if got := numbersIn(t, nc, schema.StreamSnapshots); len(got) != 1 {
			t.Errorf("a life that publishes into another log published %v", got)
		}
		next := newLife(t, nc, folder, Config{TellsEnds: true, Drain: testTimeout})
		offer(t, next, events(schema.KindOOM, 1), snapshot(10))
		runToEnd(t, next)
		offer(t, next, events(schema.KindOOM, 1), snapshot(10)) // which tell of those lives' ends
		runToEnd(t, next)
		if s := next.Stats(); s.Acked != 4 || s.Produced != 4 || s.Waiting != 0 {
			t.Errorf("the next life counts what it did not make: %+v", s)
		}
		events := slices.DeleteFunc(numbersIn(t, nc, schema.StreamEvents), func(n string) bool { return n == "event.exit 1" }) // of the life between: at any place
		got := fmt.Sprint(numbersIn(t, nc, schema.StreamSnapshots), events)
		var snapshots, spawns []string
		for i := range 31 {
			snapshots, spawns = append(snapshots, fmt.Sprint("snapshot ", i+1)), append(spawns, fmt.Sprint("event.spawn ", 2*i+1))
		}
		want := fmt.Sprint(append(snapshots, "snapshot 1", "snapshot 2"), append(spawns, "event.oom 1", "event.oom 2"))
		if (got == want) == lost {
			t.Errorf("lost %v: the log has %s, want %s", lost, got, want)
		}
		if files := livesIn(t, folder); len(files) != 1 {
			t.Errorf("lost %v: the files %v are there, want that of the last life", lost, files)
		}
		logtest.Close(t, server)
	}
}

// forgetLeft removes what waits on disk.
func forgetLeft(t *testing.T, folder string) {
	t.Helper()
	for path := range files(t, folder) {
		if strings.HasSuffix(path, spool.Suffix) {
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// files are the paths of the files in a folder.
func files(t *testing.T, folder string) iter.Seq[string] {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.Values(paths)
}

// numbersIn are the kinds and numbers of the messages of a stream.
func numbersIn(t *testing.T, nc *nats.Conn, stream string) (numbers []string) {
	t.Helper()
	for _, raw := range logtest.Stored(t, nc, stream) {
		m := logtest.Decode(t, raw.Header, raw.Data)
		numbers = append(numbers, fmt.Sprint(m.Kind, " ", m.Seq))
	}
	return numbers
}

// A server that takes nothing learns from the next life what was lost, to the item; and a life that was cut off is told of as
// one, by what it had reached when it wrote that down.
func TestPublisher_TellsWhatALifeLost(t *testing.T) {
	for _, cut := range []bool{false, true} {
		dir, folder := t.TempDir(), filepath.Join(t.TempDir(), "lives")
		server := logtest.Start(t, dir)
		nc := logtest.Connect(t, dir)
		logtest.Declare(t, nc)
		p := newLife(t, nc, folder, Config{Drain: time.Millisecond, MaxQueue: 4000, TellsEnds: true})
		offer(t, p, snapshot(10), events(schema.KindSpawn, 2))
		publishAll(t, p)
		logtest.Close(t, server)
		for range 30 { // more than the queue holds
			offer(t, p, snapshot(500), events(schema.KindSpawn, 2))
		}
		if cut {
			lifeKeeper{p}.save(false)
			p.lives.close(true) // as the kernel does
		} else if err := run(p); err == nil {
			t.Fatal("all was published without a server")
		}
		server = logtest.Start(t, dir)
		defer logtest.Close(t, server)
		nc = logtest.Connect(t, dir)
		next := newLife(t, nc, folder, Config{TellsEnds: true, Drain: testTimeout})
		offer(t, next, events(schema.KindSpawn, 1), snapshot(10))
		runToEnd(t, next)
		number := 1
		if !cut { // only when the log has what was left
			offer(t, next, events(schema.KindSpawn, 1), snapshot(10))
			runToEnd(t, next)
			number = 2
		}
		want := fmt.Sprintf(": [{snapshot 31} {event.spawn 62}] final %v, 3 of 93 acknowledged", !cut)
		for stream, kind := range map[string]string{schema.StreamSnapshots: "snapshot", schema.StreamEvents: "event.spawn"} {
			wanted := []string{fmt.Sprint(kind, " ", number) + want}
			if got := endsIn(t, nc, stream); !slices.Equal(got, wanted) {
				t.Errorf("cut %v: %s: got %q, want %q", cut, stream, got, wanted)
			}
		}
	}
}

func run(p *Publisher) error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return p.Run(ctx)
}

// publishAll publishes what waits and lets the life go on.
func publishAll(t *testing.T, p *Publisher) {
	t.Helper()
	for deadline := time.Now().Add(testTimeout); p.Stats().Waiting > 0; {
		if time.Now().After(deadline) {
			t.Fatal("the log takes nothing")
		}
		p.flush(t.Context())
	}
}

// A run leaves its file only where the log did not take all that it made, and tells of nobody.
func TestPublisher_ShortLife(t *testing.T) {
	nc, folder := logtest.Serve(t), filepath.Join(t.TempDir(), "lives")
	before := newLife(t, nc, folder, Config{TellsEnds: true})
	offer(t, before, snapshot(10))
	runToEnd(t, before)
	p := newLife(t, nc, folder, Config{})
	offer(t, p, events(schema.KindSpawn, 1))
	runToEnd(t, p)
	if got := livesIn(t, folder); !slices.Equal(got, []string{"h.life"}) {
		t.Errorf("files: %v, want that of the sampler alone", got)
	}
	if got := endsIn(t, nc, schema.StreamEvents); len(got) > 0 {
		t.Errorf("a run tells of %q", got)
	}
}

// A life that goes on is nobody's to tell of, and neither is one of another host. A file that is damaged in any bit is set
// aside: it costs itself alone.
func TestPublisher_PassesOverFiles(t *testing.T) {
	nc, folder := logtest.Serve(t), filepath.Join(t.TempDir(), "lives")
	alive := newLife(t, nc, folder, Config{TellsEnds: true})
	offer(t, alive, snapshot(10))
	lifeKeeper{alive}.save(false)
	defer alive.lives.close(true)
	damaged := newLife(t, nc, folder, Config{})
	offer(t, damaged, snapshot(10))
	lifeKeeper{damaged}.save(false)
	damaged.lives.close(true)
	b, err := os.ReadFile(damaged.lives.own.path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	foreign := filepath.Join(folder, "other."+schema.NewInstance().String()+lifeSuffix)
	left, young := filepath.Join(folder, "h.0"+lifeSuffix+unfinished), filepath.Join(folder, "h.1"+lifeSuffix+unfinished)
	for path, text := range map[string][]byte{damaged.lives.own.path: b, foreign: []byte("x"), left: nil, young: nil} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	hour := time.Now().Add(-time.Hour)
	if err := os.Chtimes(left, hour, hour); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	p := newLife(t, nc, folder, Config{TellsEnds: true, Log: slog.New(slog.NewTextHandler(&said, nil))})
	p.takeUpLives()
	offer(t, p, snapshot(10))
	runToEnd(t, p)
	if got := endsIn(t, nc, schema.StreamSnapshots); len(got) > 0 {
		t.Errorf("told of %q", got)
	}
	if got := livesIn(t, folder); !slices.Equal(slices.Sorted(slices.Values(got)), []string{"h.life", "h.life", "h.life.bad", "h.life.new", "other.life"}) {
		t.Errorf("files: %v", got)
	}
	if s := said.String(); strings.Count(s, "cannot be read") != 1 || strings.Count(s, "another host") != 1 {
		t.Errorf("said:\n%s", s)
	}
}

// No bit of a file can be wrong and the file be believed.
func TestParseLife_AnyBit(t *testing.T) {
	end := schema.End{Instance: schema.Instance{1}, BootID: "b", Wall: 5, Boot: 6, Produced: 40, Acked: 38, Reached: []schema.Reached{{Kind: schema.KindSnapshot, Seq: 40}}}
	text, err := lifeText("h", &end)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := parseLife("h", text); err != nil || !reflect.DeepEqual(got, end) {
		t.Fatalf("got %+v, error %v, want %+v", got, err, end)
	}
	unchecked := 0
	for bit := range 8 * len(text) {
		b := slices.Clone(text)
		b[bit/8] ^= 1 << (bit % 8)
		if got, err := parseLife("h", b); err == nil {
			t.Errorf("bit %d is wrong, and the file says %+v", bit, got)
		}
		line := b[:strings.IndexByte(string(b)+"\n", '\n')]
		again, err := parseLife("h", fmt.Appendf(nil, "%s\n%08x\n", line, checksum(line)))
		if err == nil && !reflect.DeepEqual(again, end) {
			unchecked++
		}
	}
	// The control: without the checksum some bits would be believed.
	if unchecked == 0 {
		t.Error("no bit changes what the file says: this test catches nothing")
	}
	for cut := range text {
		if _, err := parseLife("h", text[:cut]); err == nil {
			t.Errorf("the file of %d bytes is believed when it has %d", len(text), cut)
		}
	}
	if _, err := parseLife("other", text); err == nil {
		t.Error("another host's file is believed")
	}
}

func checksum(line []byte) uint32 {
	return crc32of(append(slices.Clone(line), '\n'))
}
