package stats

import "math"

// exactOrder is how many pairs [Spearman] takes in all their orders.
const exactOrder = 8

// Spearman is C. Spearman's correlation of ranks, from -1 to 1, and how often chance alone would give one as far from 0: exact for at most 8 pairs,
// by Student's distribution for more. Equal values share the mean of their ranks. Where all x or all y are equal there is none: 0 and 1.
func Spearman(x, y []float64) (rho, p float64) {
	a, b := centred(x), centred(y)
	rho = correlation(a, b)
	n := len(a)
	switch {
	case n < 3 || rho == 0:
		return rho, 1
	case n <= exactOrder:
		all, far := 0, 0
		permute(b, func() {
			if all++; math.Abs(correlation(a, b)) >= math.Abs(rho)-1e-12 {
				far++
			}
		})
		return rho, float64(far) / float64(all)
	case 1-rho*rho < 1e-12:
		return rho, math.Exp(math.Log(2) - logFactorial(n))
	}
	return rho, student(math.Abs(rho)*math.Sqrt(float64(n-2)/(1-rho*rho)), n-2)
}

// centred are the ranks of values, less their mean.
func centred(values []float64) []float64 {
	ranks := doubledRanks(values, nil)
	out := make([]float64, len(ranks))
	for i, r := range ranks {
		out[i] = float64(r-len(ranks)-1) / 2
	}
	return out
}

// correlation is that of values whose mean is 0.
func correlation(a, b []float64) float64 {
	var ab, aa, bb float64
	for i := range a {
		ab, aa, bb = ab+a[i]*b[i], aa+a[i]*a[i], bb+b[i]*b[i]
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return max(-1, min(1, ab/math.Sqrt(aa*bb)))
}

// permute calls f with every order of values (B. R. Heap, 1963).
func permute(values []float64, f func()) {
	turns := make([]int, len(values))
	f()
	for i := 1; i < len(values); {
		if turns[i] >= i {
			turns[i] = 0
			i++
			continue
		}
		other := 0
		if i%2 == 1 {
			other = turns[i]
		}
		values[other], values[i] = values[i], values[other]
		turns[i]++
		i = 1
		f()
	}
}

// student is how often Student's t of so many degrees of freedom is at least so far from 0, on both sides: Abramowitz and Stegun 26.7.3 and 26.7.4.
func student(t float64, degrees int) float64 {
	angle := math.Atan(t / math.Sqrt(float64(degrees)))
	sin, cos := math.Sin(angle), math.Cos(angle)
	term, sum := 1.0, 0.0
	first := degrees % 2 // the powers of the cosine that are summed are even, or odd
	if first == 1 {
		term = cos
	}
	for k := first; k <= degrees-2; k += 2 {
		sum += term
		term *= cos * cos * float64(k+1) / float64(k+2)
	}
	if sum *= sin; first == 1 {
		sum = 2 / math.Pi * (angle + sum)
	}
	return max(0, 1-sum)
}
