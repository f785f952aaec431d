package column

import (
	"math/rand/v2"
	"os"
	"slices"
	"testing"
)

// Any bytes are read as a column, or refused, without an allocation. A hundred thousand of them here, a hundred million in
// make soak: it takes a minute and a half.
func TestFormat_ReadMutations(t *testing.T) {
	executions := 100_000
	if os.Getenv("PROCTAPE_SOAK") == "1" {
		executions = 100_000_000
	}
	rnd := rand.New(rand.NewPCG(20261127, 1))
	seeds := seedColumns(rnd)
	values := make([]int64, 1<<10)
	b := make([]byte, 0, 1<<12)
	good := 0
	for i := range executions {
		s := &seeds[rnd.IntN(len(seeds))]
		b = mutate(rnd, append(b[:0], s.b...))
		n := s.n
		if rnd.IntN(8) == 0 {
			n = rnd.IntN(len(values))
		}
		if s.format.Read(values[:n], b) != nil {
			continue
		}
		good++
		if i%64 == 0 { // else the checks take longer than what they check
			if problem := checkRead(s.format, values[:n], slices.Clone(b)); problem != "" {
				t.Fatalf("%v, %d values of %x: %s", s.format, n, b, problem)
			}
		}
	}
	t.Logf("%d executions, %d of them read", executions, good)
	if good < executions/10 { // else the test would prove little
		t.Errorf("%d of %d were read, want a tenth", good, executions)
	}
}

type seedColumn struct {
	format Format
	b      []byte
	n      int
}

// seedColumns are columns of each format and of many lengths.
func seedColumns(rnd *rand.Rand) []seedColumn {
	var seeds []seedColumn
	for _, f := range formats() {
		for _, n := range []int{0, 1, 2, 5, 30, 300} {
			values := make([]int64, n)
			for i := range values {
				switch rnd.IntN(3) {
				case 0:
					values[i] = rnd.Int64N(1<<rnd.IntN(50)) &^ 3
				case 1:
					values[i] = values[max(i-1, 0)]
				}
			}
			if f.Mode == Rising {
				for i := range values {
					values[i] = int64(i * 3)
				}
			}
			seeds = append(seeds, seedColumn{f, f.Append(nil, values), n})
		}
	}
	return seeds
}

// mutate changes b: one byte to three, put in or taken out.
func mutate(rnd *rand.Rand, b []byte) []byte {
	for range 1 + rnd.IntN(3) {
		at := rnd.IntN(len(b) + 1)
		switch bits := rnd.Uint32(); {
		case at == len(b) || bits%4 == 0:
			b = slices.Insert(b, at, byte(bits>>8))
		case bits%4 == 1:
			b = slices.Delete(b, at, at+1)
		case bits%4 == 2:
			b[at] = byte(bits >> 8)
		default:
			b[at] ^= 1 << (bits >> 8 % 8)
		}
	}
	return b
}
