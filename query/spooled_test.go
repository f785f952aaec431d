package query_test

import (
	"testing"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema"
)

// Numbers that were jumped over wait on the sampler's disk as long as its life goes on and says that the log has not acknowledged them; otherwise
// they are missing.
func TestHosts_WhatWaitsOnDisks(t *testing.T) {
	for name, c := range map[string]struct {
		missing, produced, acked, ended int
		dropped                         string
		waits                           int64
	}{
		"all waits":                    {30, 100, 60, 0, `{}`, 30},
		"some was dropped":             {30, 100, 60, 0, `{"spool full": 25}`, 15},
		"the log had acknowledged all": {30, 100, 100, 0, `{}`, 0},
		"the life has ended":           {30, 100, 60, 5, `{}`, 0},
		"a producer that never says":   {30, 100, 0, 0, `{}`, 0},
	} {
		r := newRecording(t)
		r.insert("producers", row{"host_id": 1, "instance": "a", "kind": "snapshot", "boot_id": "b", "next_seq": 101, "stored": 100 - c.missing,
			"missing": c.missing, "produced": c.produced, "acked": c.acked, "ended_ns": c.ended, "dropped": c.dropped, "last_ns": 1})
		hosts, err := query.Hosts(t.Context(), r.open())
		if err != nil || len(hosts) != 1 {
			t.Fatalf("%s: %v, error %v", name, hosts, err)
		}
		h := hosts[0]
		waits := int64(0)
		if h.Waiting != nil {
			waits = *h.Waiting
		}
		if waits != c.waits || h.Missing != int64(c.missing)-c.waits || h.Produced != h.Stored+h.Missing+waits {
			t.Errorf("%s: got %+v, %d of it waiting; want %d", name, h, waits, c.waits)
		}
		query.Waiting(&h, "a", map[string]int64{string(schema.KindSnapshot): 102})
		if *h.Waiting != c.waits+2 {
			t.Errorf("%s: with what the sampler says: %d wait, want %d", name, *h.Waiting, c.waits+2)
		}
	}
}
