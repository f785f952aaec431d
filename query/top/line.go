package top

import (
	"math"

	"github.com/proctape/proctape/query"
)

// lineSpan is the length of the time line, in seconds.
const lineSpan = 3600

// lineRange is the range of the time line, and its cells: the hour that ends at the time that is shown, in whole cells of the clock, so
// that a cell keeps its place while time goes on.
func lineRange(m *Model) (query.Range, int) {
	cells := max(10, m.width-14)
	cell := lineCell(cells)
	end := math.Ceil((shown(m)+1e-6)/cell) * cell
	return query.Range{Since: end - float64(cells)*cell, Until: end, Host: m.opts.Host}, cells
}

// lineStale is after how many seconds a live line is read again though nothing came: a hole begins when nothing does.
const lineStale = 10

func seenIn(f *Frame) seenOf {
	s := seenOf{made: int64(f.Made / lineStale)}
	for i := range f.Hosts {
		s.snapshot = max(s.snapshot, f.Hosts[i].Timestamp)
	}
	if n := len(f.Deaths); n > 0 {
		s.death = f.Deaths[n-1].Timestamp
	}
	if n := len(f.Found); n > 0 {
		s.found = f.Found[n-1].Started
	}
	return s
}

// lineCell is how long a cell is: round, so that the line is about an hour.
func lineCell(cells int) float64 {
	for _, s := range []float64{5, 10, 15, 20, 30, 60, 120, 300} {
		if s*float64(cells) >= lineSpan {
			return s
		}
	}
	return 600
}

// newLine makes a time line of what was read. Now is the end of the record.
func newLine(r query.Range, cells int, began, now float64) *Line {
	l := &Line{From: r.Since, To: r.Until, Cells: make([]Cell, cells)}
	for i := range l.Cells {
		from := l.start(i)
		l.Cells[i].Recorded = from+l.cell() > began && from <= now
	}
	return l
}

func (l *Line) cell() float64            { return (l.To - l.From) / float64(len(l.Cells)) }
func (l *Line) start(i int) float64      { return l.From + float64(i)*l.cell() }
func (l *Line) index(t float64) int      { return int(math.Floor((t - l.From) / l.cell())) }
func (l *Line) within(i int) bool        { return i >= 0 && i < len(l.Cells) }
func (l *Line) at(t float64) (int, bool) { i := l.index(t); return i, l.within(i) }

// addPoints adds what was measured. Of several points in a cell the largest counts; points of several hosts at a time add up.
func (l *Line) addPoints(points []query.TrendPoint) {
	sums := map[int]map[string]float64{}
	for _, p := range points {
		for i := l.index(p.Timestamp); i <= l.index(p.Timestamp+p.Interval-1e-3); i++ {
			if !l.within(i) || i > l.index(p.Timestamp) && p.Interval <= l.cell() {
				continue
			}
			if sums[i] == nil {
				sums[i] = map[string]float64{}
			}
			sums[i][p.Host] = max(sums[i][p.Host], p.CPU)
		}
	}
	for i, hosts := range sums {
		c := &l.Cells[i]
		c.Known = true
		for _, cpu := range hosts {
			c.CPU += cpu
		}
		l.Most = max(l.Most, c.CPU)
	}
}

// addHoles marks what was not measured.
func (l *Line) addHoles(holes []query.Hole, now float64) {
	for _, h := range holes {
		to := h.To
		if to == 0 {
			to = now
		}
		for i := max(0, l.index(h.From)); i <= min(len(l.Cells)-1, l.index(to-1e-3)); i++ {
			l.Cells[i].Hole = true
		}
	}
}

// addDeaths marks the gravest death of each cell.
func (l *Line) addDeaths(deaths []query.Event) {
	grave := map[string]int{"■": 3, "▲": 2, "✕": 1}
	for i := range deaths {
		mark, _ := deathMark(&deaths[i])
		if at, ok := l.at(deaths[i].Timestamp); ok && grave[mark] > grave[l.Cells[at].Death] {
			l.Cells[at].Death = mark
		}
	}
}
