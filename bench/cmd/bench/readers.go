package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// readers measures what readers of the API's stream cost a recorder.
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
