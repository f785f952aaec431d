package report

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proctape/proctape/query"
)

// GroupBy is what runs can be grouped by. An array is the jobs whose names are the same but for the last number in them.
var GroupBy = []string{"array", "job", "host", "step", "outcome", "day"}

// GroupQuestion asks for many runs together.
type GroupQuestion struct {
	Jobs  string // the names of jobs: * stands for any text, ? for any character, [a-c] for one of these
	By    string // one of [GroupBy]
	Range query.Range
}

// Groups are runs in groups, and how their figures are spread.
type Groups struct {
	Jobs   string  `json:"jobs"`
	By     string  `json:"by"`
	Groups []Group `json:"groups"`
	Bins   []Bins  `json:"bins"` // of each figure, the same for all groups
	// Coverage is how much is known of the time from the first run to the end of the last.
	Coverage []query.Coverage `json:"coverage"`
}

// Group is some runs, or the same step of some runs.
type Group struct {
	Key        string         `json:"key"`
	Runs       int            `json:"runs"`
	Failed     int            `json:"failed"` // ended with a code other than 0, or by a signal
	GoOn       int            `json:"go_on"`  // have not ended: their figures are not among Figures
	LowerBound int            `json:"lower_bound"`
	Figures    []Distribution `json:"figures"` // in the order of Bins
}

// Bins are the bins of the histograms of a figure: bin i has the values from Edges[i] to below Edges[i+1], the last bin those at its end too.
type Bins struct {
	Name  string    `json:"name"` // duration, cpu, cores or peak_rss
	Unit  string    `json:"unit"`
	Edges []float64 `json:"edges"`
}

// Distribution is how the values of a figure are spread over the runs of a group that have ended. All but N is nil where none is known.
type Distribution struct {
	Name   string   `json:"name"`
	N      int      `json:"n"` // of how many runs the figure is known
	Min    *float64 `json:"min"`
	Median *float64 `json:"median"`
	P95    *float64 `json:"p95"` // 95 of 100 runs had at most this
	Max    *float64 `json:"max"`
	Counts []int    `json:"counts"` // of each bin
}

// groupFigures are the figures of a group, and how each is read: nil is not known.
var groupFigures = []struct {
	name, unit string
	of         func(seconds *float64, t *query.Totals) *float64
}{
	{"duration", "s", func(seconds *float64, _ *query.Totals) *float64 { return seconds }},
	{"cpu", "s", func(_ *float64, t *query.Totals) *float64 { return t.CPUSeconds }},
	{"cores", "", func(seconds *float64, t *query.Totals) *float64 {
		if seconds == nil || t.CPUSeconds == nil || *seconds <= 0 {
			return nil
		}
		v := *t.CPUSeconds / *seconds
		return &v
	}},
	{"peak_rss", "MiB", func(_ *float64, t *query.Totals) *float64 { return t.PeakRSS }},
}

// mostBins is how many bins a histogram has at most.
const mostBins = 12

// ReadGroups reads the runs of all jobs of a pattern that began in a range. It fails with [path.ErrBadPattern] for a pattern that is none, and
// with [query.ErrNoJob] where no job has such a name.
func ReadGroups(ctx context.Context, db *query.DB, q GroupQuestion) (*Groups, error) {
	runs, err := runsOf(ctx, db, &q)
	if err != nil {
		return nil, err
	}
	if q.By == "step" {
		for i := range runs {
			if err := query.AddSteps(ctx, db, &runs[i]); err != nil {
				return nil, err
			}
		}
	}
	g := group(runs, q)
	first, last := math.Inf(1), 0.0
	for i := range runs {
		first, last = min(first, runs[i].Started), max(last, runs[i].Started)
		if e := runs[i].Ended; e != nil {
			last = max(last, *e)
		}
	}
	if len(runs) > 0 {
		g.Coverage, err = query.HostCoverage(ctx, db, query.Range{Since: first, Until: last, Host: q.Range.Host})
	}
	return g, err
}

// runsOf reads the runs that a question is about.
func runsOf(ctx context.Context, db *query.DB, q *GroupQuestion) (all []query.Run, err error) {
	if _, err := path.Match(q.Jobs, ""); err != nil {
		return nil, fmt.Errorf("jobs %q: %w", q.Jobs, err)
	}
	jobs, err := query.Jobs(ctx, db, query.Range{Host: q.Range.Host})
	if err != nil {
		return nil, err
	}
	var names []string
	for i := range jobs {
		if ok, _ := path.Match(strings.ReplaceAll(q.Jobs, "/", "\x00"), strings.ReplaceAll(jobs[i].JobID, "/", "\x00")); ok { // a * is for any text
			names = append(names, jobs[i].JobID)
		}
	}
	if len(names) == 0 {
		return nil, query.ErrNoJob
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		runs, err := query.Runs(ctx, db, query.JobFilter{Name: name, Host: q.Range.Host})
		if err != nil {
			return nil, err
		}
		for i := range runs {
			if at := runs[i].Started; at >= q.Range.Since && (q.Range.Until == 0 || at < q.Range.Until) {
				all = append(all, runs[i])
			}
		}
	}
	return all, nil
}

