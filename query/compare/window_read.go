package compare

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/query"
)

// WindowQuestion asks what differs between two stretches of time.
type WindowQuestion struct {
	query.Filter         // the window, with both ends, and which processes; its Limit is how many differences are told, 0 for all
	Before       float64 // when the stretch begins that the window is compared with, Unix seconds; it is as long. 0 for the one right before
	// By is what differences are about, of [WindowBy]; none for all.
	By []string
	// MinRelative is the least change that counts, as a share; 0 is [DefaultMinRelative].
	MinRelative float64
}

const (
	mostSlices  = 12
	leastSlice  = 10.0 // seconds
	leastKnown  = 90.0 // percent of the snapshots of a slice, for it to be compared
	perInterval = 3    // snapshots that a slice has at least
)

// ReadWindows compares two stretches of time. Both are cut into slices of equal length, and each figure is compared by its values in
// them. What is recorded of neither is no error: the differences are none, and coverage says so.
func ReadWindows(ctx context.Context, db *query.DB, q WindowQuestion) (*Windows, error) {
	length := q.Until - q.Since
	if q.MinRelative <= 0 {
		q.MinRelative = DefaultMinRelative
	}
	if q.Before == 0 {
		q.Before = q.Since - length
	}
	if len(q.By) == 0 {
		q.By = WindowBy
	}
	before := q
	before.Since, before.Until = q.Before, q.Before+length
	n, err := slicesOf(ctx, db, q.Range, before.Range)
	if err != nil {
		return nil, err
	}
	w := &Windows{Slices: n, Slice: length / float64(n), MinRelative: q.MinRelative, Alpha: alpha, Differences: []Difference{}, Notes: []string{}}
	var sides [2][]slice
	for i, side := range []*WindowQuestion{&q, &before} {
		of := []*Window{&w.Window, &w.Against}[i]
		of.From, of.To = side.Since, side.Until
		if sides[i], err = readSlices(ctx, db, side, n, of); err != nil {
			return nil, fmt.Errorf("compare windows: %w", err)
		}
		if of.Coverage, err = query.HostCoverage(ctx, db, side.Range); err != nil {
			return nil, err
		}
	}
	w.Differences = windowsOf(sides[0], sides[1], q.MinRelative)
	w.Compared = len(w.Differences)
	if q.Limit > 0 {
		w.Differences = w.Differences[:min(len(w.Differences), q.Limit)]
	}
	w.noteLacks()
	return w, nil
}

// slicesOf is into how many slices the windows are cut: few enough that each has some snapshots.
func slicesOf(ctx context.Context, db *query.DB, windows ...query.Range) (int, error) {
	least := leastSlice
	for _, r := range windows {
		interval, err := query.SnapshotInterval(ctx, db, r)
		if err != nil {
			return 0, err
		}
		least = max(least, perInterval*interval)
	}
	return int(min(max(1, (windows[0].Until-windows[0].Since)/least), mostSlices)), nil
}

// readSlices reads the slices of a window of which enough is known.
func readSlices(ctx context.Context, db *query.DB, q *WindowQuestion, n int, w *Window) (side []slice, err error) {
	length := (q.Until - q.Since) / float64(n)
	places := make([]slice, n)
	for i := range n {
		f := q.Filter
		f.Since, f.Limit = q.Since+float64(i)*length, 0
		f.Until = f.Since + length
		top, err := query.TopOf(ctx, db, query.TopQuery{Filter: f, By: "process", Sort: "cpu"})
		if err != nil {
			return nil, err
		}
		if !known(top.Coverage) {
			w.Left++
			continue
		}
		places[i] = slice{}
		for j := range top.Rows {
			places[i].addProcess(q, &top.Rows[j], length)
		}
	}
	f := q.Filter
	f.Types, f.Limit = []string{"spawn", "exit"}, 0
	for e, err := range query.EventSeq(ctx, db, f) {
		if err != nil {
			return nil, err
		}
		if at := min(int((e.Timestamp-q.Since)/length), n-1); at >= 0 && places[at] != nil {
			places[at].addEvent(q, &e, length)
		}
	}
	return slices.DeleteFunc(places, func(s slice) bool { return s == nil }), nil
}

