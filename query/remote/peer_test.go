package remote

import (
	"errors"
	"net"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"
)

// Whose a listener is stands in the kernel's table.
func TestListeners(t *testing.T) {
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1D17 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1 1
   1: 00000000:1D17 00000000:0000 0A 00000000:00000000 00:00000000 00000000    77        0 2 1
   2: 0100007F:1D17 0100007F:9000 01 00000000:00000000 00:00000000 00000000    66        0 3 1
   3: 0200007F:1D17 00000000:0000 0A 00000000:00000000 00:00000000 00000000    55        0 4 1
   4: 0100007F:1D18 00000000:0000 0A 00000000:00000000 00:00000000 00000000    44        0 5 1
   5: 00000000000000000000000001000000:1D17 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 33 0 6 1
`
	if got := listeners(table, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 7447}); !slices.Equal(got, []uint32{1000, 77}) {
		t.Errorf("got %v", got)
	}
	if got := listeners(table, &net.TCPAddr{IP: net.IPv6loopback, Port: 7447}); !slices.Equal(got, []uint32{77, 33}) {
		t.Errorf("got %v", got)
	}
}

// Nothing is sent to a program of another user's that listens on the port; ours is the control.
func TestDial_TellsAStrangerNothing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := make(chan int, 2)
	go func() {
		for range 2 {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
			n, _ := conn.Read(make([]byte, 1024))
			_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"))
			conn.Close()
			got <- n
		}
	}()
	c, err := New("http://"+l.Addr().String(), "0123456789abcdef0123456789abcdef", 0)
	if err != nil {
		t.Fatal(err)
	}
	transport := c.http.Transport.(*http.Transport)
	transport.DialContext = (&neighbours{[]uint32{uint32(os.Geteuid()) + 1}}).dial
	if _, err := c.Status(t.Context()); !errors.Is(err, ErrStranger) || <-got != 0 {
		t.Errorf("a stranger: %v", err)
	}
	transport.DialContext = (&neighbours{[]uint32{uint32(os.Geteuid())}}).dial
	if _, err := c.Status(t.Context()); err != nil || <-got == 0 {
		t.Errorf("ours: %v", err)
	}
	c.http.CloseIdleConnections()
}
