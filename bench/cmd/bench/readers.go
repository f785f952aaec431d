package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// readers measures what readers of the API cost a recorder, and what connections that do nothing cost its answers.
func readers(b *bench) error {
	dir, err := b.folder()
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") // a port that is free
	if err != nil {
		return err
	}
	if err := l.Close(); err != nil {
		return err
	}
	r, err := b.record(dir, "--interval", "1h", "--events", "proc-diff", "--http", l.Addr().String())
	if err != nil {
		return err
	}
	token, err := os.ReadFile(filepath.Join(r.dir, "creds", "http.token"))
	a := api{l.Addr().String(), strings.TrimSpace(string(token))}
	if err != nil {
		return err
	}
	var alone, among []float64
	for range b.rounds {
		one, err := ingested(b, r)
		if err != nil {
			return err
		}
		leave, err := a.follow(100)
		if err != nil {
			return err
		}
		with, err := ingested(b, r)
		leave()
		if err != nil {
			return err
		}
		alone, among = append(alone, one), append(among, with/one)
	}
	b.add("200 hosts × 200 processes every 5 s for 15 s: in the database when the last is sent", "snapshots", noBar, alone...)
	b.add("… with 100 readers of the stream, half of whom take nothing: share of that", "", atLeast(0.98), among...)
	if err := answers(b, a); err != nil {
		return err
	}
	return r.close()
}

// ingested is how many snapshots of a fleet are in the database when the last of them was acknowledged.
func ingested(b *bench, r *recorder) (float64, error) {
	const count = `SELECT count(*) FROM snapshots`
	before, err := r.number(count)
	if err != nil {
		return 0, err
	}
	f := fleetOf{hosts: 200, processes: 200, interval: 5 * time.Second, duration: 15 * time.Second}
	if _, err := b.run(b.proctape, f.args(r.dir)...); err != nil {
		return 0, err
	}
	n, err := r.number(count)
	if err != nil {
		return 0, err
	}
	_, _, err = b.settled(r, before+int64(f.hosts)*3, count)
	return float64(n - before), err
}

// api is where a recorder answers.
type api struct{ address, token string }

// open asks for a path on a connection of its own, and reads nothing of the answer.
func (a api) open(path string) (net.Conn, error) {
	conn, err := net.Dial("tcp", a.address)
	if err == nil {
		_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n", path, a.token)
	}
	return conn, err
}

// follow has n readers follow the stream: half of them take nothing of anything, the others all events or the snapshots of a host. leave ends them.
func (a api) follow(n int) (leave func(), err error) {
	var conns []net.Conn
	leave = func() {
		for _, conn := range conns {
			_ = conn.Close() // what it has is not wanted
		}
	}
	for i := range n {
		path := "/api/v1/stream"
		switch i % 4 {
		case 1:
			path += "?kinds=event"
		case 3:
			path += fmt.Sprintf("?kinds=snapshot&host=sim-%04d", i)
		}
		conn, err := a.open(path)
		if err != nil {
			leave()
			return nil, err
		}
		conns = append(conns, conn)
		if i%2 == 1 {
			go func() { _, _ = bufio.NewReader(conn).WriteTo(nowhere{}) }() // until it is closed
		}
	}
	return leave, nil
}

// nowhere takes everything.
type nowhere struct{}

// Write drops what it gets.
func (nowhere) Write(b []byte) (int, error) { return len(b), nil }

// answers measures how long requests take while a thousand connections say half a request, or take nothing of an answer.
func answers(b *bench, a api) error {
	for _, slow := range []int{0, 1000} {
		var conns []net.Conn
		for i := range slow {
			conn, err := net.Dial("tcp", a.address)
			if err != nil {
				return err
			}
			conns = append(conns, conn)
			text := []string{"", "GET /api/v1/hosts HTTP/1.1\r\nHost: loc", "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n\r\nx"}[i%3]
			if i%4 == 0 {
				text = fmt.Sprintf("GET /api/v1/stream?since=-10s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n", a.token)
			}
			if _, err := conn.Write([]byte(text)); err != nil {
				return err
			}
		}
		const path = "/api/v1/processes?host=sim-0001"
		_, err := a.ask(path, 200) // until they have what they take
		took, askErr := a.ask(path, 300)
		err = errors.Join(err, askErr)
		for _, conn := range conns {
			_ = conn.Close() // what it has is not wanted
		}
		if err != nil {
			return err
		}
		name := "a request for the processes of a host: p99"
		if slow > 0 {
			name = "… while 1000 connections send nothing, half a request, or take nothing: p99"
		}
		b.add(name, "ms", atMost(100), took[len(took)*99/100])
	}
	return nil
}

// ask asks n times, one after another, and returns how long that took in milliseconds, sorted.
func (a api) ask(path string, n int) (took []float64, err error) {
	r, err := http.NewRequest(http.MethodGet, "http://"+a.address+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+a.token)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for range n {
		began := time.Now()
		answer, err := client.Do(r)
		if err != nil {
			return nil, err
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("%s: %s", path, answer.Status)
		}
		took = append(took, float64(time.Since(began).Microseconds())/1000)
	}
	slices.Sort(took)
	return took, nil
}
