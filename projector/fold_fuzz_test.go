package projector

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proctape/proctape/schema"
)

// renewAfter is after how many messages the database of a fuzzed fold is made anew, so that it stays small.
const renewAfter = 5000

// fuzzed puts messages of a host that says anything through decoding, checks, fold and a real database, beside a host that was recorded
// first and must stay as it was.
type fuzzed struct {
	dir   string
	tape  *tape
	log   *simLog
	count int
}

// witness is what the other host has.
const witness = `SELECT (SELECT count(*) FROM samples m JOIN processes p ON p.id = m.process_id JOIN hosts h ON h.id = p.host_id WHERE h.name = 'alpha')
	+ 1000 * (SELECT count(*) FROM process_events e JOIN hosts h ON h.id = e.host_id WHERE h.name = 'alpha')
	+ 1000000 * (SELECT sum(stored) FROM producers p JOIN hosts h ON h.id = p.host_id WHERE h.name = 'alpha')`

// put folds a message, and now and then checks the books and the other host.
func (f *fuzzed) put(t *testing.T, kind schema.Kind, header map[string][]string, payload []byte) {
	if f.tape == nil || f.count%renewAfter == 0 {
		f.renew(t)
	}
	f.count++
	f.tape.t = t
	f.tape.fold(f.log.deliver(schema.StreamFor(kind), schema.Subject("mallory", kind), header, payload))
	if f.count%500 == 0 {
		f.check(t)
	}
}

// renew begins a database, in which the other host is.
func (f *fuzzed) renew(t *testing.T) {
	f.close(t)
	dir, err := os.MkdirTemp(f.dir, "tape")
	if err != nil {
		t.Fatal(err)
	}
	f.tape, f.log = &tape{t: t, dir: dir, limit: 1 << 20}, newLog()
	f.tape.open()
	h := newHost("alpha", schema.Process{PID: 5, JobID: "job"}, schema.Process{PID: 9})
	f.tape.fold(f.log.publishAll(h.snapshot(), h.events(schema.KindExit, 2, "job"), h.snapshot())...)
}

func (f *fuzzed) check(t testing.TB) {
	for _, harm := range f.harms() {
		t.Error(harm)
	}
}

// harms says what the messages did that none may do.
func (f *fuzzed) harms() (harms []string) {
	if n := f.tape.value(`SELECT coalesce(sum(next_seq - 1 - stored - quarantined - missing), 0) FROM producers`); n != 0 {
		harms = append(harms, fmt.Sprintf("the books are off by %d", n))
	}
	if n := f.tape.value(witness); n != 4+2000+4000000 {
		harms = append(harms, fmt.Sprintf("the other host has %d", n))
	}
	return harms
}

// TestFold_MutatedNotices is the control: a fold that believes the host which a message names, not the key that its subject stands for; and
// one that books what it does not store.
func TestFold_MutatedNotices(t *testing.T) {
	f := &fuzzed{dir: fastDir(t)}
	f.renew(t)
	defer func() { f.tape.close() }()
	if harms := f.harms(); len(harms) > 0 {
		t.Fatalf("before: %q", harms)
	}
	forged := newHost("alpha", schema.Process{PID: 7})
	forged.instance[0]++ // another life of it
	f.tape.fold(f.log.publish(forged.snapshot()))
	if harms := f.harms(); len(harms) != 1 || !strings.HasPrefix(harms[0], "the other host") {
		t.Errorf("of a message that is believed to be the other host's, found: %q", harms)
	}
	f.tape.exec(`UPDATE producers SET stored = stored - 1 WHERE (host_id, instance, kind) IN (SELECT host_id, instance, kind FROM producers LIMIT 1)`)
	if harms := f.harms(); len(harms) == 0 || !strings.HasPrefix(harms[0], "the books") {
		t.Errorf("of a message that is booked and not stored, found: %q", harms)
	}
}

func (f *fuzzed) close(t testing.TB) {
	if f.tape == nil {
		return
	}
	f.tape.t = t
	f.check(t)
	f.tape.close()
	if err := os.RemoveAll(f.tape.dir); err != nil {
		t.Error(err)
	}
	f.tape = nil
}

// seed is a good message, and one of its encodings.
type seed struct {
	*schema.Message
	codec schema.Codec
}

