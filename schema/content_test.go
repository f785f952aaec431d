package schema

import (
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/s2"
)

// A producer that sets no header is understood.
func TestDecode_JSONWithoutHeader(t *testing.T) {
	for _, e := range examples() {
		payload := encoded(t, JSON, e.m)
		for name, p := range map[string][]byte{"as it is": payload, "behind blanks": append([]byte(" \t\r\n"), payload...)} {
			m, err := Decode("", "", p)
			if err != nil || !equal(m, exampleOf(t, e.name)) {
				t.Errorf("%s %s: got %+v, %v", e.name, name, m, err)
			}
		}
		if _, err := Decode("", EncodingS2, s2.Encode(nil, payload)); err != nil {
			t.Errorf("%s, compressed: %v", e.name, err)
		}
	}
}

func TestDecode_ContentTypes(t *testing.T) {
	asJSON, packed := encoded(t, JSON, exampleOf(t, "job")), encoded(t, Msgpack, exampleOf(t, "job"))
	tests := []struct {
		name, contentType, encoding string
		payload                     []byte
		want                        string // of the error; empty for none
	}{
		{"JSON", TypeJSON, "", asJSON, ""},
		{"JSON with its charset", "application/json; charset=utf-8", "", asJSON, ""},
		{"JSON in capitals", "Application/JSON", "", asJSON, ""},
		{"MessagePack", TypeMsgpack, "", packed, ""},
		{"MessagePack without a header", "", "", packed, ""},
		{"JSON as MessagePack", TypeMsgpack, "", asJSON, "the message looks like JSON: set its Content-Type to application/json, or leave it out"},
		{"MessagePack as JSON", TypeJSON, "", packed, "the message looks like MessagePack: set its Content-Type to application/msgpack, or leave it out"},
		{"JSON as a text", "text/plain", "", asJSON, `content type "text/plain" is neither application/msgpack nor application/json: the message looks like application/json`},
		{"MessagePack as a stream of bytes", "application/octet-stream", "", packed, "the message looks like application/msgpack"},
		{"neither, as a text", "text/plain", "", []byte("hello"), `content type "text/plain" is neither application/msgpack nor application/json`},
		{"JSON that is not compressed", "", EncodingS2, asJSON, "the message looks like application/json that is not compressed: leave Content-Encoding out"},
		{"a list in JSON", "", "", slices.Concat([]byte("["), asJSON, []byte("]")), "decode JSON: "},
		{"a list of JSON as a message", "", "", []byte(`[1]`), "decode JSON: byte 1: the message is array, want an object"},
		{"a text of JSON", "", "", []byte(`"hello"`), "decode JSON: the message is JSON, but no object"},
		{"a byte order mark", "", "", slices.Concat([]byte("\xef\xbb\xbf"), asJSON), "begins with a byte order mark: leave it out"},
		{"nothing", "", "", nil, "the message is empty"},
		{"a text for a number", "", "", []byte(`{"v": 2, "produced": "many"}`), "produced is string, want a whole number in its range"},
		{"neither", "", "", []byte("hello"), "decode msgpack: byte 0: 0x68 is no array"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, err := Decode(test.contentType, test.encoding, test.payload)
			switch {
			case test.want == "" && (err != nil || !equal(m, exampleOf(t, "job"))):
				t.Errorf("got %+v, %v", m, err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v, want an error that says %q", err, test.want)
			}
		})
	}
}

// Every message that can be decoded makes the claim of its envelope, in each encoding.
func TestReadClaim(t *testing.T) {
	for _, e := range examples() {
		for format, codec := range codecs {
			c, ok := ReadClaim("", "", encoded(t, codec, e.m))
			want := Claim{e.m.Host, e.m.Kind, e.m.Instance, e.m.Seq, e.m.Count()}
			if !ok || c != want {
				t.Errorf("%s.%s: got %+v, %v, want %+v", e.name, format, c, ok, want)
			}
		}
	}
}

// What cannot be decoded makes a claim as long as its envelope can be read.
func TestReadClaim_OfWhatCannotBeDecoded(t *testing.T) {
	asJSON, packed := string(encoded(t, JSON, exampleOf(t, "job"))), encoded(t, Msgpack, exampleOf(t, "job"))
	swap := func(old, with string) []byte {
		if !strings.Contains(asJSON, old) {
			t.Fatalf("no %s in %s", old, asJSON)
		}
		return []byte(strings.Replace(asJSON, old, with, 1))
	}
	tests := []struct {
		name    string
		payload []byte
		count   uint64 // 0 when it makes none
	}{
		{"a type that is none", swap(`"type":"declared"`, `"type":"begun"`), 5},
		{"a text for a number", swap(`"boot_ns":86400000000123`, `"boot_ns":"now"`), 5},
		{"a later version", swap(`"v":2`, `"v":3`), 5},
		{"cut within its items", []byte(asJSON[:len(asJSON)-9]), 1},
		{"cut within its envelope", []byte(asJSON[:strings.Index(asJSON, `"seq"`)]), 0},
		{"no instance", swap(`"instance":"00112233445566778899aabbccddeeff",`, ""), 0},
		{"an instance with dashes", swap(`00112233445566778899aabbccddeeff`, `00112233-4455-6677-8899-aabbccddeeff`), 0},
		{"a negative number", swap(`"seq":1`, `"seq":-1`), 0},
		{"JSON of nothing", []byte("{"), 0},
		{"a list", []byte("[1,2"), 0},
		{"MessagePack, cut", packed[:len(packed)-1], 5},
		{"MessagePack, cut within its envelope", packed[:40], 0},
		{"MessagePack of another version", append([]byte{packed[0], 3}, packed[2:]...), 0},
		{"neither", []byte("hello"), 0},
		{"nothing", nil, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if m, err := Decode("", "", test.payload); err == nil {
				t.Fatalf("it can be decoded: %+v", m)
			}
			c, ok := ReadClaim("", "", test.payload)
			m := exampleOf(t, "job")
			switch want := (Claim{m.Host, m.Kind, m.Instance, m.Seq, test.count}); {
			case test.count == 0 && ok:
				t.Errorf("got %+v, want none", c)
			case test.count > 0 && (!ok || c != want):
				t.Errorf("got %+v, %v, want %+v", c, ok, want)
			}
		})
	}
}
