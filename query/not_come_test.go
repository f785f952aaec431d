package query_test

import (
	"testing"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema"
)

// What a producer says that it made beyond its numbers is in the balance, and a gap when nothing more has come for a while.
func TestNotCome(t *testing.T) {
	r := newRecording(t)
	const last = 1_700_000_000
	producer := func(instance, kind string, next, stored, missing, produced int) {
		r.insert("producers", row{"host_id": 1, "instance": instance, "kind": kind, "boot_id": "b", "next_seq": next, "stored": stored,
			"missing": missing, "produced": produced, "last_ns": int64(last) * 1e9})
	}
	producer("whole", "snapshot", 11, 8, 2, 13)
	producer("whole", "event.exit", 5, 4, 0, 14)
	producer("short", "snapshot", 11, 10, 0, 13)
	producer("short", "event.exit", 5, 4, 0, 20) // six more than came
	producer("other", "event.exit", 5, 4, 0, 0)  // says nothing of it
	db := r.open()
	hosts, err := query.Hosts(t.Context(), db)
	if err != nil || len(hosts) != 1 {
		t.Fatalf("got %+v, error %v", hosts, err)
	}
	h := hosts[0]
	if h.NotCome != 6 || h.Produced != 38 || h.Produced != h.Stored+h.Quarantined+h.Missing+h.NotCome {
		t.Errorf("the balance: %+v", h)
	}
	for now, want := range map[float64]int{last + 20: 0, last + 40: 1} {
		gaps, err := query.NotCome(t.Context(), db, now, "")
		if err != nil || len(gaps) != want {
			t.Errorf("%v s after the last message: %d gaps, error %v, want %d", now-last, len(gaps), err, want)
		}
		for _, g := range gaps {
			if g.Kind != schema.GapMissing || *g.Count != 6 || *g.From != last || g.Host != "alpha" {
				t.Errorf("got %+v", g)
			}
		}
	}
	if gaps, err := query.NotCome(t.Context(), db, last+40, "beta"); err != nil || len(gaps) > 0 {
		t.Errorf("of another host: %+v, error %v", gaps, err)
	}
}
