package query_test

import (
	"reflect"
	"testing"

	"github.com/proctape/proctape/query"
)

// The memory of the first sample of what began within a range is read from its row, and says what that sample says. Of what is older the sample before the range counts.
func TestTop_FirstMemory(t *testing.T) {
	r := newRecording(t)
	for id := range int64(5) {
		at := 10 * float64(id+1)
		r.snapshot(id+1, at, row{"boot_ns": int64(at * 1e9)})
	}
	for process, first := range map[int64]int64{1: 1, 2: 3} {
		r.process(process, 40+process, first, row{"start_ticks": first*1000 - 100, "first_rss_kib": first << 20})
		for id := first; id <= 5; id++ {
			r.sample(id, process, row{"rss_kib": (id*id + first - first*first) << 20, "cpu_ms": 1000 * id})
		}
	}
	db := r.open()
	growth := func(db *query.DB) map[int64]float64 {
		top, err := query.TopOf(t.Context(), db, query.TopQuery{Filter: query.Filter{Range: query.Range{Since: 15, Until: 60}}, By: "process", Sort: "growth"})
		if err != nil {
			t.Fatal(err)
		}
		of := map[int64]float64{}
		for _, line := range top.Rows {
			of[line.Process.PID] = line.Growth / 1024
		}
		return of
	}
	want := map[int64]float64{41: 24, 42: 16}
	if got, older := growth(db), growth(db.AsOlder()); !reflect.DeepEqual(got, want) || !reflect.DeepEqual(older, want) {
		t.Errorf("GiB by pid: got %v, and %v by samples alone, want %v", got, older, want)
	}
	r.exec(`UPDATE processes SET first_rss_kib = first_rss_kib + 1048576`) // a row that says something else is found out, where it is read
	if got, wrong := growth(db), (map[int64]float64{41: 24, 42: 15}); !reflect.DeepEqual(got, wrong) {
		t.Errorf("with other first values: got %v, want %v", got, wrong)
	}
}
