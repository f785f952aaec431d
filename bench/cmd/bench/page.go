package main

import (
	"errors"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// twoDays is what the page shows while it is measured: 11.5 million process rows, and a million lives.
var twoDays = fleetOf{hosts: 20, processes: 200, interval: time.Minute, duration: 48 * time.Hour}

// page measures the page in a browser: how soon it shows something, steps of zoom, and how smooth thousands of bars are. Where a bar is a time, the figure is CPU
// time: of the server as the kernel counts it, of scripts as the browser does. What passes on a clock, on a machine that may be busy, stands beside it without a bar.
func page(b *bench) error {
	dir := b.largest + "-page"
	if err := recording(b, dir, twoDays); err != nil {
		return err
	}
	s, err := serve(b, dir)
	if err != nil {
		return err
	}
	if err := s.sizes(b); err != nil {
		return err
	}
	last, err := lastOf(b, dir)
	if err != nil {
		return err
	}
	return errors.Join(s.steps(b, last), inBrowser(b, s, last), s.stop())
}

// lastOf is the time of the newest snapshot of a recording, Unix seconds.
func lastOf(b *bench, dir string) (last float64, err error) {
	db, err := openDatabase(filepath.Join(dir, "monitor.db"))
	if err != nil {
		return 0, err
	}
	defer db.Close()
	return last, db.QueryRowContext(b.ctx, `SELECT max(timestamp) FROM snapshots`).Scan(&last)
}

// sizes adds how large the files of the page are that a browser asks for.
func (s *server) sizes(b *bench) error {
	imported := regexp.MustCompile(`(?:from |href=|src=)"([^"]+\.(?:js|css|svg))"`)
	seen, next, total := map[string]bool{}, []string{"/"}, 0
	for len(next) > 0 {
		path := next[0]
		next = next[1:]
		if seen[path] {
			continue
		}
		seen[path] = true
		body, err := s.get(b, path)
		if err != nil {
			return err
		}
		total += len(body)
		for _, m := range imported.FindAllSubmatch(body, -1) {
			to, err := url.Parse(string(m[1]))
			if err != nil {
				return err
			}
			from := url.URL{Path: path}
			next = append(next, from.ResolveReference(to).Path)
		}
	}
	b.add("the page: its files and scripts", "bytes", atMost(250_000), float64(total))
	return nil
}

// spans are the steps of a zoom, in seconds.
var spans = []float64{172_800, 21_600, 3600, 600}

// steps measures what a step of zoom costs the server: the questions of a time line, on each span. All is asked once before.
func (s *server) steps(b *bench, last float64) error {
	var cpu, clock, one []float64
	for _, round := range []bool{false, true} {
		for _, span := range spans {
			q := "since=" + strconv.FormatFloat(last-span, 'f', 3, 64) + "&until=" + strconv.FormatFloat(last, 'f', 3, 64)
			for _, host := range []string{"", "&host=sim-0001"} {
				before, err := s.cpu()
				if err != nil {
					return err
				}
				began := time.Now()
				for _, question := range []string{"series?most=1000&", "lanes?px=1200&", "gaps?limit=500&", "anomalies?order=newest&limit=200&"} {
					if _, err := s.get(b, "/api/v1/"+question+q+host); err != nil {
						return err
					}
				}
				took := time.Since(began)
				after, err := s.cpu()
				if err != nil {
					return err
				}
				if ms := (after - before).Seconds() * 1000; round && host == "" {
					cpu, clock = append(cpu, ms), append(clock, took.Seconds()*1000)
				} else if round {
					one = append(one, ms)
				}
			}
		}
	}
	b.add("two days of 20 hosts × 200 processes: a step of zoom, all hosts, the server's CPU", "ms", atMost(150), cpu...)
	b.add("… of one host", "ms", atMost(150), one...)
	b.add("… of all hosts, on a clock", "ms", noBar, clock...)
	return nil
}
