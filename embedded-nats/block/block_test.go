package block_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/embedded-nats/block"
)

// soak asks for the long campaigns (make soak).
var soak = os.Getenv("PROCTAPE_SOAK") == "1"

const stream = "PROCTAPE_EVENTS"

// written is a stream of a real server as it lies on the disk: closed files, which are compressed, and an open one.
type written struct {
	dir   string // of the messages
	files []string
	last  uint64
}

// write has a real server write messages until it has closed two files.
func write(t testing.TB, compression jetstream.StoreCompression) written {
	t.Helper()
	dir := t.TempDir()
	ns, err := server.NewServer(&server.Options{JetStream: true, StoreDir: dir, DontListen: true, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	ns.Start()
	if !ns.ReadyForConnections(5 * time.Minute) {
		t.Fatal("the server is not ready")
	}
	defer ns.WaitForShutdown()
	defer ns.Shutdown()
	nc, err := nats.Connect("", nats.InProcessServer(ns))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	// With a limit this small the server makes small files, and goes on with them.
	cfg := jetstream.StreamConfig{Name: stream, Subjects: []string{"p.>"}, MaxBytes: 100_000, Compression: compression}
	if _, err := js.CreateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	cfg.MaxBytes = -1
	if _, err := js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	payload := make([]byte, 3000)
	for i := range 250 {
		for at := range payload {
			payload[at] = byte(random.IntN(4))
		}
		msg := nats.NewMsg(fmt.Sprintf("p.host%d.event.spawn", i%3))
		msg.Data = payload[:100+random.IntN(2900)]
		msg.Header.Set("Nats-Msg-Id", fmt.Sprintf("instance%d.spawn.%d", i%3, i))
		if _, err := js.PublishMsg(t.Context(), msg); err != nil {
			t.Fatal(err)
		}
	}
	w := written{dir: filepath.Join(dir, "jetstream", "$G", "streams", stream, "msgs"), last: 250}
	for n := 1; ; n++ {
		path := filepath.Join(w.dir, fmt.Sprintf("%d.blk", n))
		if _, err := os.Stat(path); err != nil {
			break
		}
		w.files = append(w.files, path)
	}
	if len(w.files) < 3 {
		t.Fatalf("%d files: want two that are closed", len(w.files))
	}
	return w
}

func read(t testing.TB, path string, number int) *block.File {
	t.Helper()
	f, err := block.Read(path, stream, uint32(number))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestRead_FilesOfTheServer(t *testing.T) {
	for _, compression := range []jetstream.StoreCompression{jetstream.NoCompression, jetstream.S2Compression} {
		w := write(t, compression)
		next, packed := uint64(1), 0
		for i, path := range w.files {
			f := read(t, path, i+1)
			if !f.Sound() || f.First != next {
				t.Errorf("%s: %s: sound is %v, it begins with %d, want %d", compression, path, f.Sound(), f.First, next)
			}
			next = f.Last + 1
			if b, _ := os.ReadFile(path); bytes.HasPrefix(b, []byte("cmp")) {
				packed++
			}
		}
		if next != w.last+1 {
			t.Errorf("%s: the last sequence is %d, want %d", compression, next-1, w.last)
		}
		if want := (compression == jetstream.S2Compression); want != (packed > 0) {
			t.Errorf("%s: %d files are compressed", compression, packed)
		}
		x, ok, err := block.ReadIndex(filepath.Join(w.dir, "index.db"), stream)
		if err != nil || !ok || x.First != 1 || x.Last != w.last {
			t.Errorf("the index: got %+v, %v, %v", x, ok, err)
		}
		// The control: the key of the checksum holds the stream's name and the number of the file.
		if f := read(t, w.files[0], 2); f.Sound() || f.First != 0 {
			t.Error("another file's number was taken for this one's")
		}
	}
}

// TestRead_FlippedBits flips one bit anywhere: it is always noticed if it changes anything, what is behind it is found again, and the file that is
// written anew holds all but what the hole says.
func TestRead_FlippedBits(t *testing.T) {
	trials := 60
	if soak {
		trials = 3000
	}
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	for _, compression := range []jetstream.StoreCompression{jetstream.NoCompression, jetstream.S2Compression} {
		w := write(t, compression)
		for range trials {
			n := random.IntN(len(w.files))
			good, err := os.ReadFile(w.files[n])
			if err != nil {
				t.Fatal(err)
			}
			bit := random.IntN(8 * len(good))
			if random.IntN(4) == 0 {
				bit %= 8 * 60 // where the lengths and the frame of the file are
			}
			flipBit(t, w, n, good, bit)
		}
	}
}

// flipBit flips one bit of a file, reads it and writes it anew.
func flipBit(t *testing.T, w written, n int, good []byte, bit int) {
	t.Helper()
	sound := read(t, w.files[n], n+1)
	path := filepath.Join(t.TempDir(), fmt.Sprintf("%d.blk", n+1))
	bad := slices.Clone(good)
	bad[bit/8] ^= 1 << (bit % 8)
	if err := os.WriteFile(path, bad, 0o600); err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("bit %d of file %d of %s", bit, n+1, w.dir)
	f := read(t, path, n+1)
	if f.Sound() {
		// Packed bytes can say the same in two ways; then the checksum of each record holds.
		if !sound.Compressed || f.First != sound.First || f.Last != sound.Last {
			t.Fatalf("%s: nobody noticed", name)
		}
		return
	}
	lost := uint64(0)
	for _, h := range f.Holes {
		switch {
		case h.Before > 0 && h.After > 0:
			lost += h.Before - h.After - 1
		case h.Before > 0:
			lost += h.Before - sound.First
		default:
			lost += sound.Last - max(h.After, sound.First-1)
		}
		if h.Counted && uint64(h.Count) != sound.Last-max(h.After, sound.First-1) {
			t.Errorf("%s: the lengths tell of %d records, want %d", name, h.Count, sound.Last-h.After)
		}
	}
	if f.Mended && lost > 0 || f.Unfinished > 0 {
		t.Errorf("%s: mended and %d lost, %d bytes unfinished", name, lost, f.Unfinished)
	}
	open := n == len(w.files)-1
	if err := block.Rewrite(path, stream, uint32(n+1), sound.Last, open); err != nil {
		t.Fatal(err)
	}
	again := read(t, path, n+1)
	if !again.Sound() || again.Last != sound.Last {
		t.Errorf("%s: written anew it is sound: %v, and ends with %d, want %d", name, again.Sound(), again.Last, sound.Last)
	}
}

// Damage of other kinds than one bit: the file is bounded, found out, and never takes more memory than a sound one may.
func TestRead_OtherDamage(t *testing.T) {
	w := write(t, jetstream.S2Compression)
	open := w.files[len(w.files)-1]
	good, err := os.ReadFile(open)
	if err != nil {
		t.Fatal(err)
	}
	sound := read(t, open, len(w.files))
	at := len(good) / 2
	for name, c := range map[string]struct {
		bad  []byte
		want func(*block.File) bool
	}{
		"an end that was not written": {good[:len(good)-20], func(f *block.File) bool { return f.Unfinished > 0 && f.Last == sound.Last-1 && len(f.Holes) == 0 }},
		"zeros in the middle": {slices.Concat(good[:at], make([]byte, 512), good[at+512:]), func(f *block.File) bool {
			return len(f.Holes) == 1 && f.Last == sound.Last && f.Holes[0].Before > f.Holes[0].After+1
		}},
		"zeros at the end": {slices.Concat(good, make([]byte, 4096)), func(f *block.File) bool { return len(f.Holes) == 1 && f.Holes[0].Before == 0 && f.Last == sound.Last }},
		"nothing":          {nil, func(f *block.File) bool { return f.First == 0 && f.Last == 0 }},
		"rubbish":          {bytes.Repeat([]byte("\xff\x01rub"), 4000), func(f *block.File) bool { return len(f.Holes) == 1 && f.First == 0 }},
		"a mark alone":     {[]byte("cmp\x01"), func(f *block.File) bool { return !f.Sound() }},
	} {
		path := filepath.Join(t.TempDir(), "x.blk")
		if err := os.WriteFile(path, c.bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if f := read(t, path, len(w.files)); !c.want(f) {
			t.Errorf("%s: got %+v", name, f)
		}
	}
	large := filepath.Join(t.TempDir(), "x.blk")
	if err := os.WriteFile(large, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, 1<<40); err != nil {
		t.Skipf("SKIPPED: no file with a hole can be made here: %v", err)
	}
	if f := read(t, large, 1); len(f.Holes) != 1 {
		t.Errorf("a terabyte of nothing: got %+v", f)
	}
}

// What can still be read of a bad record is told: whose message it was.
func TestRead_IDsOfWhatIsLost(t *testing.T) {
	w := write(t, jetstream.S2Compression)
	open := w.files[len(w.files)-1]
	b, err := os.ReadFile(open)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.LastIndex(b, []byte("Nats-Msg-Id"))
	b[at+100] ^= 1 // in the payload behind it
	path := filepath.Join(t.TempDir(), "x.blk")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	f := read(t, path, len(w.files))
	if len(f.Holes) != 1 || len(f.Holes[0].IDs) != 1 || !strings.HasPrefix(f.Holes[0].IDs[0], "instance") {
		t.Errorf("got %+v, want one hole with one id", f.Holes)
	}
}
