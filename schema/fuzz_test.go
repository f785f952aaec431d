package schema

import "testing"

func fuzzDecode(f *testing.F, format string) {
	for _, e := range examples() {
		f.Add(golden(f, e.name+"."+format, nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got := allocated(func() { codecs[format].Decode(b) })
		if limit := decodeLimit[format](len(b)); got > limit {
			t.Errorf("allocated %d bytes for %d, the limit is %d", got, len(b), limit)
		}
		if _, err := checkDecode(format, b); err != nil {
			t.Error(err)
		}
	})
}

func FuzzDecodeMsgpack(f *testing.F) { fuzzDecode(f, "msgpack") }

func FuzzDecodeJSON(f *testing.F) { fuzzDecode(f, "json") }
