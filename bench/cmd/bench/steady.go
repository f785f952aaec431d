package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// steady measures a recorder with its default settings and many hosts for a while. It writes, for each minute, what the
// recorder needs and how far behind it is. A leak shows as growth.
func steady(b *bench, out string, hosts int, lasts time.Duration) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	dir, err := b.folder()
	if err != nil {
		return err
	}
	r, err := b.record(dir)
	if err != nil {
		return err
	}
	f := fleetOf{hosts: hosts, processes: 200, interval: 5 * time.Second, duration: lasts + time.Minute}
	fleet, err := b.start("", b.proctape, f.args(dir)...)
	if err != nil {
		return err
	}
	points, err := minutes(b, r, lasts)
	if len(points) > 0 {
		if err := writeCSV(b, filepath.Join(out, fmt.Sprintf("steady-%d.csv", hosts)), points); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	if err := fleet.stop(); err != nil {
		return err
	}
	summary(b, points)
	return r.close()
}

// minutes measures a recorder every second. It leaves out the first minute, in which the recorder fills its caches.
func minutes(b *bench, r *recorder, lasts time.Duration) (points []point, err error) {
	began := time.Now()
	used, err := r.cpu()
	if err != nil {
		return nil, err
	}
	for minute := int64(0); time.Since(began) < lasts; minute++ {
		memory, files, behind := figure{name: "memory", unit: "MiB"}, figure{name: "descriptors"}, figure{name: "behind", unit: "s"}
		for end := began.Add(time.Duration(minute+1) * time.Minute); time.Now().Before(end); {
			select {
			case <-b.ctx.Done():
				return points, b.ctx.Err()
			case <-time.After(time.Second):
			}
			for into, look := range map[*figure]func() (float64, error){&memory: func() (float64, error) { return r.memory("VmRSS") }, &files: r.descriptors, &behind: r.behind} {
				v, err := look()
				if err != nil {
					return points, err
				}
				into.values = append(into.values, v)
			}
		}
		now, err := r.cpu()
		if err != nil {
			return points, err
		}
		cpu := figure{name: "recorder", unit: "% of a core", values: []float64{100 * (now - used).Seconds() / 60}}
		used = now
		if minute == 0 {
			continue
		}
		for _, of := range []figure{memory, files, behind, cpu} {
			points = append(points, point{minute, of})
		}
	}
	return points, nil
}

// descriptors returns how many files the program has open.
func (c *child) descriptors() (float64, error) {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", c.pid()))
	return float64(len(entries)), err
}

// behind returns the age in seconds of the newest simulated snapshot in the database. New ones come all the time: 200 hosts
// send one every 25 ms.
func (r *recorder) behind() (float64, error) {
	newest, err := r.number(`SELECT coalesce(max(wall_ns), 0) FROM snapshots WHERE id > (SELECT max(id) FROM snapshots) - 100`)
	return time.Since(time.Unix(0, newest)).Seconds(), err
}

// summary prints for each figure the first minutes, the last ones, and the worst.
func summary(b *bench, points []point) {
	series := map[string][]point{}
	var names []string
	for _, p := range points {
		if series[p.name] == nil {
			names = append(names, p.name)
		}
		series[p.name] = append(series[p.name], p)
	}
	for _, name := range names {
		all := series[name]
		some := min(5, len(all))
		b.add(strings.TrimSpace(name+": first minutes"), all[0].unit, noBar, medians(all[:some])...)
		b.add("… last minutes", all[0].unit, noBar, medians(all[len(all)-some:])...)
		b.add("… all minutes", all[0].unit, noBar, medians(all)...)
	}
}

func medians(points []point) (values []float64) {
	for _, p := range points {
		values = append(values, p.median())
	}
	return values
}
