package web_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

// Of every combination of names, origins and what a browser says of itself, those are answered that a page of this server, or a program, sends. The
// token is right in all of them.
func TestGuard_OtherSites(t *testing.T) {
	s := newWorld(t, 1).serve(0)
	own := strings.TrimPrefix(s.url, "http://")
	hosts := map[string]bool{own: true, fmt.Sprintf("localhost:%d", s.port()): true, "rebound.example": false, fmt.Sprintf("rebound.example:%d", s.port()): false,
		"127.0.0.1.nip.example": false, "localhost.rebound.example": false, "localhost@rebound.example": false, "[::ffff:7f00:1].example": false}
	answered := 0
	for host, known := range hosts {
		for origin, same := range map[string]bool{"": true, "http://" + host: true, "http://evil.example": false, "null": false, "http://localhost:1": false, "file://": false, "http://" + host + ".evil.example": false} {
			for site, ours := range map[string]bool{"": true, "same-origin": true, "none": true, "cross-site": false, "same-site": false} {
				r := s.request("/api/v1/hosts")
				r.Host = host
				for name, value := range map[string]string{"Origin": origin, "Sec-Fetch-Site": site} {
					if value != "" {
						r.Header.Set(name, value)
					}
				}
				answer, _ := s.do(r)
				want := known && same && ours
				if (answer.StatusCode == http.StatusOK) != want {
					t.Errorf("host %q, origin %q, site %q: got %d", host, origin, site, answer.StatusCode)
				}
				if want {
					answered++
				}
			}
		}
	}
	if answered != 2*2*3 {
		t.Errorf("%d combinations were answered", answered)
	}
	r := s.request("/jobs") // the page itself may be opened by a link of another site
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if answer, _ := s.do(r); answer.StatusCode != http.StatusOK {
		t.Errorf("the page: %d", answer.StatusCode)
	}
}

// slowKinds are what a connection sends that wants to hold a server up.
var slowKinds = []string{
	"",
	"GET /api/v1/hosts HTTP/1.1\r\nHost: loc",
	"POST /api/v1/hosts HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\nx",
	"GET /api/v1/stream?since=0 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + token + "\r\n\r\n", // and takes nothing
}

// Hundreds of connections, a thousand under make soak, that say nothing, half a header or a piece of a body, or take nothing of an answer, hold nobody up: meanwhile requests are
// answered, and what is to be refused is refused. Those that did not ask are closed when the time for a header is over. The control is a server
// that waits for ever.
func TestGuard_SlowConnections(t *testing.T) {
	connections := 300
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	} else if os.Getenv("PROCTAPE_SOAK") != "" {
		connections = 1000
	}
	w := newWorld(t, 1)
	w.put(w.loaded("alpha", "mine", 20)...)
	s := w.serve(0)
	patient := httptest.NewServer(http.NotFoundHandler())
	defer patient.Close()
	control, err := net.Dial("tcp", strings.TrimPrefix(patient.URL, "http://"))
	check(t, err)
	defer control.Close()
	var slow [4][]net.Conn
	for i := range connections {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		check(t, err)
		defer conn.Close()
		_, err = conn.Write([]byte(slowKinds[i%4]))
		check(t, err)
		slow[i%4] = append(slow[i%4], conn)
	}
	for i := range 100 {
		if status, body := s.get("/api/v1/hosts"); status != http.StatusOK {
			t.Fatalf("meanwhile: %d %s", status, body)
		}
		r, want := s.request("/api/v1/hosts"), http.StatusUnauthorized
		switch i % 3 {
		case 0:
			r.Header.Set("Authorization", "Bearer x")
		case 1:
			r.Host, want = "rebound.example", http.StatusMisdirectedRequest
		case 2:
			r.Method, want = http.MethodDelete, http.StatusMethodNotAllowed
		}
		if answer, _ := s.do(r); answer.StatusCode != want {
			t.Fatalf("meanwhile: %d, want %d", answer.StatusCode, want)
		}
	}
	for kind, conns := range slow[:3] {
		for i, conn := range conns {
			check(t, conn.SetReadDeadline(time.Now().Add(5*time.Minute)))
			answer, err := io.ReadAll(conn) // until the server closes it
			if isTimeout(err) || strings.Contains(string(answer), " 200 ") {
				t.Fatalf("connection %d of %q: %q, %v", i, slowKinds[kind], answer, err)
			}
		}
	}
	if !isOpen(t, control) {
		t.Error("a server without limits has closed its connection: the test sees nothing")
	}
}

// isOpen reports whether a connection is still open.
func isOpen(t *testing.T, conn net.Conn) bool {
	check(t, conn.SetReadDeadline(time.Now().Add(10*time.Millisecond)))
	_, err := conn.Read(make([]byte, 1))
	return isTimeout(err)
}

// isTimeout reports whether nothing came in time. A server that closes with something unread resets the connection.
func isTimeout(err error) bool {
	timeout, ok := err.(net.Error)
	return ok && timeout.Timeout()
}
