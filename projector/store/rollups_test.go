package store

import (
	"testing"

	"github.com/proctape/proctape/schema"
)

// A description that goes with the last rollup that needs it comes back with the next one, also within the hour in
// which it was last written.
func TestTx_DeleteRollupForgetsDescriptions(t *testing.T) {
	p := newTestStore(t)
	minute := func(n int64) Rollup {
		const hour = 1_700_000_000 - 1_700_000_000%3600
		m := &schema.Message{Rollup: &schema.Rollup{Minute: (hour + n*60) * 1e9, Samples: 1,
			Processes: []schema.ProcessRollup{{PID: 5, BootID: "b", Command: "make", Samples: 1, State: "S"}}}}
		return Rollup{ID: n, HostID: 1, Message: m}
	}
	write := func(r Rollup) {
		t.Helper()
		if err := p.Write(func(tx *Tx) error { return tx.WriteBatch(&Batch{Rollups: []Rollup{r}}) }); err != nil {
			t.Fatal(err)
		}
	}
	write(minute(1))
	write(minute(2))
	const described = `SELECT count(*), (SELECT count(*) FROM process_rollups) FROM rollup_processes`
	for i, want := range []string{"1 1", "0 0"} {
		if err := p.Write(func(tx *Tx) error { return tx.DeleteRollup(int64(i + 1)) }); err != nil {
			t.Fatal(err)
		}
		p.wantRows(described, want)
	}
	write(minute(3))
	p.wantRows(described, "1 1")
}
