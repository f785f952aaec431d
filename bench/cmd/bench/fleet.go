package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// fleet has a recorder take what 1000 hosts publish, for a while.
func (b *bench) fleet() error {
	f, err := b.live(fleetOf{hosts: 1000, processes: 200, interval: 5 * time.Second, duration: 45 * time.Second})
	if err != nil {
		return err
	}
	b.add("1000 hosts × 200 processes every 5 s: the database behind at the end", "s", atMost(1), f.lag)
	b.add("… at most", "s", noBar, f.most)
	b.add("… acknowledged, p99", "ms", noBar, f.ack)
	b.add("… the recorder's CPU", "% of a core", noBar, f.cpu)
	b.add("… at most in memory", "MiB", noBar, f.memory)
	b.add("… lost", "messages", atMost(0), f.lost)
	return nil
}

// lived is what a fleet that publishes as it comes due did to a recorder.
type lived struct{ lag, most, ack, cpu, memory, lost float64 }

// simulated is what simulate --json prints.
type simulated struct {
	Elapsed        int64  `json:"elapsed_ns"`
	Messages       uint64 `json:"messages"`
	AckP99         int64  `json:"ack_p99_ns"`
	Dropped        uint64 `json:"dropped"`
	Unacknowledged uint64 `json:"unacknowledged"`
	LagKnown       bool   `json:"lag_known"`
	LagMax         uint64 `json:"lag_max"`
	Lag            []struct {
		Messages uint64 `json:"messages"`
	} `json:"lag"`
}

func (b *bench) live(f fleetOf) (lived, error) {
	dir, err := b.folder()
	if err != nil {
		return lived{}, err
	}
	r, err := b.record(dir, "--interval", "1h", "--events", "proc-diff")
	if err != nil {
		return lived{}, err
	}
	before, err := r.cpu()
	if err != nil {
		return lived{}, err
	}
	out, late := b.run(b.proctape, f.args(dir)...) // which fails when the log was too slow, and says how much
	var s []simulated
	if err := json.Unmarshal(out.out, &s); err != nil {
		return lived{}, errors.Join(late, err)
	}
	spent, err := r.cpu()
	if err != nil {
		return lived{}, err
	}
	memory, err := r.memory("VmHWM")
	if err != nil {
		return lived{}, err
	}
	if err := r.close(); err != nil {
		return lived{}, err
	}
	if len(s) != 1 || !s[0].LagKnown || len(s[0].Lag) == 0 {
		return lived{}, fmt.Errorf("simulate does not say how far the database is: %s", out.out)
	}
	return s[0].lived(spent-before, out.took, memory), nil
}

func (s *simulated) lived(spent, took time.Duration, memory float64) lived {
	perSecond := float64(s.Messages) / (float64(s.Elapsed) / 1e9)
	l := lived{most: float64(s.LagMax) / perSecond, ack: float64(s.AckP99) / 1e6, cpu: 100 * spent.Seconds() / took.Seconds(),
		memory: memory, lost: float64(s.Dropped + s.Unacknowledged)}
	for _, lag := range s.Lag {
		l.lag = max(l.lag, float64(lag.Messages)/perSecond)
	}
	return l
}
