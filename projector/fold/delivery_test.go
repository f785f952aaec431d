package fold

import (
	"strconv"
	"strings"
	"testing"

	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

func TestDelivery_ParseClaim(t *testing.T) {
	const instance = "00112233445566778899aabbccddeeff"
	tests := []struct {
		name, id, items string
		want            claim
		ok              bool
	}{
		{"snapshot", instance + ".snapshot.7", "", claim{instance, "snapshot", store.Span{First: 7, Last: 7}}, true},
		{"events", instance + ".event.spawn.3", "5", claim{instance, "event.spawn", store.Span{First: 3, Last: 7}}, true},
		{"most items", instance + ".event.spawn.1", "512", claim{instance, "event.spawn", store.Span{First: 1, Last: 512}}, true},
		{"upper case", strings.ToUpper(instance) + ".job.1", "", claim{instance, "job", store.Span{First: 1, Last: 1}}, true},
		{"highest number", instance + ".job.4611686018427387903", "", claim{instance, "job", store.Span{First: 1<<62 - 1, Last: 1<<62 - 1}}, true},
		{"too many items count as one", instance + ".job.2", "513", claim{instance, "job", store.Span{First: 2, Last: 2}}, true},
		{"no items count as one", instance + ".job.2", "0", claim{instance, "job", store.Span{First: 2, Last: 2}}, true},
		{"negative items count as one", instance + ".job.2", "-4", claim{instance, "job", store.Span{First: 2, Last: 2}}, true},
		{"items that are no number count as one", instance + ".job.2", "many", claim{instance, "job", store.Span{First: 2, Last: 2}}, true},
		{"no id", "", "", claim{}, false},
		{"no parts", instance, "", claim{}, false},
		{"no kind", instance + ".7", "", claim{}, false},
		{"no number", instance + ".snapshot.", "", claim{}, false},
		{"number nought", instance + ".snapshot.0", "", claim{}, false},
		{"negative number", instance + ".snapshot.-1", "", claim{}, false},
		{"signed number", instance + ".snapshot.+1", "", claim{}, false},
		{"number too high", instance + ".snapshot.4611686018427387904", "", claim{}, false},
		{"number with a space", instance + ".snapshot. 1", "", claim{}, false},
		{"instance too short", instance[:30] + ".snapshot.7", "", claim{}, false},
		{"instance too long", instance + "00.snapshot.7", "", claim{}, false},
		{"instance no hexadecimal", "x" + instance[1:] + ".snapshot.7", "", claim{}, false},
		{"another kind than the subject's", instance + ".event.exit.7", "", claim{}, false},
		{"kind too long", instance + "." + strings.Repeat("k", schema.MaxName+1) + ".1", "", claim{}, false},
		{"another program's id", "order-2024.11.7", "", claim{}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := Delivery{Header: Header{}, Kind: schema.Kind(test.want.kind)}
			if !test.ok {
				d.Kind = schema.KindSnapshot
			}
			if test.id != "" {
				d.Header[schema.HeaderID] = []string{test.id}
			}
			if test.items != "" {
				d.Header[schema.HeaderItems] = []string{test.items}
			}
			got, ok := d.parseClaim()
			if ok != test.ok || got != test.want {
				t.Errorf("got %+v, %t, want %+v, %t", got, ok, test.want, test.ok)
			}
		})
	}
}

// messages are messages of a host, one of each kind that has numbers.
func messages() []*schema.Message {
	of := func(kind schema.Kind, m schema.Message) *schema.Message {
		m.Envelope = schema.Envelope{Version: schema.Version, Kind: kind, Host: "h1", BootID: "b", Instance: schema.Instance{1}, Seq: 7, Wall: 1_700_000_000 * second, Boot: 100 * second}
		return &m
	}
	event := schema.Event{Wall: 1_700_000_000 * second, Boot: 100 * second, PID: 5, Command: "program", Source: "proc-diff"}
	return []*schema.Message{
		of(schema.KindSnapshot, schema.Message{Snapshot: &schema.Snapshot{Interval: second, CPUs: 2, PressureLevel: "none",
			Processes: []schema.Process{{PID: 5, State: "S", Threads: 1, StartTicks: 1, Command: "program"}}}}),
		of(schema.KindOOM, schema.Message{Events: []schema.Event{event, event, event}}),
		of(schema.KindGap, schema.Message{Gaps: []schema.Gap{{Reason: "kernel overrun", ToWall: second}, {Reason: "kernel overrun", ToWall: second}}}),
		of(schema.KindJob, schema.Message{Jobs: []schema.JobEvent{{Type: schema.JobDeclared, JobID: "j", Wall: second}}}),
	}
}

