package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestRankTest compares p with what is counted by hand: 2 P(U <= u) of all choices of so many ranks (Mann and Whitney, 1947).
func TestRankTest(t *testing.T) {
	for _, c := range []struct {
		a, b []float64
		want float64
	}{
		{[]float64{1, 2, 3}, []float64{4, 5, 6}, 2.0 / 20},
		{[]float64{1, 2, 3, 4}, []float64{5, 6, 7, 8}, 2.0 / 70},
		{[]float64{1, 2, 3, 4, 5}, []float64{6, 7, 8, 9, 10}, 2.0 / 252},  // U = 0
		{[]float64{1, 2, 3, 4, 6}, []float64{5, 7, 8, 9, 10}, 4.0 / 252},  // U = 1
		{[]float64{1, 2, 3, 4, 7}, []float64{5, 6, 8, 9, 10}, 8.0 / 252},  // U = 2
		{[]float64{1, 2, 3, 5, 7}, []float64{4, 6, 8, 9, 10}, 14.0 / 252}, // U = 3
		{[]float64{9}, []float64{1, 2, 3, 4, 5}, 2.0 / 6},                 // one against five
		{[]float64{3, 3, 3, 3}, []float64{3, 3, 3, 3}, 1},                 // all equal
		{[]float64{1, 1, 2, 2}, []float64{2, 2, 3, 3}, 12.0 / 70},         // ties share their mean rank: counted by hand
		{[]float64{1, 4, 5, 8}, []float64{2, 3, 6, 7}, 1},                 // in the middle
	} {
		if got := RankTest(c.a, c.b); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%v against %v: got p = %g, want %g", c.a, c.b, got, c.want)
		}
		if x, y := RankTest(c.a, c.b), RankTest(c.b, c.a); math.Abs(x-y) > 1e-12 {
			t.Errorf("%v against %v: %g one way, %g the other", c.a, c.b, x, y)
		}
	}
}

// TestRankTest_OfMany: for as many values as the exact test still takes, the normal distribution gives nearly the same.
func TestRankTest_OfMany(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 40 {
		a, b := make([]float64, 25), make([]float64, 30)
		for i := range a {
			a[i] = float64(random.IntN(40)) + 8*random.Float64() - 4*float64(i%2)
		}
		for i := range b {
			b[i] = float64(random.IntN(40))
		}
		exact, normal := exactRankTest(a, b), normalRankTest(a, b)
		if math.Abs(exact-normal) > 0.005+0.05*exact {
			t.Fatalf("exact %g, by the normal distribution %g", exact, normal)
		}
	}
	if p := RankTest(make([]float64, 200), make([]float64, 200)); p != 1 {
		t.Errorf("of equal values p is %g", p)
	}
}

func TestRankEffect(t *testing.T) {
	for _, c := range []struct {
		a, b []float64
		want float64
	}{
		{[]float64{4, 5, 6}, []float64{1, 2, 3}, 1}, {[]float64{1, 2}, []float64{3}, -1}, {[]float64{1, 4}, []float64{2, 3}, 0},
		{[]float64{2, 2}, []float64{2}, 0}, {[]float64{1, 3}, []float64{2, 0}, 0.5},
	} {
		if got := RankEffect(c.a, c.b); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%v over %v: got %g, want %g", c.a, c.b, got, c.want)
		}
	}
}

// TestFisher compares with values that are worked out by hand from the binomial coefficients.
func TestFisher(t *testing.T) {
	for _, c := range []struct {
		table [4]int
		want  float64
	}{
		{[4]int{3, 1, 1, 3}, 34.0 / 70},      // the lady tasting tea: 2 (1 + 16) of 70
		{[4]int{4, 0, 0, 4}, 2.0 / 70},       // she is right each time
		{[4]int{5, 5, 5, 5}, 1},              // nothing
		{[4]int{0, 10, 5, 5}, 504.0 / 15504}, // (252 + 252) of C(20, 5)
		{[4]int{3, 0, 0, 1}, 1.0 / 4},        // of one side alone
	} {
		if got := Fisher(c.table[0], c.table[1], c.table[2], c.table[3]); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%v: got %g, want %g", c.table, got, c.want)
		}
	}
}

// TestSpearman compares with orders that are counted by hand, and with tables of Student's distribution.
func TestSpearman(t *testing.T) {
	one := []float64{1, 2, 3, 4, 5}
	for _, c := range []struct {
		y      []float64
		rho, p float64
	}{
		{[]float64{10, 20, 30, 40, 50}, 1, 2.0 / 120},
		{[]float64{5, 4, 3, 2, 1}, -1, 2.0 / 120},
		{[]float64{1, 2, 3, 5, 4}, 0.9, 10.0 / 120}, // one pair of neighbours exchanged: 4 orders each way, and the two above
		{[]float64{7, 7, 7, 7, 7}, 0, 1},
	} {
		if rho, p := Spearman(one, c.y); math.Abs(rho-c.rho) > 1e-12 || math.Abs(p-c.p) > 1e-12 {
			t.Errorf("%v: got %g and p %g, want %g and %g", c.y, rho, p, c.rho, c.p)
		}
	}
	for _, c := range []struct {
		t       float64
		degrees int
		want    float64
	}{{12.706, 1, 0.05}, {4.303, 2, 0.05}, {2.228, 10, 0.05}, {3.106, 11, 0.01}, {2.750, 30, 0.01}, {0, 7, 1}} {
		if got := student(c.t, c.degrees); math.Abs(got-c.want) > 1e-4 {
			t.Errorf("t %g of %d degrees: got %g, want %g", c.t, c.degrees, got, c.want)
		}
	}
}

// TestFalseDiscovery compares with the example of the paper (its p are those of Neuhaus et al.): at 0.05 the first four are found.
func TestFalseDiscovery(t *testing.T) {
	p := []float64{0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1}
	q := FalseDiscovery(p)
	found := 0
	for _, v := range q {
		if v <= 0.05 {
			found++
		}
	}
	if found != 4 {
		t.Errorf("%d are found, want 4: %v", found, q)
	}
	if math.Abs(q[3]-0.0095*15/4) > 1e-12 || q[14] != 1 {
		t.Errorf("corrected values are %v", q)
	}
	back := FalseDiscovery([]float64{0.04, 0.01})
	if back[0] != 0.04 || back[1] != 0.02 {
		t.Errorf("of two: %v", back)
	}
}
