package report

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/proctape/proctape/query"
)

// TestGroup_BinsHoldAll groups runs of random length: each value is in one bin, within its edges, the least in the first and the largest
// in the last.
func TestGroup_BinsHoldAll(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for round := range 200 {
		n := 1 + random.IntN(300)
		runs := make([]query.Run, n)
		for i := range runs {
			end, cpu := 1000+float64(random.IntN(1+round)), random.Float64()*100
			runs[i] = query.Run{JobID: fmt.Sprintf("train_%d.%d", i%3, i), Host: fmt.Sprintf("h%d", i%3), Started: 1000, Ended: &end, Totals: query.Totals{CPUSeconds: &cpu}}
		}
		g := group(runs, GroupQuestion{By: "host"})
		known := 0
		for _, one := range g.Groups {
			for j, d := range one.Figures {
				sum := 0
				for _, c := range d.Counts {
					sum += c
				}
				if sum != d.N || d.Name != g.Bins[j].Name {
					t.Fatalf("%s of %s: %d in bins of %d values", d.Name, one.Key, sum, d.N)
				}
				if e := g.Bins[j].Edges; d.N > 0 && (*d.Min < e[0] || *d.Max > e[len(e)-1] || *d.Median < *d.Min || *d.P95 > *d.Max || *d.P95 < *d.Median) {
					t.Fatalf("%s of %s: %v, edges %v", d.Name, one.Key, d, e)
				}
			}
			known += one.Figures[0].N
		}
		if known != n || len(g.Groups) != min(n, 3) {
			t.Fatalf("%d of %d runs in %d groups", known, n, len(g.Groups))
		}
	}
}

// TestGroup_OneBinPerValue counts by hand: values at edges go up, the largest stays in the last bin.
func TestGroup_OneBinPerValue(t *testing.T) {
	b := Bins{Edges: []float64{0, 1, 2, 3}}
	if d := distribution(b, []float64{0, 0.5, 1, 2, 2.5, 3}); fmt.Sprint(d.Counts) != "[2 1 3]" || *d.Median != 1.5 || *d.P95 != 3 {
		t.Errorf("%v, median %v, p95 %v", d.Counts, *d.Median, *d.P95)
	}
}

// TestGroup_Keys: what the jobs of an array share, and in what order groups come.
func TestGroup_Keys(t *testing.T) {
	for job, want := range map[string]string{"train_17": "train_#", "a1-b22c": "a1-b#c", "build": "build", "7": "#"} {
		if got := keyOf(&query.Run{JobID: job}, "array"); got != want {
			t.Errorf("%s is of the array %s, want %s", job, got, want)
		}
	}
	if natural("9", "10") >= 0 || natural("b", "a") <= 0 {
		t.Error("steps are not in the order of their numbers")
	}
}
