package main

import (
	"cmp"
	"context"
	"math"
	"time"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
)

// leastInterval is the shortest time between two frames.
const leastInterval = 100 * time.Millisecond

// checkInterval refuses an interval that no frames can have, and flags that go with no frames.
func (t *topFlags) checkInterval(cmd *cobra.Command, screen bool) error {
	if !cmd.Flags().Changed("interval") {
		if cmd.Flags().Changed("speed") {
			return hinted(misuse("--speed without --interval"), "frames that go on have both: top --json --at 03:10 --interval 2s --speed 10")
		}
		return nil
	}
	for _, name := range []string{"once", "since", "until", "run", "csv"} {
		if cmd.Flags().Changed(name) {
			return hinted(misuse("--interval does not go with --%s", name), "--interval is of a screen or of --json that goes on")
		}
	}
	switch {
	case t.interval < leastInterval:
		return misuse("--interval %s is out of range: want %s at least", t.interval, leastInterval)
	case !screen && !t.json:
		return hinted(misuse("--interval without --json and without a terminal"), "add --json for a line with each frame")
	case cmd.Flags().Changed("speed") && t.at == "":
		return hinted(misuse("--speed without --at"), "what is live has one speed; --at says where the past begins")
	case !(t.speed > 0 && t.speed <= mostSpeed):
		return misuse("--speed %g is out of range: want more than 0 and at most %d", t.speed, mostSpeed)
	}
	return nil
}

// mostSpeed is how much faster than it was the past goes on at most.
const mostSpeed = 3600

// topFrame is who used most at a time, and what rules had found that went on then.
type topFrame struct {
	Time float64 `json:"time"` // that the frame is of, Unix seconds
	*query.Top
	Anomalies []query.Anomaly `json:"anomalies"`
}

// frames prints a frame each interval, one a line, until the command is stopped: of now, or from a time of the past on.
func (t *topFlags) frames(cmd *cobra.Command, db *query.DB, q query.TopQuery, at time.Time) error {
	ctx, enc := cmd.Context(), newJSON(cmd.OutOrStdout())
	tick := time.NewTicker(t.interval)
	defer tick.Stop()
	for n := 0; ; n++ {
		shown := time.Now()
		if !at.IsZero() { // the past goes on until it has come to now
			shown = earlier(at.Add(time.Duration(float64(n)*float64(t.interval)*t.speed)), shown)
		}
		f, err := frameAt(ctx, db, timestamp(shown), q)
		if ctx.Err() != nil {
			return nil
		}
		if err == nil {
			err = enc.Encode(f)
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// frameAt reads the frame of a time.
func frameAt(ctx context.Context, db *query.DB, at float64, q query.TopQuery) (*topFrame, error) {
	answer, err := query.TopAt(ctx, db, at, q)
	if err != nil {
		return nil, err
	}
	f := &topFrame{Time: at, Top: answer, Anomalies: []query.Anomaly{}}
	r := query.Range{Since: at, Until: math.Nextafter(at, math.Inf(1)), Host: q.Host, Limit: cmp.Or(q.Limit, 1000)}
	found, err := query.Anomalies(ctx, db, query.AnomalyFilter{Range: r, Job: q.Job, PID: q.PID})
	for _, a := range found {
		if a.Ended == nil || *a.Ended > at {
			f.Anomalies = append(f.Anomalies, a)
		}
	}
	return f, err
}
