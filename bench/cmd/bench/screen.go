package main

import (
	"strings"
	"time"
)

// screenLoad is what the screen of top shows while it is measured: a host with many processes, now.
var screenLoad = fleetOf{hosts: 1, processes: 10_000, interval: 5 * time.Second, duration: 90 * time.Second}

// screen measures top on a terminal, live on a host with 10 000 processes whose snapshots come every 5 s: what it costs at an interval of 2 s, and how
// long a key and a step in time take until the screen has their answer.
func screen(b *bench) error {
	dir, err := b.folder()
	if err != nil {
		return err
	}
	r, err := b.record(dir, "--interval", "1h", "--events", "proc-diff")
	if err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() {
		_, err := b.run(b.proctape, screenLoad.args(dir)...)
		sent <- err
	}()
	time.Sleep(20 * time.Second) // some snapshots to go back to
	s, err := b.onTerminal(b.proctape, "top", "--data", dir, "--host", "sim-0001", "--interval", "2s")
	if err != nil {
		return err
	}
	if err := b.await("the screen", func() (bool, error) { return strings.Contains(s.screen(), "LIVE"), nil }); err != nil {
		return err
	}
	if err := screenCost(b, s); err != nil {
		return err
	}
	if err := screenKeys(b, s); err != nil {
		return err
	}
	if err := s.end(); err != nil {
		return err
	}
	<-sent // it may have been too slow, which the fleet's section judges
	return r.close()
}

// screenCost measures what a live screen costs while nobody touches it.
func screenCost(b *bench, s *terminal) error {
	before, err := s.cpu()
	if err != nil {
		return err
	}
	began := time.Now()
	time.Sleep(20 * time.Second)
	after, err := s.cpu()
	if err != nil {
		return err
	}
	b.add("top, live, 10 000 processes, a frame every 2 s: CPU", "% of a core", atMost(3), 100*(after-before).Seconds()/time.Since(began).Seconds())
	rss, err := s.memory("VmRSS")
	b.add("… in memory", "MiB", atMost(60), rss)
	return err
}

// screenKeys measures keys that sort, and steps in time.
func screenKeys(b *bench, s *terminal) error {
	var keys, steps []float64
	for range b.rounds {
		for key, head := range map[string]string{"M": "RSS▼", "C": "CPU%▼"} {
			took, err := s.press(key, func() bool { return strings.Contains(s.screen(), head) })
			if err != nil {
				return err
			}
			keys = append(keys, took.Seconds()*1000)
			time.Sleep(300 * time.Millisecond)
		}
	}
	for range b.rounds {
		before := s.title()
		took, err := s.press("T", func() bool {
			now := s.title()
			return strings.Contains(now, "PAST") && clockIn(now) != clockIn(before)
		})
		if err != nil {
			return err
		}
		steps = append(steps, took.Seconds()*1000)
		time.Sleep(time.Second)
	}
	b.add("… a key that sorts, until it is on the screen", "ms", atMost(50), keys...)
	b.add("… a step in time, until it is on the screen", "ms", atMost(50), steps...)
	return nil
}

// clockIn is the time of day in a title.
func clockIn(title string) string {
	for _, word := range strings.Fields(title) {
		if len(word) == len(time.TimeOnly) && strings.Count(word, ":") == 2 {
			return word
		}
	}
	return ""
}
