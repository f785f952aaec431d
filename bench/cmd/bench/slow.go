package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// slowConnections is how many connections hold on to the server.
const slowConnections = 1000

// anHour is what the server is asked about meanwhile.
var anHour = fleetOf{hosts: 2, processes: 200, interval: 10 * time.Second, duration: time.Hour}

// slow measures normal requests while a thousand connections send a byte now and then, or take nothing, and others send what is refused. Before and behind each
// such round, the same is measured with nobody else, so that what the machine does beside it is in both.
func slow(b *bench) error {
	dir, err := b.folder()
	if err != nil {
		return err
	}
	if err := generate(b, dir, anHour); err != nil {
		return err
	}
	if _, err := b.run(b.proctape, "replay", "--data", dir, "--db", filepath.Join(dir, "monitor.db")); err != nil {
		return err
	}
	s, err := serve(b, dir)
	if err != nil {
		return err
	}
	var alone, meanwhile, cost []float64
	for range b.rounds {
		before, err := s.latencies(b)
		if err != nil {
			return err
		}
		others, err := s.hold(b)
		if err != nil {
			return err
		}
		held, e := s.latencies(b)
		cpu, err := s.idleCPU(b)
		if err = errors.Join(e, err, others()); err != nil {
			return err
		}
		alone, meanwhile, cost = append(alone, before...), append(meanwhile, held...), append(cost, cpu)
	}
	b.add("normal requests, the 99th of a hundred, alone", "ms", noBar, percentile(alone, 99))
	b.add("… while 1 000 connections are slow and others are refused", "ms", atMost(100), percentile(meanwhile, 99))
	b.add("… as much as alone", "×", noBar, percentile(meanwhile, 99)/percentile(alone, 99))
	b.add("… the median, as much as alone", "×", noBar, percentile(meanwhile, 50)/percentile(alone, 50))
	b.add("… the server's CPU for the slow and the refused ones", "% of a core", noBar, cost...)
	return s.stop()
}

// percentile is the value that so many of a hundred are not above.
func percentile(values []float64, of int) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(len(sorted)-1, len(sorted)*of/100)]
}

// normalRequests are how many normal requests are timed at once.
const normalRequests = 300

// latencies are how long normal requests take, one after another, in milliseconds.
func (s *server) latencies(b *bench) (all []float64, err error) {
	paths := []string{"/api/v1/hosts", "/api/v1/events?limit=100", "/api/v1/processes?host=sim-0001", "/api/v1/gaps", "/"}
	for i := range normalRequests {
		began := time.Now()
		if _, err := s.get(b, paths[i%len(paths)]); err != nil {
			return nil, err
		}
		all = append(all, milliseconds(time.Since(began)))
	}
	return all, nil
}

// idleCPU is how much of a core the server takes while no normal request comes, in percent.
func (s *server) idleCPU(b *bench) (float64, error) {
	before, err := s.cpu()
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := pause(b.ctx, 3*time.Second); err != nil {
		return 0, err
	}
	after, err := s.cpu()
	return 100 * (after - before).Seconds() / time.Since(began).Seconds(), err
}

// pause waits, unless the bench is stopped.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// hold opens the slow connections, and sends what is to be refused, until stop is called.
func (s *server) hold(b *bench) (stop func() error, err error) {
	ctx, cancel := context.WithCancel(b.ctx)
	var group sync.WaitGroup
	address := strings.TrimPrefix(s.url, "http://")
	texts := []string{strings.Repeat(" ", 1<<20), "GET /api/v1/hosts HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + strings.Repeat("a", 1<<16),
		"GET /api/v1/snapshots?limit=100 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + s.token + "\r\n\r\n"}
	for i := range slowConnections {
		text, whole := texts[i%2], i < 20
		if whole { // it asks, and takes nothing of a large answer
			text = texts[2]
		}
		group.Go(func() {
			for ctx.Err() == nil {
				slowly(ctx, address, text, whole)
			}
		})
	}
	for _, refused := range []func(*http.Request){
		func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") },
		func(r *http.Request) { r.Host = "rebound.example" },
		func(r *http.Request) { r.Method = http.MethodDelete },
		func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") },
	} {
		group.Go(func() { s.insist(ctx, refused) })
	}
	return func() error {
		cancel()
		group.Wait()
		return nil
	}, pause(b.ctx, 2*time.Second)
}

// slowly sends a text a byte at a time, or all of it, and reads nothing, until the server closes the connection.
func slowly(ctx context.Context, address, text string, whole bool) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		<-time.After(100 * time.Millisecond) // so many are open that it was refused
		return
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if whole {
		_, err = io.WriteString(conn, text)
		for err == nil && ctx.Err() == nil {
			time.Sleep(time.Second)
			_, err = conn.Write(nil)
		}
		return
	}
	for i := 0; err == nil && i < len(text); i++ {
		_, err = io.WriteString(conn, text[i:i+1])
		time.Sleep(500 * time.Millisecond)
	}
}

// insist sends requests that are refused, fifty a second.
func (s *server) insist(ctx context.Context, spoil func(*http.Request)) {
	for ctx.Err() == nil {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/api/v1/hosts", nil)
		if err != nil {
			return
		}
		r.Header.Set("Authorization", "Bearer "+s.token)
		spoil(r)
		if answer, err := http.DefaultClient.Do(r); err == nil {
			_ = answer.Body.Close()
		}
		time.Sleep(20 * time.Millisecond)
	}
}