// deliveryOf is a message as a server delivers it.
func deliveryOf(t *testing.T, m *schema.Message) *Delivery {
	t.Helper()
	payload, encoding, err := schema.Encode(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	d := &Delivery{Stream: schema.StreamFor(m.Kind), Seq: 1, Subject: schema.Subject(m.Host, m.Kind), Payload: payload,
		Header: Header{schema.HeaderID: {m.ID()}, schema.HeaderItems: {strconv.FormatUint(m.Count(), 10)}}}
	if encoding != "" {
		d.Header[schema.HeaderEncoding] = []string{encoding}
	}
	d.Decode()
	return d
}

// What a message's own id says is what the message holds.
func TestDelivery_ParseClaimOfMessages(t *testing.T) {
	for _, m := range messages() {
		d := deliveryOf(t, m)
		got, ok := d.parseClaim()
		want := claim{m.Instance.String(), string(m.Kind), store.Span{First: m.Seq, Last: m.Seq + m.Count() - 1}}
		if !ok || got != want {
			t.Errorf("%s: got %+v, %t, want %+v", m.ID(), got, ok, want)
		}
	}
}

func FuzzParseClaim(f *testing.F) {
	const instance = "00112233445566778899aabbccddeeff"
	for _, seed := range [][2]string{{instance + ".event.spawn.3", "5"}, {instance + ".snapshot.18446744073709551615", ""},
		{"", ""}, {instance + "..1", "512"}, {instance + "." + strings.Repeat("x", 300) + ".1", "1"}, {"a.b.c", "-1"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, id, items string) {
		kind := schema.KindSnapshot
		if strings.Contains(id, ".event.spawn.") {
			kind = schema.KindSpawn
		}
		d := Delivery{Header: Header{schema.HeaderID: {id}, schema.HeaderItems: {items}}, Kind: kind}
		c, ok := d.parseClaim()
		if !ok {
			if c != (claim{}) {
				t.Fatalf("refused, and got %+v", c)
			}
			return
		}
		n := c.span.Count()
		if c.span.First == 0 || c.span.Last < c.span.First || n > schema.MaxEvents || int64(c.span.Last+1) <= 0 {
			t.Fatalf("numbers %+v are out of range", c.span)
		}
		var instance schema.Instance
		if err := instance.UnmarshalText([]byte(c.instance)); err != nil || instance.String() != c.instance {
			t.Fatalf("instance %q (%v)", c.instance, err)
		}
		if len(c.kind) > schema.MaxName {
			t.Fatalf("kind of %d bytes", len(c.kind))
		}
		if !strings.Contains(id, "."+c.kind+".") {
			t.Fatalf("kind %q is not in %q", c.kind, id)
		}
	})
}

func TestDelivery_Decode(t *testing.T) {
	good := messages()[0]
	encode := func(change func(*schema.Message)) []byte {
		m := *good
		change(&m)
		b, err := schema.Msgpack.Append(nil, &m)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	same := encode(func(*schema.Message) {})
	asJSON, err := schema.JSON.Append(nil, good)
	if err != nil {
		t.Fatal(err)
	}
	later := append([]byte{}, same...)
	later[1] = 2 // the version is the first element
	tests := []struct {
		name    string
		subject string
		header  Header
		payload []byte
		host    string
		reason  string // empty: it decodes
	}{
		{"good", "proctape.v1.h1.snapshot", nil, same, "h1", ""},
		{"good JSON", "proctape.v1.h1.snapshot", Header{schema.HeaderType: {schema.TypeJSON}}, asJSON, "h1", ""},
		{"another subject", "orders.new", nil, same, "", ReasonSubject},
		{"no kind", "proctape.v1.h1", nil, same, "", ReasonSubject},
		{"host that is no token", "proctape.v1.h*1.snapshot", nil, same, "", ReasonSubject},
		{"empty", "proctape.v1.h1.snapshot", nil, nil, "h1", ReasonUndecodable},
		{"garbage", "proctape.v1.h1.snapshot", nil, []byte("garbage"), "h1", ReasonUndecodable},
		{"cut", "proctape.v1.h1.snapshot", nil, same[:len(same)-1], "h1", ReasonUndecodable},
		{"bytes behind", "proctape.v1.h1.snapshot", nil, append(append([]byte{}, same...), 0), "h1", ReasonUndecodable},
		{"unknown type", "proctape.v1.h1.snapshot", Header{schema.HeaderType: {"text/html"}}, same, "h1", ReasonUndecodable},
		{"unknown encoding", "proctape.v1.h1.snapshot", Header{schema.HeaderEncoding: {"br"}}, same, "h1", ReasonUndecodable},
		{"not compressed", "proctape.v1.h1.snapshot", Header{schema.HeaderEncoding: {schema.EncodingS2}}, []byte{0xff}, "h1", ReasonUndecodable},
		{"later version", "proctape.v1.h1.snapshot", nil, later, "h1", ReasonVersion},
		{"later version in JSON", "proctape.v1.h1.snapshot", Header{schema.HeaderType: {schema.TypeJSON}},
			[]byte(strings.Replace(string(asJSON), `"v":1`, `"v":9`, 1)), "h1", ReasonVersion},
		{"another host's", "proctape.v1.h2.snapshot", nil, same, "h2", ReasonForged},
		{"another kind's", "proctape.v1.h1.rollup", nil, same, "h1", ReasonForged},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := &Delivery{Subject: test.subject, Header: test.header, Payload: test.payload}
			d.Decode()
			if d.Host != test.host {
				t.Errorf("host: got %q, want %q", d.Host, test.host)
			}
			switch {
			case test.reason == "" && (d.Poison != nil || d.Msg == nil):
				t.Errorf("got %+v, want a message", d.Poison)
			case test.reason != "" && (d.Poison == nil || d.Msg != nil):
				t.Errorf("got a message, want %q", test.reason)
			case test.reason != "" && (d.Poison.Reason != test.reason || d.Poison.Err == nil):
				t.Errorf("got %q (%v), want %q", d.Poison.Reason, d.Poison.Err, test.reason)
			}
		})
	}
}