// group groups runs that have been read. It reads nothing.
func group(runs []query.Run, q GroupQuestion) *Groups {
	g := &Groups{Jobs: q.Jobs, By: q.By, Groups: []Group{}, Bins: []Bins{}, Coverage: []query.Coverage{}}
	values := map[string][][]float64{} // of each group, by figure
	of := map[string]*Group{}
	add := func(key string, r *query.Run, ended bool, failed bool, seconds *float64, t *query.Totals) {
		if of[key] == nil {
			of[key], values[key] = &Group{Key: key}, make([][]float64, len(groupFigures))
		}
		of[key].count(r, ended, failed)
		for i := range groupFigures {
			if v := groupFigures[i].of(seconds, t); v != nil && ended {
				values[key][i] = append(values[key][i], *v)
			}
		}
	}
	for i := range runs {
		r := &runs[i]
		if q.By != "step" {
			add(keyOf(r, q.By), r, r.Ended != nil, failed(r.ExitCode, r.Signal), between(&r.Started, seenEnd(r)), &r.Totals)
			continue
		}
		for j := range r.Steps {
			s := &r.Steps[j]
			add(strconv.FormatInt(s.Sheet, 10), r, s.Ended != nil, failed(s.ExitCode, s.Signal), between(s.Started, s.Ended), &s.Totals)
		}
	}
	for i, f := range groupFigures {
		g.Bins = append(g.Bins, Bins{Name: f.name, Unit: f.unit, Edges: edges(values, i)})
	}
	for key, one := range of {
		for i := range groupFigures {
			one.Figures = append(one.Figures, distribution(g.Bins[i], values[key][i]))
		}
		g.Groups = append(g.Groups, *one)
	}
	slices.SortFunc(g.Groups, func(a, b Group) int { return natural(a.Key, b.Key) })
	return g
}

func (g *Group) count(r *query.Run, ended, failed bool) {
	g.Runs++
	if failed {
		g.Failed++
	}
	if !ended {
		g.GoOn++
	}
	if r.LowerBound {
		g.LowerBound++
	}
}

var lastNumber = regexp.MustCompile(`[0-9]+([^0-9]*)$`)

// keyOf is the group of a run.
func keyOf(r *query.Run, by string) string {
	switch by {
	case "array":
		return lastNumber.ReplaceAllString(r.JobID, "#$1")
	case "host":
		return cmp.Or(r.Host, "fleet")
	case "outcome":
		return Outcome(r)
	case "day":
		return time.UnixMilli(int64(r.Started * 1000)).Format("2006-01-02")
	}
	return r.JobID
}

// seenEnd is when a run ended; nil when nobody saw it.
func seenEnd(r *query.Run) *float64 {
	if r.Inferred {
		return nil
	}
	return r.Ended
}

func between(from, to *float64) *float64 {
	if from == nil || to == nil {
		return nil
	}
	d := *to - *from
	return &d
}

func failed(code, signal *int64) bool { return signal != nil || code != nil && *code != 0 }

// edges are those of bins of equal width, from the least value of all groups to the largest.
func edges(values map[string][][]float64, figure int) []float64 {
	least, most, n := math.Inf(1), math.Inf(-1), 0
	for _, of := range values {
		for _, v := range of[figure] {
			least, most, n = min(least, v), max(most, v), n+1
		}
	}
	if n == 0 {
		return []float64{}
	}
	bins := mostBins
	if least == most {
		bins = 1
	}
	all := make([]float64, bins+1)
	for i := range all {
		all[i] = least + (most-least)*float64(i)/float64(bins)
	}
	all[bins] = most // not what rounding makes of it
	return all
}

// distribution is how values are spread over bins.
func distribution(b Bins, values []float64) Distribution {
	d := Distribution{Name: b.Name, N: len(values), Counts: make([]int, max(0, len(b.Edges)-1))}
	if d.N == 0 {
		return d
	}
	sorted := slices.Sorted(slices.Values(values))
	median, p95 := (sorted[(d.N-1)/2]+sorted[d.N/2])/2, sorted[int(math.Ceil(0.95*float64(d.N)))-1]
	d.Min, d.Median, d.P95, d.Max = &sorted[0], &median, &p95, &sorted[d.N-1]
	for _, v := range values {
		after := len(b.Edges) - 1
		for i := 1; i < len(b.Edges)-1; i++ {
			if v < b.Edges[i] {
				after = i
				break
			}
		}
		d.Counts[after-1]++
	}
	return d
}

// natural compares texts, and numbers by their value.
func natural(a, b string) int {
	x, errX := strconv.ParseInt(a, 10, 64)
	y, errY := strconv.ParseInt(b, 10, 64)
	if errX == nil && errY == nil {
		return cmp.Compare(x, y)
	}
	return strings.Compare(a, b)
}