func (s *seed) payload(t testing.TB) []byte {
	b, err := s.codec.Append(nil, s.Message)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// renew makes the message one of another life, or of one that was seen, and gives it a number.
func (s *seed) renew(random *rand.Rand) {
	for i := range s.Instance {
		s.Instance[i] = byte(1 + random.IntN(2)) // of 65536
	}
	s.Seq = []uint64{1, 1, 2, 3, 1000, schema.MaxNumber}[random.IntN(6)]
}

// seeds are messages of every kind, in both encodings.
func seeds() (all []seed) {
	h := newHost("mallory", schema.Process{PID: 7, JobID: "job", Sheet: schema.Some[int64](1), CPUMillis: 5}, schema.Process{PID: 11, Command: "é \x1b"})
	messages := []*schema.Message{h.snapshot(), h.snapshot(), h.execs(3, "job"), h.gaps(2), h.jobs(declared("job"), schema.JobEvent{Type: schema.JobEnded, JobID: "job",
		ExitCode: schema.Some[int64](1)})}
	for _, k := range schema.Kinds() {
		if k.Body == schema.BodyEvents {
			messages = append(messages, h.events(k.Kind, 2, "job"))
		}
	}
	rollup := &schema.Rollup{Minute: schema.MinuteOf(h.wall), Samples: 1, Covers: []schema.Cover{{Instance: h.instance, First: 1, Last: 1}}, Interval: second,
		Processes: []schema.ProcessRollup{{PID: 7, BootID: h.bootID, State: "S", Threads: 1, Samples: 1, RSS: schema.SpreadOf([]int64{5}, 60)}}}
	messages = append(messages, &schema.Message{Envelope: h.envelope(schema.KindRollup, 1), Rollup: rollup})
	for _, m := range messages {
		for _, codec := range []schema.Codec{schema.Msgpack, schema.JSON} {
			all = append(all, seed{m, codec})
		}
	}
	return all
}

// FuzzFold puts any bytes of any kind through decoding, checks, fold and database: none fails, and none changes what another host has.
func FuzzFold(f *testing.F) {
	kinds := schema.Kinds()
	for _, s := range seeds() {
		f.Add(uint8(slices.IndexFunc(kinds, func(k schema.KindInfo) bool { return k.Kind == s.Kind })), s.ID(), "1", s.payload(f))
	}
	state := &fuzzed{dir: fastDir(f)}
	f.Cleanup(func() { state.close(f) })
	f.Fuzz(func(t *testing.T, kind uint8, id, items string, payload []byte) {
		state.put(t, kinds[int(kind)%len(kinds)].Kind, map[string][]string{schema.HeaderID: {id}, schema.HeaderItems: {items}}, payload)
	})
}

// TestFold_Mutated puts mutated messages of every kind through the same, for as long as PROCTAPE_FUZZ says (such as 1h); without it, the
// messages as they are and each mutated a little.
func TestFold_Mutated(t *testing.T) {
	var until time.Time
	if text := os.Getenv("PROCTAPE_FUZZ"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil {
			t.Fatal(err)
		}
		until = time.Now().Add(d)
	}
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	if until.IsZero() {
		random = rand.New(rand.NewPCG(1, 1))
	}
	f := &fuzzed{dir: fastDir(t)}
	all := seeds()
	taken := 0
	for n := 0; n < 20*len(all) || time.Now().Before(until); n++ {
		s := all[n%len(all)]
		if n >= len(all) {
			s.renew(random)
		}
		payload := s.payload(t)
		if n >= len(all) {
			payload = mutated(random, payload)
		}
		last := filepath.Join(f.dir, "last")
		if !until.IsZero() { // for whoever mends what it finds
			if err := os.WriteFile(last, append([]byte(s.Kind+"\n"), payload...), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		before := f.taken()
		f.put(t, s.Kind, map[string][]string{schema.HeaderID: {s.ID()}}, payload)
		if f.taken() > before {
			taken++
		}
		if t.Failed() {
			t.Fatalf("after %d messages, kind %s: %q", n, s.Kind, payload)
		}
	}
	f.close(t)
	t.Logf("%d messages, of which %d were taken in", f.count, taken)
	if taken < len(all)/3 {
		t.Errorf("only %d messages were taken in: the others show little", taken)
	}
}

// taken is how many messages the fold has neither put aside nor known already.
func (f *fuzzed) taken() uint64 {
	if f.tape == nil {
		return 0
	}
	st := f.tape.s.progress.stats
	return st.Messages - st.Quarantined - st.Duplicates
}

// mutated is a message with some of its bytes, or some values of its JSON, changed.
func mutated(random *rand.Rand, payload []byte) []byte {
	b := slices.Clone(payload)
	if b[0] == '{' && random.IntN(4) > 0 {
		b = mutatedJSON(random, b)
	}
	for range max(0, random.IntN(6)-2) {
		if len(b) == 0 {
			return b
		}
		at := random.IntN(len(b))
		switch random.IntN(5) {
		case 0:
			b[at] ^= 1 << random.IntN(8)
		case 1:
			b[at] = []byte{0, 1, 0x7f, 0x80, 0x90, 0xc0, 0xcf, 0xd3, 0xdb, 0xdd, 0xff}[random.IntN(11)]
		case 2:
			b = slices.Insert(b, at, byte(random.Uint32()))
		case 3:
			b = slices.Delete(b, at, min(at+1+random.IntN(8), len(b)))
		default: // a piece of it again, elsewhere
			piece := slices.Clone(b[at:min(at+random.IntN(16), len(b))])
			b = slices.Insert(b, random.IntN(len(b)), piece...)
		}
	}
	return b
}

// mutatedJSON changes some values of a message in JSON into others of the same or another type.
func mutatedJSON(random *rand.Rand, b []byte) []byte {
	var tree map[string]any
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.UseNumber()
	if d.Decode(&tree) != nil {
		return b
	}
	values := []any{nil, true, "", "x", "alpha", json.Number("0"), json.Number("-1"), json.Number("1"), json.Number("255"), json.Number("4194303"), json.Number("9007199254740992"),
		json.Number("9223372036854775807"), json.Number("1125899906842624"), json.Number("2305843009213693952"), json.Number("946684800000000000"),
		json.Number("4102444800000000000"), strings.Repeat("y", 300), []any{}, map[string]any{}}
	var walk func(v any) any
	walk = func(v any) any {
		switch v := v.(type) {
		case map[string]any:
			for k := range v {
				v[k] = walk(v[k])
			}
			return v
		case []any:
			for i := range v {
				v[i] = walk(v[i])
			}
			if len(v) > 0 && random.IntN(8) == 0 {
				v = append(v, v[random.IntN(len(v))])
			}
			return v
		}
		if random.IntN(40) == 0 {
			return values[random.IntN(len(values))]
		}
		return v
	}
	walk(tree)
	out, err := json.Marshal(tree)
	if err != nil {
		return b
	}
	return out
}
