package schema

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestDecode_EveryTruncationIsAnError(t *testing.T) {
	for _, e := range examples() {
		for format, codec := range codecs {
			t.Run(e.name+" in "+format, func(t *testing.T) {
				whole := encoded(t, codec, e.m)
				for n := range whole {
					if m, err := codec.Decode(whole[:n:n]); err == nil {
						t.Errorf("the first %d of %d bytes: got %+v, want an error", n, len(whole), m)
					}
				}
			})
		}
	}
}

// Messages with a few bytes changed never bring a decoder down, and what decodes is a message as good as any.
func TestDecode_Mutations(t *testing.T) {
	executions := 10_000
	rnd := rand.New(rand.NewPCG(20261123, 1))
	type seed struct {
		format  string
		payload []byte
	}
	var seeds []seed
	for _, e := range examples() {
		for _, format := range []string{"msgpack", "json"} {
			seeds = append(seeds, seed{format, encoded(t, codecs[format], e.m)})
		}
	}
	decoded := map[string]int{}
	for range executions {
		s := seeds[rnd.IntN(len(seeds))]
		b := mutate(rnd, s.payload)
		ok, err := checkDecode(s.format, b)
		if err != nil {
			t.Fatalf("%s %q: %v", s.format, b, err)
		}
		if ok {
			decoded[s.format]++
		}
	}
	for format := range codecs { // else the test would prove little
		if decoded[format] < 300 {
			t.Errorf("%s: %d mutations decoded, want at least 300", format, decoded[format])
		}
	}
}

// mutate returns b with one to three bytes changed, put in or taken out.
func mutate(rnd *rand.Rand, b []byte) []byte {
	b = slices.Clone(b)
	for range 1 + rnd.IntN(3) {
		at := rnd.IntN(len(b))
		switch rnd.IntN(4) {
		case 0:
			b[at] ^= 1 << rnd.IntN(8)
		case 1:
			b[at] = byte(rnd.Uint32())
		case 2:
			b = slices.Insert(b, at, byte(rnd.Uint32()))
		default:
			b = slices.Delete(b, at, min(at+1+rnd.IntN(3), len(b)))
		}
		if len(b) == 0 {
			return b
		}
	}
	return b
}

// checkDecode decodes any bytes. What decodes must be valid and encode back to an equal message, in both encodings.
func checkDecode(format string, b []byte) (ok bool, err error) {
	m, err := codecs[format].Decode(b)
	if err != nil {
		if m != nil {
			return false, fmt.Errorf("got a message and error %w", err)
		}
		return false, nil
	}
	if err := m.Validate(); err != nil {
		return true, fmt.Errorf("decoded an invalid message: %w", err)
	}
	for _, name := range []string{"msgpack", "json"} {
		codec := codecs[name]
		again, err := codec.Append(nil, m)
		if err != nil && name == "json" && strings.Contains(err.Error(), "the limit for JSON") {
			continue
		}
		if err != nil {
			return true, fmt.Errorf("encode %s again: %w", name, err)
		}
		m2, err := codec.Decode(again)
		if err != nil {
			return true, fmt.Errorf("decode %s again: %w", name, err)
		}
		if !equal(m, m2) {
			return true, fmt.Errorf("%s: got %+v, then %+v", name, m, m2)
		}
	}
	return true, nil
}
