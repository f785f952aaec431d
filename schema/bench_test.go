package schema

import "testing"

func BenchmarkEncode(b *testing.B) {
	m := hostSnapshot(200)
	b.Run("msgpack", func(b *testing.B) {
		payload, _, err := Encode(nil, m)
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(payload)))
		b.ReportAllocs()
		for b.Loop() {
			if payload, _, err = Encode(payload, m); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("json", func(b *testing.B) {
		payload := encoded(b, JSON, m)
		b.SetBytes(int64(len(payload)))
		b.ReportAllocs()
		for b.Loop() {
			var err error
			if payload, err = JSON.Append(payload[:0], m); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	m := hostSnapshot(200)
	for _, test := range []struct{ name, contentType string }{{"msgpack", TypeMsgpack}, {"json", TypeJSON}} {
		b.Run(test.name, func(b *testing.B) {
			payload := encoded(b, codecs[test.name], m)
			b.SetBytes(int64(len(payload)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Decode(test.contentType, "", payload); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
