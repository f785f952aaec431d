package integration_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/proctape/proctape/schema"
)

// absurdity is a message that no producer of ours makes.
type absurdity struct {
	what  string
	msg   *nats.Msg
	field string // the key of what is wrong in it; empty when it is wrong as a whole
	must  bool   // it has to be in quarantine, for no machine has such a thing
}

// absurdities makes messages of one host, which may publish as that host alone.
type absurdities struct {
	t      *testing.T
	host   string
	random *rand.Rand
	lives  uint64
}

// sensible is a message of a kind that says nothing absurd, of a life of its own.
func (a *absurdities) sensible(kind schema.Kind) *schema.Message {
	a.lives++
	h := newHost(a.host, 3, 1<<40+a.lives)
	h.wall += int64(a.lives) * 1e9
	event := schema.Event{Wall: h.wall, Boot: h.uptime, PID: 42, PPID: schema.Some[int64](1), StartTicks: 9, UID: schema.Some[int64](1000), Command: "make", JobID: "job-1",
		Sheet: schema.Some[int64](1), ExitCode: schema.Some[int64](1), Signal: schema.Some[int64](9), CPUMillis: schema.Some[int64](50), PeakRSS: schema.Some[int64](900),
		ReadKiB: schema.Some[int64](1), WriteKiB: schema.Some[int64](1), Lifetime: schema.Some[int64](70), SampledCPU: schema.Some[int64](20), Source: "taskstats"}
	switch kind.Body() {
	case schema.BodySnapshot:
		m := h.snapshot()[0]
		s := m.Snapshot
		s.GPUs = []schema.GPU{{Utilization: schema.Some[int64](5), MemoryUsed: schema.Some[int64](5), MemoryTotal: schema.Some[int64](9), Temperature: schema.Some[int64](5)}}
		s.Pressure = &schema.Pressure{CPUSome: schema.Some[int64](1)}
		s.JobProgress = []schema.JobProgress{{JobID: "job-1", TotalSheets: schema.Some[int64](3)}}
		return m
	case schema.BodyExecs:
		return h.message(kind, &schema.Message{Execs: []schema.Exec{schema.ExecOf(&event)}})
	case schema.BodyGaps:
		return h.message(kind, &schema.Message{Gaps: []schema.Gap{{Kind: schema.GapEventsLost, Count: schema.Some[int64](3), FromWall: h.wall - 1, ToWall: h.wall}}})
	case schema.BodyJobs:
		return h.message(kind, &schema.Message{Jobs: []schema.JobEvent{{Type: schema.JobDeclared, Wall: h.wall, JobID: "job-1", Sheet: schema.Some[int64](1),
			TotalSheets: schema.Some[int64](3), Status: "running", PID: schema.Some[int64](42), UID: schema.Some[int64](1000), ExitCode: schema.Some[int64](0)}}})
	}
	return h.message(kind, &schema.Message{Events: []schema.Event{event}})
}

