package main

import (
	"encoding/json"
	"errors"
	"time"
)

// fleet measures a recorder that takes the messages of 1000 hosts for a while.
func fleet(b *bench) error {
	f, err := live(b, fleetOf{hosts: 1000, processes: 200, interval: 5 * time.Second, duration: 45 * time.Second})
	if err != nil {
		return err
	}
	b.add("1000 hosts × 200 processes every 5 s: when the last is sent, the database is behind", "s", atMost(1), f.behind)
	b.add("… at most behind, seen once a second", "messages", noBar, f.most)
	b.add("… acknowledged, p99", "ms", noBar, f.ack)
	b.add("… the recorder's CPU", "% of a core", noBar, f.cpu)
	b.add("… at most in memory", "MiB", noBar, f.memory)
	b.add("… snapshots that are not in the database", "", atMost(0), f.missing)
	return nil
}

// lived is the cost of a fleet that publishes in real time, for its recorder.
type lived struct{ behind, most, ack, cpu, memory, missing float64 }

// simulated is what simulate --json prints.
type simulated struct {
	Snapshots int64 `json:"snapshots"`
	AckP99    int64 `json:"ack_p99_ns"`
	LagMax    int64 `json:"lag_max"`
}

// live measures a recorder that takes the messages of a fleet. Behind is the time from the fleet's last acknowledgement
// to its last snapshot in the database.
func live(b *bench, f fleetOf) (l lived, err error) {
	r, err := b.idle()
	if err != nil {
		return l, err
	}
	if l, err = r.take(b, f); err != nil {
		return l, err
	}
	return l, r.close()
}

// idle starts a recorder that hardly samples this machine.
func (b *bench) idle() (*recorder, error) {
	dir, err := b.folder()
	if err != nil {
		return nil, err
	}
	return b.record(dir, "--interval", "1h", "--events", "proc-diff")
}

// take has a fleet publish to the recorder, and measures the recorder.
func (r *recorder) take(b *bench, f fleetOf) (l lived, err error) {
	before, err := r.cpu()
	if err != nil {
		return l, err
	}
	out, late := b.run(b.proctape, append(f.args(r.dir), "--json")...) // it fails when the log was too slow, and prints by how much
	ended := time.Now()
	spent, err := r.cpu()
	if err != nil {
		return l, err
	}
	var made simulated
	if err := json.Unmarshal(out.out, &made); err != nil {
		return l, errors.Join(late, err)
	}
	stored, at, err := b.settled(r, made.Snapshots, `SELECT count(*) FROM snapshots WHERE host_id IN (SELECT id FROM hosts WHERE name LIKE 'sim-%')`)
	if err != nil {
		return l, err
	}
	if l.memory, err = r.memory("VmHWM"); err != nil {
		return l, err
	}
	l.behind, l.missing = max(0, at.Sub(ended).Seconds()), float64(made.Snapshots-stored)
	l.ack, l.most = float64(made.AckP99)/1e6, float64(made.LagMax)
	l.cpu = 100 * (spent - before).Seconds() / out.took.Seconds()
	return l, nil
}
