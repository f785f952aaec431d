package query_test

import (
	"fmt"
	"testing"

	"github.com/proctape/proctape/query"
)

const (
	seriesHosts = 20
	seriesDays  = 30
	seriesBegin = 1_700_006_400.0 // a full hour
)

// month makes a month of hours of twenty hosts, the last week of which is there in minutes too, and a few minutes after the last hour.
func month(t testing.TB) *query.DB {
	t.Helper()
	r := newRecording(t)
	for id := 2; id <= seriesHosts; id++ {
		r.insert("hosts", row{"id": id, "name": fmt.Sprintf("host-%02d", id)})
	}
	const rows = `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < %d) INSERT INTO %s SELECT %f + i * %d.0, h.id,
		12, 12, 12 * (h.id * 100), h.id * 200, 12, 12 * 1024 * h.id, 2048 * h.id, 8 << 20, 3, 2, 1 FROM n, hosts h`
	r.exec(fmt.Sprintf(rows, 24*seriesDays, "host_hours", seriesBegin, 3600))
	r.exec(fmt.Sprintf(rows, 7*24*60+10, "host_minutes", seriesBegin+24*3600*(seriesDays-7), 60))
	return r.open()
}

func monthRange() query.Range {
	return query.Range{Since: seriesBegin, Until: seriesBegin + seriesDays*24*3600}
}

// A month is read from hours, and its end from the minutes that no hour has; nothing counts in both.
func TestReadSeries_Month(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	db := month(t)
	r := monthRange()
	r.Until += 600
	s, err := query.ReadSeries(t.Context(), db, r, 800)
	if err != nil {
		t.Fatal(err)
	}
	if s.Of != query.OfHours || s.Cell != 3600 || len(s.Hosts) != seriesHosts {
		t.Fatalf("got cells of %g s of %s, %d hosts", s.Cell, s.Of, len(s.Hosts))
	}
	for i, h := range s.Hosts {
		last := h.Points[len(h.Points)-1]
		if len(h.Points) != 24*seriesDays+1 || h.Points[700].Samples != 12 || last.Samples != 120 || last.Starts != 30 {
			t.Errorf("%s: %d cells, the last has %d samples and %d starts, want %d, 120 and 30", h.Host, len(h.Points), last.Samples, last.Starts, 24*seriesDays+1)
		}
		if id := float64(i + 1); *last.CPU != id/10 || *last.CPUMax != id/5 || *last.Memory != id || *last.MemoryMax != 2*id || *last.MemoryHas != 8192 {
			t.Errorf("%s: got %v", h.Host, last)
		}
	}
	if s.Coverage == nil {
		t.Error("got no coverage")
	}
	r.Host = "host-02"
	if s, err = query.ReadSeries(t.Context(), db, r, 30); err != nil || len(s.Hosts) != 1 || s.Cell != 86400*1 {
		t.Errorf("one host in cells of a day: got %d hosts in cells of %g s, %v", len(s.Hosts), s.Cell, err)
	}
	if s, err = query.ReadSeries(t.Context(), db, query.Range{Since: r.Until - 3600, Until: r.Until, Host: "alpha"}, 100); err != nil || s.Of != query.OfMinutes || len(s.Hosts[0].Points) != 60 {
		t.Errorf("an hour: got %+v, %v", s, err)
	}
	if s, err = query.ReadSeries(t.Context(), db, query.Range{Since: r.Until - 600, Until: r.Until}, 300); err != nil || s.Of != query.OfSamples || len(s.Hosts) != 0 {
		t.Errorf("ten minutes without snapshots: got %+v, %v", s, err)
	}
}

// BenchmarkReadSeries_Month is a picture of a month of twenty hosts, as a page draws it.
func BenchmarkReadSeries_Month(b *testing.B) {
	db := month(b)
	for b.Loop() {
		s, err := query.ReadSeries(b.Context(), db, monthRange(), 800)
		if err != nil || len(s.Hosts) != seriesHosts {
			b.Fatal(len(s.Hosts), err)
		}
	}
}
