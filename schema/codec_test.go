package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/vmihailenco/msgpack/v5"
	"pgregory.net/rapid"

	"github.com/proctape/proctape/schema/metric"
)

func TestCodec_RoundTrip(t *testing.T) {
	for name, codec := range codecs {
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			want := genMessage.Draw(t, "message")
			b, err := codec.Append(nil, want)
			if err != nil {
				t.Fatalf("encode: %v", err)
			}
			got, err := codec.Decode(b)
			if err != nil {
				t.Fatalf("decode: %v", err)
			}
			if !equal(got, want) {
				t.Fatalf("got\n%+v, want\n%+v", got, want)
			}
		}))
	}
}

// A message is the same whichever of the two encodings brought it.
func TestCodec_EncodingsAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := genMessage.Draw(t, "message")
		var decoded []*Message
		for _, codec := range []Codec{Msgpack, JSON} {
			b, err := codec.Append(nil, m)
			if err != nil {
				t.Fatalf("encode: %v", err)
			}
			d, err := codec.Decode(b)
			if err != nil {
				t.Fatalf("decode: %v", err)
			}
			decoded = append(decoded, d)
		}
		if !equal(decoded[0], decoded[1]) {
			t.Fatalf("msgpack gives\n%+v, JSON\n%+v", decoded[0], decoded[1])
		}
	})
}

func TestCodec_AppendsToWhatIsThere(t *testing.T) {
	for name, codec := range codecs {
		t.Run(name, func(t *testing.T) {
			m := exampleOf(t, "snapshot")
			want := append([]byte("before"), encoded(t, codec, m)...)
			got, err := codec.Append([]byte("before"), m)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("got %.40q, %v, want %.40q", got, err, want)
			}
			m.Host = ""
			if got, err := codec.Append([]byte("before"), m); err == nil || string(got) != "before" {
				t.Errorf("invalid message: got %.40q, %v, want %q and an error", got, err, "before")
			}
		})
	}
}

func TestMsgpack_MessageDoesNotKeepPayload(t *testing.T) {
	payload := encoded(t, Msgpack, exampleOf(t, "snapshot"))
	m, err := Msgpack.Decode(payload)
	if err != nil {
		t.Fatal(err)
	}
	clear(payload)
	if !equal(m, exampleOf(t, "snapshot")) {
		t.Error("the message changed with the bytes it was decoded from")
	}
}

func TestMsgpack_GeneralLibraryReads(t *testing.T) {
	for _, e := range examples() {
		t.Run(e.name, func(t *testing.T) {
			fields := generic(t, encoded(t, Msgpack, e.m)).([]any)
			if len(fields) != 13 || fields[1] != string(e.m.Kind) || fields[2] != e.m.Host || !bytes.Equal(fields[4].([]byte), e.m.Instance[:]) {
				t.Errorf("got %v, want the fields of %+v", fields, e.m.Envelope)
			}
		})
	}
}