// tree is a message as JSON has it, to be changed.
func (a *absurdities) tree(m *schema.Message) map[string]any {
	a.t.Helper()
	b, err := schema.JSON.Append(nil, m)
	if err != nil {
		a.t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var tree map[string]any
	if err := d.Decode(&tree); err != nil {
		a.t.Fatal(err)
	}
	return tree
}

// leaf is a place in a tree of JSON.
type leaf struct {
	key string
	old any
	set func(any)
}

// leaves are the places of a tree, in order.
func leaves(key string, value any, set func(any)) (all []leaf) {
	switch v := value.(type) {
	case map[string]any:
		for _, k := range sortedKeys(v) {
			all = append(all, leaves(k, v[k], func(x any) { v[k] = x })...)
		}
	case []any:
		for i := range v {
			all = append(all, leaves(key, v[i], func(x any) { v[i] = x })...)
		}
	default:
		all = []leaf{{key, value, set}}
	}
	return all
}

func sortedKeys(m map[string]any) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Numbers, times and texts that no machine has or that are odd. Those that no number is like have to be in quarantine.
var (
	impossible = []string{"9223372036854775807", "18446744073709551615", "-9223372036854775808", "1e308", "-1e308", "99999999999999999999999", "4611686018427387905"}
	oddNumbers = []string{"0", "-1", "1", "1.5", "1e3", "-0", "2147483648", "9007199254740993"}
	noTimes    = []string{"-62135596800000000000", "-62135596800000000", "1", "1000000000", "253402300799000000000", "6000000000000000000"} // of the years 1, 1970 and 9999
	oddTexts   = []string{"", strings.Repeat("n", 1<<20-4096), "\u0000", "../../etc", "\u001b]0;x\u0007\u001b[2J", "a\nb", "_", "*", ">", "alpha", "proctape.v1.alpha", strings.Repeat("é", 300)}
	oddValues  = []string{`null`, `true`, `"text"`, `[]`, `{}`, `[1]`, `{"a":1}`, `[[[[[[[[1]]]]]]]]`, `NaN`, `Infinity`, `-Infinity`, `0x10`, `1_000`, `'x'`}
)

// mark stands in a tree for text that is not JSON.
const mark = "\u0001"

// change makes a message of a kind in which one thing is absurd.
func (a *absurdities) change(kind schema.Kind, n int) absurdity {
	tree := a.tree(a.sensible(kind))
	places := leaves("", tree, nil)
	pick := func(fits func(leaf) bool) leaf {
		some := slices.DeleteFunc(slices.Clone(places), func(l leaf) bool { return !fits(l) })
		return some[a.random.IntN(len(some))]
	}
	isNumber := func(l leaf) bool { _, ok := l.old.(json.Number); return ok && l.key != "v" }
	isTime := func(l leaf) bool { return isNumber(l) && (l.key == "wall_ns" || l.key == "to_wall_ns") }
	isText := func(l leaf) bool { _, ok := l.old.(string); return ok && l.key != "instance" && l.key != "kind" }
	of := func(list []string) string { return list[a.random.IntN(len(list))] }
	var l leaf
	var raw string
	must := false
	switch n % 5 {
	case 0:
		l, raw, must = pick(isNumber), of(impossible), true
	case 1:
		l, raw = pick(isNumber), of(oddNumbers)
	case 2:
		l, raw, must = pick(isTime), of(noTimes), true
	case 3:
		l = pick(isText)
		quoted, _ := json.Marshal(of(oddTexts))
		raw = string(quoted)
	default:
		l, raw = pick(func(l leaf) bool { return l.key != "v" }), of(oddValues)
	}
	l.set(mark)
	b, err := json.Marshal(tree)
	if err != nil {
		a.t.Fatal(err)
	}
	quotedMark, _ := json.Marshal(mark)
	msg := nats.NewMsg(schema.Subject(a.host, kind))
	msg.Data = bytes.Replace(b, quotedMark, []byte(raw), 1)
	msg.Header.Set(schema.HeaderType, schema.TypeJSON)
	return absurdity{fmt.Sprintf("%s: %s = %.40s", kind, l.key, raw), msg, l.key, must}
}

// looks are bodies that look like something and are no message.
var looks = []string{"", "null", "[]", "{}", `"text"`, "123", "{", `{"v":2`, `{"v":2}`, "\ufeff{}", "// comment\n{}", "{'v':2}", "<xml/>", "v: 2", "{\"v\":2}{\"v\":2}", "\x00\x00\x00\x00",
	"\xdd\x7f\xff\xff\xff", "\xdf\x7f\xff\xff\xff", "\xdb\xff\xff\xff\xff", "\xc6\xff\xff\xff\xff", "\x9f", "\xff\xfe{\x00}\x00", strings.Repeat("[", 100_000), strings.Repeat(`{"a":`, 50_000),
	strings.Repeat("\x91", 100_000), strings.Repeat("\x81\xa1a", 50_000), "\xc1", "\x94\x02\xa8snapshot"}

// whole makes a message that is wrong as a whole.
func (a *absurdities) whole(kind schema.Kind, n int) absurdity {
	m := a.sensible(kind)
	msg := natsMessage(a.t, m)
	ab := absurdity{msg: msg, must: true}
	switch n % 8 {
	case 0, 1:
		look := looks[a.random.IntN(len(looks))]
		ab.what, msg.Data, msg.Header = fmt.Sprintf("%.20q", look), []byte(look), nats.Header{}
		if n%8 == 1 {
			msg.Header.Set(schema.HeaderType, []string{schema.TypeJSON, schema.TypeMsgpack, "text/html", "application/json; charset=utf-16"}[a.random.IntN(4)])
		}
	case 2:
		ab.what = "cut short"
		msg.Data = msg.Data[:a.random.IntN(len(msg.Data))]
	case 3:
		ab.what, ab.must = "bits that flipped", false
		for range 3 {
			msg.Data[a.random.IntN(len(msg.Data))] ^= 1 << a.random.IntN(8)
		}
	case 4:
		ab.what = "an encoding that it has not"
		msg.Header.Set(schema.HeaderEncoding, []string{schema.EncodingS2, "gzip", "s2, s2"}[a.random.IntN(3)])
	case 5:
		ab.what = "another host's"
		m.Host = []string{"alpha", "beta", "_", "Mallory"}[a.random.IntN(4)]
		if m.Host == "_" && kind != schema.KindJob {
			m.Host = "alpha"
		}
		ab.msg = natsMessage(a.t, m)
		ab.msg.Subject = schema.Subject(a.host, kind)
	case 6:
		ab.what, ab.must = "a number near the largest", false
		m.Seq, m.Produced, m.Acked = schema.MaxNumber, schema.MaxNumber, schema.MaxNumber
		ab.msg = natsMessage(a.t, m)
	case 7:
		ab.what, ab.must = "more items than it has", false
		msg.Header.Set(schema.HeaderItems, []string{"0", "-1", "512", "99999999999999999999", "x"}[a.random.IntN(5)])
	}
	ab.what = string(kind) + ": " + ab.what
	return ab
}

// backwards are messages of one life whose counters and clocks run backwards, and two of one id with other content.
func (a *absurdities) backwards(kind schema.Kind) (all []absurdity) {
	first := a.sensible(kind)
	for i := range uint64(4) {
		m := a.sensible(kind)
		m.Instance, m.Seq, m.Produced = first.Instance, first.Seq+i, first.Produced-min(i, first.Produced)
		m.Boot, m.Wall = first.Boot-int64(i)*1e9, first.Wall-int64(i)*1e9
		if m.Snapshot != nil {
			rows := m.Snapshot.Processes.Rows()
			for k := range rows {
				rows[k].CPUMillis = 1000 - 100*i
			}
			m.Snapshot.Processes = schema.ProcessesOf(rows...)
			m.Snapshot.Tick = 10 - i
		}
		all = append(all, absurdity{what: string(kind) + ": backwards", msg: natsMessage(a.t, m)})
	}
	again := a.sensible(kind)
	again.Instance, again.Seq = first.Instance, first.Seq
	withID := natsMessage(a.t, again)
	without := nats.NewMsg(withID.Subject)
	without.Data = withID.Data
	return append(all, absurdity{what: string(kind) + ": the same id", msg: withID}, absurdity{what: string(kind) + ": the same number", msg: without})
}

// of makes so many messages of a kind.
func (a *absurdities) of(kind schema.Kind, count int) (all []absurdity) {
	all = a.backwards(kind)
	for n := 0; len(all) < count; n++ {
		if n%3 == 2 {
			all = append(all, a.whole(kind, n/3))
		} else {
			all = append(all, a.change(kind, n))
		}
	}
	return all
}
