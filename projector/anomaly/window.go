package anomaly

import (
	"cmp"
	"math"
	"slices"
)

// point is a value that was seen first at a time of the boot clock, and again at every observation until the next point.
type point struct {
	at int64 // ns
	v  float64
}

// most is how many points a window keeps: a point that comes sooner than a part of the window after the last replaces it.
const most = 48

// window keeps the values of a field, of one subject. A value that stays the same is one point.
type window struct {
	points []point
	last   int64 // when a value was last added
	fitted trend
	fit    bool // fitted is of the points that are there
}

// add adds a value, and lets go of what is older than the window, but for the newest such point, whose value the window begins with.
func (w *window) add(at int64, v float64, length int64) {
	n := len(w.points)
	switch {
	case n > 0 && w.points[n-1].v == v:
	case n > 1 && at-w.points[n-2].at < length/most:
		w.points[n-1] = point{at, v}
		w.fit = false
	default:
		w.points = append(w.points, point{at, v})
		w.fit = false
	}
	w.last = at
	drop := 0
	for drop+1 < len(w.points) && w.points[drop+1].at <= at-length {
		drop++
	}
	if drop > 0 {
		w.points = slices.Delete(w.points, 0, drop)
		w.fit = false
	}
}

// derived is what follows from a window for the newest value.
type derived struct {
	window   *window
	has      bool // there is an earlier observation
	value    float64
	baseline float64
	span     float64 // seconds
}

// derive says what follows for a value that comes at a time, before it is added.
func (w *window) derive(at int64, v float64, length int64) derived {
	d := derived{window: w, value: v}
	if len(w.points) == 0 {
		return d
	}
	first := w.points[0]
	d.has, d.baseline = true, first.v
	d.span = float64(min(at-first.at, length)) / 1e9
	return d
}

func (d *derived) rise() float64 { return d.value - d.baseline }

func (d *derived) growth() (float64, bool) {
	return d.value / d.baseline, d.has && d.baseline > 0
}

// slope is the trend of the points, which is worked out when they changed.
func (d *derived) slope() trend {
	if d.window == nil {
		return trend{}
	}
	if w := d.window; !w.fit {
		w.fitted, w.fit = fit(w.points, w.last), true
	}
	return d.window.fitted
}

// trend is how a value goes.
type trend struct {
	perHour    float64 // median slope
	confidence float64 // that it rises, 0 to 1
	steady     float64 // the smaller of the slopes of the two halves as a part of the larger; 0 where one does not rise
}

// fit is the trend of points, the last of which held until a time: the median of the slopes between any two of them, and the test of Mann and Kendall.
func fit(points []point, until int64) trend {
	if n := len(points); n > 0 && until > points[n-1].at {
		points = append(slices.Clone(points), point{until, points[n-1].v})
	}
	n := len(points)
	if n < 4 {
		return trend{}
	}
	s := 0
	for i := range points {
		for j := i + 1; j < n; j++ {
			s += cmp.Compare(points[j].v, points[i].v)
		}
	}
	variance := float64(n*(n-1)*(2*n+5)) / 18
	z := (float64(s) - 1) / math.Sqrt(variance)
	return trend{perHour: slope(points), confidence: max(0, math.Erf(z/math.Sqrt2)), steady: steadiness(points)}
}

// slope is the median slope between any two points, for an hour.
func slope(points []point) float64 {
	var slopes []float64
	for i := range points {
		for j := i + 1; j < len(points); j++ {
			if apart := points[j].at - points[i].at; apart > 0 {
				slopes = append(slopes, (points[j].v-points[i].v)/(float64(apart)/3.6e12))
			}
		}
	}
	return median(slopes)
}

// steadiness is how alike the slopes of the two halves of a time are: 1 for a line, and near 0 for what has come to its end. A leap, as when a process starts, changes neither.
func steadiness(points []point) float64 {
	first, last := points[0], points[len(points)-1]
	half := first.at + (last.at-first.at)/2
	i := 0
	for points[i+1].at <= half {
		i++
	}
	a, b := points[i], points[i+1]
	middle := point{half, a.v + (b.v-a.v)*float64(half-a.at)/float64(b.at-a.at)}
	one, two := slope(append(slices.Clone(points[:i+1]), middle)), slope(append([]point{middle}, points[i+1:]...))
	if one <= 0 || two <= 0 {
		return 0
	}
	return min(one, two) / max(one, two)
}

// median sorts values and returns the one in the middle; 0 of none.
func median(values []float64) float64 {
	slices.Sort(values)
	switch n := len(values); {
	case n == 0:
		return 0
	case n%2 == 1:
		return values[n/2]
	default:
		return (values[n/2-1] + values[n/2]) / 2
	}
}

// earlier is what earlier runs say of the value of one.
type earlier struct {
	n         int
	median    float64
	most      float64
	deviation float64
}

// compareEarlier says how a value stands to those of earlier runs.
func compareEarlier(before []float64, v float64) earlier {
	if len(before) == 0 {
		return earlier{}
	}
	sorted := slices.Clone(before)
	m := median(sorted)
	most := sorted[len(sorted)-1]
	for i := range sorted {
		sorted[i] = math.Abs(sorted[i] - m)
	}
	scale := max(1.4826*median(sorted), 0.05*m, 1e-9)
	return earlier{len(before), m, most, (v - m) / scale}
}
