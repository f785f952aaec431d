package query_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/proctape/proctape/query"
)

// episode inserts an episode that began at a time; with an end of 0 it goes on.
func (r *recording) episode(id string, started, seen, ended float64, changes row) {
	r.Helper()
	values := row{"episode_id": id, "host_id": 1, "severity": "high", "rule": "leak", "type": "leak", "subject": "host", "started": started, "noticed": started, "peaked": started, "last_seen": seen}
	if ended > 0 {
		values["ended"] = ended
	}
	r.insert("anomalies", values.with(changes))
}

// TestAnomalies_OverlapTheRange: of an episode that goes on little is told, and one ends after it was last seen; both overlap what is later than that.
func TestAnomalies_OverlapTheRange(t *testing.T) {
	r := newRecording(t)
	r.episode("goes-on", 100, 110, 0, nil)
	r.episode("ended-later", 150, 160, 200, nil)
	r.episode("over", 120, 130, 131, nil)
	r.episode("later", 400, 410, 0, nil)
	db := r.open()
	for want, f := range map[string]query.AnomalyFilter{
		"[goes-on ended-later]":            {Range: query.Range{Since: 180, Until: 300}},
		"[goes-on over ended-later]":       {Range: query.Range{Since: 125, Until: 300}},
		"[goes-on]":                        {Range: query.Range{Since: 201, Until: 300}},
		"[over ended-later]":               {Range: query.Range{Since: 120, Until: 300}, Begun: true},
		"[ended-later]":                    {Range: query.Range{Until: 300, Limit: 1, Newest: true}, Begun: true},
		"[]":                               {Range: query.Range{Since: 151, Until: 300}, Begun: true},
		"[goes-on over ended-later later]": {},
	} {
		found, err := query.Anomalies(t.Context(), db, f)
		if err != nil {
			t.Fatal(err)
		}
		ids := []string{}
		for _, a := range found {
			ids = append(ids, a.ID)
		}
		if got := fmt.Sprint(ids); got != want {
			t.Errorf("%+v: got %s, want %s", f, got, want)
		}
		if !slices.IsSortedFunc(found, func(a, b query.Anomaly) int { return int(a.Started - b.Started) }) {
			t.Errorf("%v is not in order", ids)
		}
	}
}