// generic decodes a message with the general library, each integer in the Go type of its form.
func generic(t *testing.T, b []byte) any {
	t.Helper()
	v, err := msgpack.NewDecoder(bytes.NewReader(b)).DecodeInterface()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// later are fields that a later version might append to a record. None is a map or an extension: no version writes any.
func later() []any {
	return []any{nil, "later", -5, uint64(1) << 63, 3.5, float32(1.5), []any{1, []any{"x", nil}}, []byte{1, 2}, true}
}

// marshal encodes what generic decoded.
func marshal(t *testing.T, v any) []byte {
	t.Helper()
	b, err := msgpack.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// extend appends fields of a later version to every record of a message that the general library decoded, the columns of
// processes and the tables of texts among them. A list is told from a record by its elements: records, or strings alone.
func extend(v any) any {
	fields, ok := v.([]any)
	if !ok {
		return v
	}
	list, isProcess := true, false
	if len(fields) == 13 { // as the envelope, which has a kind there
		_, isKind := fields[1].(string)
		isProcess = !isKind
	}
	for i := range fields {
		if isProcess && (i == 10 || i == 11) { // what a rollup has of a process, by metric
			fields[i] = extendByMetric(fields[i])
			continue
		}
		fields[i] = extend(fields[i])
		_, record := fields[i].([]any)
		list = list && record
	}
	if list || !slices.ContainsFunc(fields, func(v any) bool { _, text := v.(string); return !text }) {
		return fields
	}
	return append(append(fields, nil, nil), later()...) // at most two fields at the end are left out where they are not known
}

// extendByMetric puts metrics of a later version around those of a list of numbers and values.
func extendByMetric(v any) any {
	fields, ok := v.([]any)
	if !ok {
		return extend(v)
	}
	extended := []any{200, nil}
	for i := range fields {
		extended = append(extended, extend(fields[i]))
	}
	for i, v := range later() {
		extended = append(extended, int(metric.Count)+i, v)
	}
	return extended
}

func TestMsgpack_ForwardCompatible(t *testing.T) {
	for _, e := range examples() {
		t.Run(e.name, func(t *testing.T) {
			before := encoded(t, Msgpack, e.m)
			after := marshal(t, extend(generic(t, before)))
			if len(after) < len(before)+40 {
				t.Fatalf("got %d bytes after %d: nothing was appended", len(after), len(before))
			}
			got, err := Msgpack.Decode(after)
			if err != nil {
				t.Fatal(err)
			}
			if !equal(got, e.m) {
				t.Errorf("got\n%+v, want\n%+v", got, e.m)
			}
		})
	}
}

func TestJSON_ForwardCompatible(t *testing.T) {
	var extend func(v any) any
	extend = func(v any) any {
		switch v := v.(type) {
		case map[string]any:
			for k := range v {
				v[k] = extend(v[k])
			}
			v["later"] = map[string]any{"a": []any{1, nil, "x"}}
		case []any:
			for i := range v {
				v[i] = extend(v[i])
			}
		}
		return v
	}
	for _, e := range examples() {
		t.Run(e.name, func(t *testing.T) {
			d := json.NewDecoder(bytes.NewReader(encoded(t, JSON, e.m)))
			d.UseNumber()
			var v any
			if err := d.Decode(&v); err != nil {
				t.Fatal(err)
			}
			b, err := json.Marshal(extend(v))
			if err != nil {
				t.Fatal(err)
			}
			got, err := JSON.Decode(b)
			if err != nil {
				t.Fatal(err)
			}
			if !equal(got, e.m) {
				t.Errorf("got\n%+v, want\n%+v", got, e.m)
			}
		})
	}
}

// A record whose last fields are missing has them unknown or zero.
func TestMsgpack_MissingTail(t *testing.T) {
	m := exampleOf(t, "snapshot")
	fields := generic(t, encoded(t, Msgpack, m)).([]any)
	body := fields[10].([]any)
	body[9] = body[9].([]any)[:2] // the pressure's last three
	body[18] = body[18].([]any)[:1+metric.ReadKiB]
	fields[10] = body[:19] // up to the processes
	got, err := Msgpack.Decode(marshal(t, fields))
	if err != nil {
		t.Fatal(err)
	}
	m.Snapshot.HostValues = HostValues{}
	m.Snapshot.Pressure = &Pressure{CPUSome: Some[int64](1250), MemorySome: Some[int64](3)}
	change(1, func(p *Process) { p.ReadKiB, p.WriteKiB, p.Syscalls, p.Fleet = Opt[int64]{}, Opt[int64]{}, nil, false })(m)
	if !sameRows(got, m) {
		t.Errorf("got\n%+v, want\n%+v", got.Snapshot, m.Snapshot)
	}
}

func TestJSON_MissingFieldsAreUnknown(t *testing.T) {
	const text = `{"v":2,"kind":"snapshot","host":"h","boot_id":"b","instance":"000102030405060708090a0b0c0d0e0f","seq":1,"wall_ns":1795400123456789012,` +
		`"snapshot":{"processes":[{"pid":1,"state":"S","rss_kib":null,"vms_kib":0}]}}`
	m, err := JSON.Decode([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	p := m.Snapshot.Processes.Row(0)
	if p.RSS.Known || p.OpenFDs.Known || p.VMS != Some[int64](0) || m.Snapshot.Pressure != nil {
		t.Errorf("got %+v, want rss and fds unknown, vms 0", p)
	}
}

func TestDecode_HigherVersion(t *testing.T) {
	later := "\x96\x03\x93changed\xc0"
	tests := []struct{ name, contentType, payload string }{
		{"msgpack with another body", TypeMsgpack, later},
		{"msgpack without a body", "", "\x91\x03"},
		{"msgpack, a much later one", "", "\x92\xcd\xff\xff\xc0"},
		{"msgpack, version 0", "", "\x91\x00"},
		{"JSON", TypeJSON, `{"v":3,"kind":"snapshot"}`},
		{"JSON with another body", TypeJSON, `{"v":3,"kind":7,"seq":"x","snapshot":[]}`},
		{"JSON, version 0", TypeJSON, `{"kind":"snapshot"}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if m, err := Decode(test.contentType, "", []byte(test.payload)); !errors.Is(err, ErrVersion) {
				t.Errorf("got %+v, error %v, want ErrVersion", m, err)
			}
		})
	}
	m := exampleOf(t, "job")
	m.Version = 3
	for name, codec := range codecs {
		if _, err := codec.Append(nil, m); !errors.Is(err, ErrVersion) {
			t.Errorf("encode %s: got error %v, want ErrVersion", name, err)
		}
	}
}

func TestDecode_Refuses(t *testing.T) {
	valid := encoded(t, Msgpack, exampleOf(t, "job"))
	noBody := encoded(t, JSON, exampleOf(t, "job"))
	tests := []struct {
		name, contentType, encoding string
		payload                     []byte
		want                        string
	}{
		{"content type", "text/plain", "", valid, `content type "text/plain" is neither application/msgpack nor application/json`},
		{"content encoding", "", "gzip", valid, `content encoding "gzip" is not s2`},
		{"not compressed", "", EncodingS2, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, "decompress: "},
		{"nothing compressed", "", EncodingS2, nil, "decompress: "},
		{"nothing", "", "", nil, "the message is empty"},
		{"no array", "", "", []byte("\x81"), "decode msgpack: byte 0: 0x81 is no array"},
		{"what follows", "", "", append(slices.Clone(valid), 0xc0), "decode msgpack: 1 bytes follow the message"},
		{"cut", "", "", valid[:len(valid)-1], "decode msgpack: "},
		{"JSON as msgpack", TypeMsgpack, "", noBody, "decode msgpack: "},
		{"msgpack as JSON", TypeJSON, "", valid, "decode JSON: "},
		{"JSON with what follows", TypeJSON, "", append(slices.Clone(noBody), '1'), "decode JSON: "},
		{"empty JSON", TypeJSON, "", nil, "decode JSON: "},
		{"fraction", TypeJSON, "", []byte(`{"v":2,"seq":1.5}`), "decode JSON: "},
		{"fraction for a value that may be unknown", TypeJSON, "", []byte(`{"v":2,"snapshot":{"gpus":[{"utilization_x10":1.5}]}}`), "decode JSON: "},
		{"short instance", TypeJSON, "", []byte(`{"v":2,"instance":"00"}`), `instance "00": want 32 hexadecimal digits`},
		{"instance of other digits", TypeJSON, "", []byte(`{"v":2,"instance":"zz0102030405060708090a0b0c0d0e0f"}`), `instance "zz0102030405060708090a0b0c0d0e0f": `},
		{"list of nothing", TypeJSON, "", []byte(`{"v":2,"events":[` + strings.Repeat("0,", 2000) + `0]}`), "byte 16: 2001 elements in 4002 bytes"},
		{"nesting", TypeJSON, "", []byte(`{"v":2,"later":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`), "nested deeper than 32"},
		{"JSON beyond the limit", TypeJSON, "", append(noBody, bytes.Repeat([]byte(" "), MaxJSON)...), "the limit for JSON is 1048576"},
		{"msgpack beyond the limit", "", "", make([]byte, MaxMessage+1), "message of 16777217 bytes, the limit is 16777216"},
		{"bomb", "", EncodingS2, s2.Encode(nil, make([]byte, MaxMessage)), "would become 16777216, the limit is "},
		{"beyond the limit, compressed", "", EncodingS2, s2.Encode(nil, randomBytes(MaxMessage+1)), "would become 16777217, the limit is 16777216"},
		{"cut, compressed", "", EncodingS2, s2.Encode(nil, valid)[:len(valid)/2], "decompress: "},
		{"claims 4 GiB", "", EncodingS2, []byte{0xff, 0xff, 0xff, 0xff, 0x0f}, "decompress: "},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var m *Message
			var err error
			got := allocated(func() { m, err = Decode(test.contentType, test.encoding, test.payload) })
			if m != nil || err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %+v, error %v, want an error that says %q", m, err, test.want)
			}
			if got > 64<<10 {
				t.Errorf("allocated %d bytes for %d, want fewer than 64 KiB", got, len(test.payload))
			}
		})
	}
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{}).Read(b)
	return b
}

func TestEncode(t *testing.T) {
	longCommands := hostSnapshot(1000)
	longCommands.Snapshot.Processes = Processes{}
	for i := range 1000 {
		longCommands.Snapshot.Processes.Append(&Process{PID: i + 1, State: "S", Command: strings.Repeat("x", 4000) + strconv.Itoa(i)})
	}
	bare := &Message{Envelope: envelope(KindSnapshot, 1), Snapshot: &Snapshot{}}
	for i := range 1900 {
		bare.Snapshot.Processes.Append(&Process{PID: i + 1, State: "S",
			Command: strings.Repeat("x", MaxCommand-i), Cgroup: strings.Repeat("x", MaxCommand-i)})
	}
	tests := []struct {
		name     string
		m        *Message
		encoding string
	}{
		{"200 processes", hostSnapshot(200), ""},
		{"5000 processes", hostSnapshot(5000), EncodingS2},
		{"events", exampleOf(t, "exit"), ""},
		{"a thousand long command lines, nearly alike", longCommands, EncodingS2},
		{"smaller by more than a reader takes", bare, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			payload, encoding, err := Encode(nil, test.m)
			if err != nil {
				t.Fatal(err)
			}
			if encoding != test.encoding {
				t.Errorf("got encoding %q, want %q", encoding, test.encoding)
			}
			if plain := encoded(t, Msgpack, test.m); encoding != "" && len(payload) > len(plain)*3/4 {
				t.Errorf("got %d bytes of %d, want them compressed", len(payload), len(plain))
			}
			got, err := Decode("", encoding, payload)
			if err != nil {
				t.Fatal(err)
			}
			if !equal(got, test.m) {
				t.Error("decoded another message")
			}
		})
	}
}

func TestEncode_ReusesScratch(t *testing.T) {
	m := hostSnapshot(200)
	scratch, _, err := Encode(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	allocs := testing.AllocsPerRun(20, func() {
		payload, _, err := Encode(scratch, m)
		if err != nil || &payload[0] != &scratch[0] {
			t.Errorf("got other bytes than the scratch, or error %v", err)
		}
	})
	if allocs != 0 {
		t.Errorf("got %v allocations, want 0", allocs)
	}
}

// What an encoder writes a decoder takes: both know the same limits.
func TestCodec_Limits(t *testing.T) {
	large := &Message{Envelope: envelope(KindSnapshot, 1), Snapshot: &Snapshot{}}
	for i := range 5000 {
		large.Snapshot.Processes.Append(&Process{PID: i + 1, State: "S", Command: strings.Repeat("x", 4000) + strconv.Itoa(i)})
	}
	for name, want := range map[string]string{"msgpack": "the limit is 16777216", "json": "the limit for JSON is 1048576"} {
		t.Run(name, func(t *testing.T) {
			got, err := codecs[name].Append(nil, large)
			if err == nil || !strings.Contains(err.Error(), want) || len(got) != 0 {
				t.Errorf("got %d bytes, error %v, want an error that says %q", len(got), err, want)
			}
		})
	}
}
