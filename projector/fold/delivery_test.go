package fold

import (
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

func TestDelivery_Claim(t *testing.T) {
	const instance = "00112233445566778899aabbccddeeff"
	tests := []struct {
		name, id, items string
		want            Numbers
		ok              bool
	}{
		{"snapshot", instance + ".snapshot.7", "", Numbers{instance, "snapshot", store.Span{First: 7, Last: 7}}, true},
		{"events", instance + ".event.spawn.3", "5", Numbers{instance, "event.spawn", store.Span{First: 3, Last: 7}}, true},
		{"most items", instance + ".event.spawn.1", "512", Numbers{instance, "event.spawn", store.Span{First: 1, Last: 512}}, true},
		{"upper case", strings.ToUpper(instance) + ".job.1", "", Numbers{instance, "job", store.Span{First: 1, Last: 1}}, true},
		{"highest number", instance + ".job.9007199254740992", "", Numbers{instance, "job", store.Span{First: 1 << 53, Last: 1 << 53}}, true},
		{"above the highest number", instance + ".job.9007199254740993", "", Numbers{}, false},
		{"too many items count as one", instance + ".job.2", "513", Numbers{instance, "job", store.Span{First: 2, Last: 2}}, true},
		{"no items count as one", instance + ".job.2", "0", Numbers{instance, "job", store.Span{First: 2, Last: 2}}, true},
		{"negative items count as one", instance + ".job.2", "-4", Numbers{instance, "job", store.Span{First: 2, Last: 2}}, true},
		{"items that are no number count as one", instance + ".job.2", "many", Numbers{instance, "job", store.Span{First: 2, Last: 2}}, true},
		{"no id", "", "", Numbers{}, false},
		{"no parts", instance, "", Numbers{}, false},
		{"no kind", instance + ".7", "", Numbers{}, false},
		{"no number", instance + ".snapshot.", "", Numbers{}, false},
		{"number nought", instance + ".snapshot.0", "", Numbers{}, false},
		{"negative number", instance + ".snapshot.-1", "", Numbers{}, false},
		{"signed number", instance + ".snapshot.+1", "", Numbers{}, false},
		{"number too high", instance + ".snapshot.4611686018427387904", "", Numbers{}, false},
		{"number with a space", instance + ".snapshot. 1", "", Numbers{}, false},
		{"instance too short", instance[:30] + ".snapshot.7", "", Numbers{}, false},
		{"instance too long", instance + "00.snapshot.7", "", Numbers{}, false},
		{"instance no hexadecimal", "x" + instance[1:] + ".snapshot.7", "", Numbers{}, false},
		{"another kind than the subject's", instance + ".event.exit.7", "", Numbers{}, false},
		{"kind too long", instance + "." + strings.Repeat("k", schema.MaxName+1) + ".1", "", Numbers{}, false},
		{"another program's id", "order-2024.11.7", "", Numbers{}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := Delivery{Header: Header{}, Kind: schema.Kind(test.want.Kind)}
			if !test.ok {
				d.Kind = schema.KindSnapshot
			}
			if test.id != "" {
				d.ID = test.id
			}
			if test.items != "" {
				d.Header[schema.HeaderItems] = []string{test.items}
			}
			got := d.claim()
			if want := claimOf(test.want, test.ok); !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

// claimOf is what a message claims; nil for nothing.
func claimOf(n Numbers, ok bool) *Numbers {
	if !ok {
		return nil
	}
	return &n
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
			Processes: schema.ProcessesOf(schema.Process{PID: 5, State: "S", Threads: 1, StartTicks: 1, Command: "program"})}}),
		of(schema.KindOOM, schema.Message{Events: []schema.Event{event, event, event}}),
		of(schema.KindGap, schema.Message{Gaps: []schema.Gap{{Kind: schema.GapEventsLost, ToWall: 1_700_000_000 * second}, {Kind: schema.GapEventsLost, ToWall: 1_700_000_000 * second}}}),
		of(schema.KindJob, schema.Message{Jobs: []schema.JobEvent{{Type: schema.JobDeclared, JobID: "j", Wall: 1_700_000_000 * second}}}),
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
func TestDelivery_ClaimOfMessages(t *testing.T) {
	for _, m := range messages() {
		d := deliveryOf(t, m)
		got := d.claim()
		want := &Numbers{m.Instance.String(), string(m.Kind), store.Span{First: m.Seq, Last: m.Seq + m.Count() - 1}}
		if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(d.Numbers, want) {
			t.Errorf("%s: got %+v of the headers and %+v of the message, want %+v", m.ID(), got, d.Numbers, want)
		}
	}
}

// A delivery counts the rows of each body: two items of each list are two rows.
func TestDelivery_Rows(t *testing.T) {
	body := reflect.TypeFor[schema.Message]()
	for i := range body.NumField() {
		if field := body.Field(i); !field.Anonymous { // the envelope
			m := new(schema.Message)
			if !fillTwo(reflect.ValueOf(m).Elem().Field(i)) {
				t.Errorf("%s: say in fillTwo of projector/fold/delivery_test.go which of its lists holds what becomes rows", field.Name)
			}
			if m.Anomaly != nil { // it is one row, whatever it holds
				m.Gaps = []schema.Gap{{}}
			}
			if got := (&Delivery{Msg: m}).Rows(); got != 2 {
				t.Errorf("%s: got %d rows of two items, want 2: Rows of projector/fold/delivery.go has to count it", field.Name, got)
			}
		}
	}
	if got := (&Delivery{Msg: new(schema.Message)}).Rows() + new(Delivery).Rows(); got != 0 {
		t.Errorf("got %d rows of nothing, want 0", got)
	}
}

// fillTwo puts two items into a body: into the list that it is, or into its processes or steps. It reports whether it could.
func fillTwo(v reflect.Value) bool {
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		body := v.Elem()
		if v = body.FieldByName("Processes"); !v.IsValid() {
			v = body.FieldByName("Steps")
		}
		if !v.IsValid() {
			v = body.FieldByName("Values")
		}
	}
	if procs, ok := v.Addr().Interface().(*schema.Processes); ok {
		*procs = schema.ProcessesOf(schema.Process{PID: 1}, schema.Process{PID: 2})
		return true
	}
	if v.Kind() != reflect.Slice {
		return false
	}
	v.Set(reflect.MakeSlice(v.Type(), 2, 2))
	return true
}

func FuzzClaim(f *testing.F) {
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
		d := Delivery{ID: id, Header: Header{schema.HeaderItems: {items}}, Kind: kind}
		c := d.claim()
		if c == nil {
			return
		}
		n := c.Span.Count()
		if c.Span.First == 0 || c.Span.Last < c.Span.First || n > schema.MaxEvents || int64(c.Span.Last+1) <= 0 {
			t.Fatalf("numbers %+v are out of range", c.Span)
		}
		var instance schema.Instance
		if err := instance.UnmarshalText([]byte(c.Instance)); err != nil || instance.String() != c.Instance {
			t.Fatalf("instance %q (%v)", c.Instance, err)
		}
		if len(c.Kind) > schema.MaxName {
			t.Fatalf("kind of %d bytes", len(c.Kind))
		}
		if !strings.Contains(id, "."+c.Kind+".") {
			t.Fatalf("kind %q is not in %q", c.Kind, id)
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
	later[1] = schema.Version + 1 // the version is the first element
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
			[]byte(strings.Replace(string(asJSON), `"v":2`, `"v":9`, 1)), "h1", ReasonVersion},
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