// known reports whether enough of a slice is known for it to be compared: of all hosts together, so that one of many does not decide.
func known(covers []query.Coverage) bool {
	sum := 0.0
	for i := range covers {
		sum += covers[i].Snapshots
	}
	return len(covers) > 0 && sum/float64(len(covers)) >= leastKnown
}

// about is what processes are counted by.
type about struct {
	host, command string
	uid           *int64
	job           *string
	sheet         *int64
}

// key is what a process counts for in lines of a kind, and whether it counts at all: what is no step counts for no step.
func (a *about) key(by string) (key string, counts bool) {
	switch by {
	case "all":
		return "", true
	case "command":
		return query.Program(a.command), true
	case "user":
		if a.uid != nil {
			key = strconv.FormatInt(*a.uid, 10)
		}
		return key, true
	case "job":
		if a.job != nil {
			key = *a.job
		}
		return key, true
	case "step":
		if a.job == nil || a.sheet == nil {
			return "", false
		}
		return fmt.Sprintf("%s/%d", *a.job, *a.sheet), true
	case "host":
		return a.host, true
	}
	return "", false
}

func (s slice) add(q *WindowQuestion, of *about, figure string, v float64) {
	m := slices.IndexFunc(quantities, func(m quantity) bool { return m.name == figure })
	for _, by := range q.By {
		if key, counts := of.key(by); counts {
			s[cell{by, key, m}] += v
		}
	}
}

// addProcess adds what a process used in a slice.
func (s slice) addProcess(q *WindowQuestion, r *query.TopRow, seconds float64) {
	of := &about{host: r.Host, command: r.Process.Command, uid: r.Process.UID, job: r.Process.JobID, sheet: r.Process.Sheet}
	s.add(q, of, "cpu", r.CPUSeconds/seconds*100)
	s.add(q, of, "memory", r.Memory)
	for figure, v := range map[string]*float64{"read": r.Read, "write": r.Write} {
		if v != nil {
			s.add(q, of, figure, *v/seconds*60)
		}
	}
}

// addEvent counts a start or an end.
func (s slice) addEvent(q *WindowQuestion, e *query.Event, seconds float64) {
	of := &about{host: e.Host, command: e.Command, uid: e.UID, job: e.JobID, sheet: e.Sheet}
	if e.Type == "spawn" {
		s.add(q, of, "starts", 60/seconds)
		return
	}
	s.add(q, of, "ends", 60/seconds)
	if slices.Contains(q.By, "end") {
		s[cell{"end", endOf(e), len(quantities) - 1}] += 60 / seconds
	}
}

// endOf is why a process ended.
func endOf(e *query.Event) string {
	switch {
	case e.Signal != nil:
		return unix.SignalName(unix.Signal(*e.Signal))
	case e.ExitCode != nil:
		return "exit " + strconv.FormatInt(*e.ExitCode, 10)
	}
	return "not known"
}

// noteLacks notes what stands against the verdicts.
func (w *Windows) noteLacks() {
	note := func(format string, args ...any) { w.Notes = append(w.Notes, fmt.Sprintf(format, args...)) }
	if n := w.Slices - max(w.Window.Left, w.Against.Left); n < fewForRank {
		note("a rank test needs %d slices a side, and there are %d: a longer window, or a shorter interval, has more", fewForRank, n)
	}
	for name, of := range map[string]*Window{"the window": &w.Window, "the stretch before": &w.Against} {
		if of.Left > 0 {
			note("%d of %d slices of %s are left out: less than %.0f %% of their snapshots are known", of.Left, w.Slices, name, leastKnown)
		}
	}
	slices.Sort(w.Notes)
}
