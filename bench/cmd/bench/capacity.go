package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// capacities are the fleets of the capacity table.
var capacities = []fleetOf{
	{hosts: 1, processes: 200, interval: 5 * time.Second},
	{hosts: 1, processes: 200, interval: time.Second},
	{hosts: 1, processes: 1000, interval: 5 * time.Second},
	{hosts: 10, processes: 200, interval: 5 * time.Second},
	{hosts: 100, processes: 200, interval: 5 * time.Second},
	{hosts: 100, processes: 200, interval: time.Second},
	{hosts: 1000, processes: 200, interval: 15 * time.Second},
	{hosts: 1000, processes: 200, interval: 5 * time.Second},
}

// need is what a recorder of a fleet needs.
type need struct {
	cpu, memory   float64 // % of a core, MiB
	log, database float64 // bytes a day
	behind        float64 // s, when the fleet stops
}

// manyHosts fill blocks of the log in a while of some minutes.
const manyHosts = 100

// capacity prints a table of what recorders of the fleets need. CPU time and memory are of a while in real time. Bytes are scaled up to a day: those of few
// hosts from a simulated stretch that is published at once, since a while has too few. Of many hosts the log is that of the while, since
// it depends on how hosts take turns; the database, which does not, is that of a stretch of one host, times the hosts.
func capacity(b *bench, w io.Writer, lasts time.Duration) error {
	fmt.Fprintf(w, "| hosts | processes of each | every | CPU, %% of a core | memory, MiB | log, MB a day | database, MB a day | behind, s |\n|---|---|---|---|---|---|---|---|\n")
	for _, f := range capacities {
		f.duration = lasts
		n, err := needOf(b, f)
		if err != nil {
			return fmt.Errorf("%d hosts: %w", f.hosts, err)
		}
		few := f
		if f.hosts >= manyHosts {
			few.hosts = 1
		}
		few.duration = stretch(few)
		log, database, err := spaceOf(b, few)
		if err != nil {
			return err
		}
		if n.database = database * float64(f.hosts/few.hosts); f.hosts == few.hosts {
			n.log = log
		}
		fmt.Fprintf(w, "| %d | %d | %s | %s | %s | %s | %s | %s |\n", f.hosts, f.processes, f.interval, number(n.cpu), number(n.memory), number(n.log/1e6), number(n.database/1e6), number(n.behind))
		b.sweep()
	}
	fmt.Fprintf(w, "\n%s\n", b.machine.describe())
	return nil
}

// stretch is the time in which a fleet makes two million rows, at most a day.
func stretch(f fleetOf) time.Duration {
	const rows = 2_000_000
	return min(24*time.Hour, time.Duration(rows/(f.hosts*f.processes))*f.interval).Round(time.Minute)
}

// needOf measures a recorder that takes a fleet in real time.
func needOf(b *bench, f fleetOf) (n need, err error) {
	r, err := b.idle()
	if err != nil {
		return n, err
	}
	l, err := r.take(b, f)
	if err != nil {
		return n, err
	}
	n.cpu, n.memory, n.behind = l.cpu, l.memory, l.behind
	n.log, _, err = r.space(b, f.duration)
	return n, err
}

// spaceOf measures what a fleet's messages take that were published as fast as they could be.
func spaceOf(b *bench, f fleetOf) (log, database float64, err error) {
	r, err := b.idle()
	if err != nil {
		return 0, 0, err
	}
	if err := generate(b, r.dir, f); err != nil {
		return 0, 0, err
	}
	want := int64(f.duration/f.interval) * int64(f.hosts)
	if _, _, err := b.settled(r, want, `SELECT count(*) FROM snapshots WHERE host_id IN (SELECT id FROM hosts WHERE name LIKE 'sim-%')`); err != nil {
		return 0, 0, err
	}
	return r.space(b, f.duration)
}

// space ends a recorder, and returns how many bytes a day its log and its database grew by, while it took messages of a duration.
func (r *recorder) space(b *bench, of time.Duration) (log, database float64, err error) {
	out, err := b.run(b.proctape, "status", "--data", r.dir, "--json")
	if err != nil {
		return 0, 0, err
	}
	var status struct {
		Streams []struct {
			Stream string
			Bytes  int64
		}
	}
	if err := json.Unmarshal(out.out, &status); err != nil {
		return 0, 0, err
	}
	if err := r.close(); err != nil {
		return 0, 0, err
	}
	for _, s := range status.Streams {
		size, err := compressed(filepath.Join(r.dir, "jetstream/$G/streams", s.Stream, "msgs"), s.Bytes)
		if err != nil {
			return 0, 0, err
		}
		log += size
	}
	info, err := os.Stat(filepath.Join(r.dir, "monitor.db"))
	if err != nil {
		return 0, 0, err
	}
	days := of.Hours() / 24
	return log / days, float64(info.Size()) / days, nil
}

// compressed is what messages of so many bytes take in closed blocks, by those that are closed. The open one is not compressed yet.
func compressed(dir string, messages int64) (float64, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.blk"))
	if err != nil {
		return 0, err
	}
	var closed, open int64
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return 0, err
		}
		if bytes.HasPrefix(data, []byte("cmp")) {
			closed += int64(len(data))
		} else {
			open += int64(len(data))
		}
	}
	if closed == 0 || open >= messages {
		return float64(messages), nil
	}
	return float64(messages) * float64(closed) / float64(messages-open), nil
}
