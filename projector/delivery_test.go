package projector

import (
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/proctape/proctape/schema"
)

func TestDelivery_ParseClaim(t *testing.T) {
	const instance = "00112233445566778899aabbccddeeff"
	tests := []struct {
		name, id, items string
		want            claim
		ok              bool
	}{
		{"snapshot", instance + ".snapshot.7", "", claim{instance, "snapshot", span{7, 7}}, true},
		{"events", instance + ".event.spawn.3", "5", claim{instance, "event.spawn", span{3, 7}}, true},
		{"most items", instance + ".event.spawn.1", "512", claim{instance, "event.spawn", span{1, 512}}, true},
		{"upper case", strings.ToUpper(instance) + ".job.1", "", claim{instance, "job", span{1, 1}}, true},
		{"highest number", instance + ".job.4611686018427387903", "", claim{instance, "job", span{1<<62 - 1, 1<<62 - 1}}, true},
		{"too many items count as one", instance + ".job.2", "513", claim{instance, "job", span{2, 2}}, true},
		{"no items count as one", instance + ".job.2", "0", claim{instance, "job", span{2, 2}}, true},
		{"negative items count as one", instance + ".job.2", "-4", claim{instance, "job", span{2, 2}}, true},
		{"items that are no number count as one", instance + ".job.2", "many", claim{instance, "job", span{2, 2}}, true},
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
			d := delivery{header: nats.Header{}, kind: schema.Kind(test.want.kind)}
			if !test.ok {
				d.kind = schema.KindSnapshot
			}
			if test.id != "" {
				d.header.Set(nats.MsgIdHdr, test.id)
			}
			if test.items != "" {
				d.header.Set(schema.HeaderItems, test.items)
			}
			got, ok := d.parseClaim()
			if ok != test.ok || got != test.want {
				t.Errorf("got %+v, %t, want %+v, %t", got, ok, test.want, test.ok)
			}
		})
	}
}

// What a message's own id says is what the message holds.
func TestDelivery_ParseClaimOfMessages(t *testing.T) {
	l := newLog()
	h := newHost("h1")
	for _, m := range []*schema.Message{h.snapshot(), h.events(schema.KindOOM, 3), h.gaps(2), h.jobs(declared("j"))} {
		d := l.publish(m)
		d.decode()
		got, ok := d.parseClaim()
		want := claim{m.Instance.String(), string(m.Kind), span{m.Seq, m.Seq + m.Count() - 1}}
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
		d := delivery{header: nats.Header{nats.MsgIdHdr: {id}, schema.HeaderItems: {items}}, kind: kind}
		c, ok := d.parseClaim()
		if !ok {
			if c != (claim{}) {
				t.Fatalf("refused, and got %+v", c)
			}
			return
		}
		n := c.span.count()
		if c.span.first == 0 || c.span.last < c.span.first || n > schema.MaxEvents || int64(c.span.last+1) <= 0 {
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
	good := newHost("h1").snapshot()
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
		header  nats.Header
		payload []byte
		host    string
		reason  string // empty: it decodes
	}{
		{"good", "proctape.v1.h1.snapshot", nil, same, "h1", ""},
		{"good JSON", "proctape.v1.h1.snapshot", nats.Header{schema.HeaderType: {schema.TypeJSON}}, asJSON, "h1", ""},
		{"another subject", "orders.new", nil, same, "", reasonSubject},
		{"no kind", "proctape.v1.h1", nil, same, "", reasonSubject},
		{"host that is no token", "proctape.v1.h*1.snapshot", nil, same, "", reasonSubject},
		{"empty", "proctape.v1.h1.snapshot", nil, nil, "h1", reasonUndecodable},
		{"garbage", "proctape.v1.h1.snapshot", nil, []byte("garbage"), "h1", reasonUndecodable},
		{"cut", "proctape.v1.h1.snapshot", nil, same[:len(same)-1], "h1", reasonUndecodable},
		{"bytes behind", "proctape.v1.h1.snapshot", nil, append(append([]byte{}, same...), 0), "h1", reasonUndecodable},
		{"unknown type", "proctape.v1.h1.snapshot", nats.Header{schema.HeaderType: {"text/html"}}, same, "h1", reasonUndecodable},
		{"unknown encoding", "proctape.v1.h1.snapshot", nats.Header{schema.HeaderEncoding: {"br"}}, same, "h1", reasonUndecodable},
		{"not compressed", "proctape.v1.h1.snapshot", nats.Header{schema.HeaderEncoding: {schema.EncodingS2}}, []byte{0xff}, "h1", reasonUndecodable},
		{"later version", "proctape.v1.h1.snapshot", nil, later, "h1", reasonVersion},
		{"later version in JSON", "proctape.v1.h1.snapshot", nats.Header{schema.HeaderType: {schema.TypeJSON}},
			[]byte(strings.Replace(string(asJSON), `"v":1`, `"v":9`, 1)), "h1", reasonVersion},
		{"another host's", "proctape.v1.h2.snapshot", nil, same, "h2", reasonForged},
		{"another kind's", "proctape.v1.h1.rollup", nil, same, "h1", reasonForged},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := &delivery{subject: test.subject, header: test.header, payload: test.payload}
			d.decode()
			if d.host != test.host {
				t.Errorf("host: got %q, want %q", d.host, test.host)
			}
			switch {
			case test.reason == "" && (d.poison != nil || d.msg == nil):
				t.Errorf("got %+v, want a message", d.poison)
			case test.reason != "" && (d.poison == nil || d.msg != nil):
				t.Errorf("got a message, want %q", test.reason)
			case test.reason != "" && (d.poison.reason != test.reason || d.poison.err == nil):
				t.Errorf("got %q (%v), want %q", d.poison.reason, d.poison.err, test.reason)
			}
		})
	}
}
