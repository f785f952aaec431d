package query_test

import (
	"reflect"
	"testing"

	"github.com/proctape/proctape/query"
)

// The extremes of a process are those of all that is listed of it: over several descriptions, on one host, in a part of the time.
func TestExtremesOf(t *testing.T) {
	r := newRecording(t)
	r.insert("hosts", row{"id": 2, "name": "beta"})
	r.process(1, 42, 1, row{"command": "sh", "last_snapshot": 3})
	r.process(2, 42, 4, row{"command": "cc"})
	r.process(3, 42, 1, row{"host_id": 2, "boot_id": "boot-b"})
	sizes := []int64{500, 900, 700, 300, 900, 800}
	for i, size := range sizes {
		id := int64(i + 1)
		r.snapshot(id, 10*float64(id), nil)
		r.sample(id, map[bool]int64{true: 1, false: 2}[id <= 3], row{"rss_kib": size})
	}
	r.snapshot(7, 25, row{"host_id": 2})
	r.sample(7, 3, row{"rss_kib": 9000})
	r.snapshot(8, 70, nil)
	r.sample(8, 2, row{"rss_kib": nil}) // not known
	wantExtremes(t, r.open(), "nothing is noted")
	r.exec(`UPDATE snapshots SET goes_on = 1 WHERE id IN (2, 3, 5, 6)`)
	r.exec(`UPDATE processes SET (peak_snapshot, peak_rss_kib) = (SELECT id >> 22, rss_kib FROM samples WHERE process_id = processes.id ORDER BY rss_kib DESC, id LIMIT 1)`)
	wantExtremes(t, r.open(), "peaks are noted")
	r.snapshot(9, 35, nil) // it came late, when the process had another description; nothing of it is known
	wantExtremes(t, r.open(), "a late snapshot")
}

// wantExtremes compares extremes with what is listed.
func wantExtremes(t *testing.T, db *query.DB, when string) {
	t.Helper()
	for _, c := range []struct {
		name string
		of   query.Identity
		r    query.Range
	}{
		{"all hosts", query.Identity{PID: 42}, query.Range{}},
		{"a host", query.Identity{PID: 42, Host: "alpha"}, query.Range{}},
		{"a time", query.Identity{PID: 42}, query.Range{Host: "alpha", Since: 25, Until: 45}},
		{"a time that ends at once", query.Identity{PID: 42, Host: "alpha"}, query.Range{Since: 60, Until: 60.001}},
		{"nothing", query.Identity{PID: 43}, query.Range{}},
		{"no time of it", query.Identity{PID: 42}, query.Range{Since: 1000}},
	} {
		var want query.Extremes
		for p, err := range query.HistorySeq(t.Context(), db, c.of, c.r) {
			if err != nil {
				t.Fatal(when, c.name, err)
			}
			want.Count++
			want.Last = &p
			if want.First == nil {
				want.First = &p
			}
			if want.Largest == nil || p.RSS > want.Largest.RSS {
				want.Largest = &p
			}
		}
		got, err := query.ExtremesOf(t.Context(), db, c.of, c.r)
		if err != nil || !reflect.DeepEqual(*got, want) {
			t.Errorf("%s, %s: got %+v, %v, want %+v", when, c.name, got, err, want)
		}
	}
}
