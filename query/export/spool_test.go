package export

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Points of many series that come in turns are read series by series, as they came; what is not later than the last is left out.
func TestSpool(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "spool"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s, all := spooler{file: f}, [3]series{}
	for i := range 1000 {
		for n := range all {
			if i%(n+1) != 0 {
				continue
			}
			for range 2 { // the second is of the same time
				if err := s.add(&all[n], float64(i+1), float64(1000*n+i)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	for n := range all {
		var got, want []point
		for i := 0; i < 1000; i += n + 1 {
			want = append(want, point{float64(i + 1), float64(1000*n + i)})
		}
		if err := s.each(&all[n], func(p point) error { got = append(got, p); return nil }); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("series %d has %d points, want %d: %v", n, len(got), len(want), got)
		}
		if len(all[n].held) >= blockPoints || len(all[n].blocks) != len(want)/blockPoints {
			t.Errorf("series %d holds %d points in memory and %d blocks", n, len(all[n].held), len(all[n].blocks))
		}
	}
}
