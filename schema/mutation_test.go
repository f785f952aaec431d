package schema

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"
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

// Messages with a few bytes changed never bring a decoder down, what decodes is a message as good as any, and no decoder
// allocates more than its limit for a message's length. Ten thousand messages here; a hundred million in make soak, or as
// many as there is time for before -timeout. PROCTAPE_SEED gives other mutations than those of every run.
func TestDecode_Mutations(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	c := newCampaign(t, decodeOnly)
	if os.Getenv("PROCTAPE_SOAK") == "1" {
		c.executions, c.checkEach = 100_000_000, 64
	}
	if err := c.run(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d messages, %v of them decoded", c.done, c.decoded)
	for format := range codecs { // else the test would prove little
		if c.decoded[format] < 300 {
			t.Errorf("%s: %d mutations decoded, want at least 300", format, c.decoded[format])
		}
	}
}

// The control: the library by itself, which allocates what a length says and skips by recursion, is caught.
func TestDecode_MutationsCatchADecoderWithoutChecks(t *testing.T) {
	c := newCampaign(t, func(format string, b []byte) bool {
		var any any
		return format == "msgpack" && msgpack.Unmarshal(b, &any) == nil
	})
	if err := c.run(); err == nil || !strings.Contains(err.Error(), "the limit is") {
		t.Errorf("after %d messages: got error %v, want one about what it allocated", c.done, err)
	}
}

// campaign decodes mutations of the examples.
type campaign struct {
	decode     func(format string, b []byte) (ok bool)
	seeds      []mutationSeed
	executions int
	seed       uint64
	checkEach  int // how many are decoded before one of them is checked whole, which takes a hundred times as long
	end        time.Time

	done    int
	decoded map[string]int
}

type mutationSeed struct {
	format  string
	payload []byte
}

func newCampaign(t *testing.T, decode func(format string, b []byte) (ok bool)) *campaign {
	c := &campaign{decode: decode, executions: 10_000, checkEach: 1, seed: 20261123, decoded: map[string]int{}}
	if text := os.Getenv("PROCTAPE_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		c.seed = n
	}
	c.end = time.Now().Add(24 * time.Hour)
	if end, ok := t.Deadline(); ok {
		c.end = end.Add(-time.Minute)
	}
	for _, e := range examples() {
		for _, format := range []string{"msgpack", "json"} {
			c.seeds = append(c.seeds, mutationSeed{format, encoded(t, codecs[format], e.m)})
		}
	}
	return c
}

func decodeOnly(format string, b []byte) bool {
	_, err := codecs[format].Decode(b)
	return err == nil
}

func (c *campaign) run() error {
	rnd := rand.New(rand.NewPCG(c.seed, 1))
	for ; c.done < c.executions && (c.done%1024 > 0 || time.Now().Before(c.end)); c.done++ {
		s := c.seeds[rnd.IntN(len(c.seeds))]
		b := mutate(rnd, s.payload)
		before, ok := totalAllocated(), c.decode(s.format, b)
		got, limit := totalAllocated()-before, decodeLimit[s.format](len(b))
		if got > limit { // perhaps of what was counted late
			got = allocated(func() { c.decode(s.format, b) })
		}
		if got > limit {
			return fmt.Errorf("%s %q: allocated %d bytes for %d, the limit is %d", s.format, b, got, len(b), limit)
		}
		if !ok {
			continue
		}
		if c.decoded[s.format]++; c.decoded[s.format]%c.checkEach > 0 {
			continue
		}
		if _, err := checkDecode(s.format, b); err != nil {
			return fmt.Errorf("%s %q: %w", s.format, b, err)
		}
	}
	return nil
}

// totalAllocated is what was allocated since the program began. It stops nothing, so what is smaller than a span of memory may
// be counted late.
func totalAllocated() uint64 {
	sample := [1]metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample[:])
	return sample[0].Value.Uint64()
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
