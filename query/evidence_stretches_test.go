package query_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/proctape/proctape/query"
)

// told is a snapshot of a host whose sampler changes, stops and comes late now and then.
type told struct {
	id                     int64
	at, period             float64
	instance, capabilities string
	seq                    int64
	partial                bool
}

// tellSnapshots tells the snapshots of a host in the order in which they come.
func tellSnapshots(roll func(int) int) (all []told) {
	now := told{at: 1e6, period: 5, instance: "a", capabilities: `["processes","io"]`}
	for range 400 {
		now.id++
		now.seq++
		now.at += now.period + float64(roll(100))/1000
		switch roll(60) {
		case 0:
			now.at += float64(roll(40)) // late, or nothing for a while
		case 1:
			now.instance, now.seq = fmt.Sprint("life ", now.id), 1
		case 2:
			now.capabilities = []string{`["processes"]`, `["processes","io","events-bpf"]`, `[]`}[roll(3)]
		case 3:
			now.partial = !now.partial
		case 4:
			now.period = float64(1 + roll(9))
		case 5:
			now.seq++ // one did not come
			now.at += now.period
		case 6:
			now.at -= float64(roll(30)) // the clock was set
		}
		all = append(all, now)
		if roll(60) == 0 { // an older one comes late
			late := all[roll(len(all))]
			now.id++
			late.id, late.at, late.seq = now.id, late.at+0.5*float64(roll(3)), 100_000+now.id
			all = append(all, late)
		}
	}
	return all
}

// stretchesOf inserts the snapshots, with what the projector notes of them, and takes one away.
func stretchesOf(r *recording, all []told, goesOn func(i int) bool, gone int) {
	r.Helper()
	for i, s := range all {
		var on any
		if goesOn(i) {
			on = 1
		}
		if i != gone {
			r.snapshot(s.id, s.at, row{"interval_ns": int64(s.period * 1e9), "instance": s.instance, "capabilities": s.capabilities, "seq": s.seq, "partial": s.partial, "goes_on": on})
		}
	}
	last := all[len(all)-1]
	r.insert("rosters", row{"host_id": 1, "last_snapshot": last.id, "wall_ns": int64(last.at * 1e9), "interval_ns": int64(last.period * 1e9)})
}

// noted says of each snapshot whether the projector notes that it goes on from the newest before it.
func noted(all []told) []bool {
	on := make([]bool, len(all))
	newest := told{}
	for i, s := range all {
		if s.seq > 100_000 { // it came late
			continue
		}
		like := s
		like.id, like.at, like.seq = newest.id, newest.at, newest.seq
		on[i] = like == newest && s.seq == newest.seq+1 && s.at > newest.at && s.at-newest.at <= 1.5*s.period
		newest = s
	}
	return on
}

// What the ends of stretches tell of a time is what all snapshots tell: whatever changes, stops or comes late, and where one in the middle is gone.
func TestCoverage_ByStretches(t *testing.T) {
	byEnds := 0
	for seed := range uint64(6) {
		roll := rand.New(rand.NewPCG(seed, 7)).IntN
		all := tellSnapshots(roll)
		if seed == 0 { // nothing happens but once
			all = slices.DeleteFunc(all, func(s told) bool {
				return s.instance != "a" || s.capabilities != all[0].capabilities || s.period != 5 || s.partial
			})
			for i := range all {
				all[i].seq, all[i].at = int64(i+1), 1e6+5*float64(i)+float64(i/100)*40
			}
		}
		on := noted(all)
		gone := -1
		if seed%2 == 1 {
			gone = 200
		}
		r := newRecording(t)
		stretchesOf(r, all, func(i int) bool { return on[i] }, gone)
		var log []asked
		db := r.watch(func(a asked) { log = append(log, a) })
		for range 20 {
			from := 1e6 - 50 + float64(roll(1500))
			span := query.Range{Since: from, Until: from + 400 + float64(roll(2000)), Host: "alpha"}
			log = nil
			got, err := query.FullCoverage(t.Context(), db, span)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(log, func(a asked) bool { return strings.Contains(a.text, "timestamp < ? AND t.host_id = ?") }) {
				byEnds++
			}
			want, err := query.FullCoverage(t.Context(), db.AsOlder(), span)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("story %d, %.0f to %.0f: by stretches\n%+v, by all snapshots\n%+v, %v", seed, span.Since, span.Until, got, want, err)
			}
		}
	}
	if byEnds < 20 {
		t.Errorf("%d of 120 were read by stretches: the others show nothing", byEnds)
	}
}

// A snapshot that is said to go on over a hole, and does not, is one that the comparison finds.
func TestCoverage_ByStretchesControl(t *testing.T) {
	r := newRecording(t)
	all := make([]told, 300)
	for i := range all {
		all[i] = told{int64(i + 1), 1e6 + 5*float64(i), 5, "a", `["processes","io"]`, int64(i + 1), false}
		if i >= 150 {
			all[i].at += 100
		}
	}
	stretchesOf(r, all, func(i int) bool { return i > 0 }, -1)
	db, span := r.open(), query.Range{Since: 1e6, Until: 1e6 + 1600, Host: "alpha"}
	got, err := query.FullCoverage(t.Context(), db, span)
	if err != nil {
		t.Fatal(err)
	}
	want, err := query.FullCoverage(t.Context(), db.AsOlder(), span)
	if err != nil || reflect.DeepEqual(got, want) {
		t.Errorf("a hole of 100 s that was passed over: got %+v both ways, %v", got, err)
	}
}
