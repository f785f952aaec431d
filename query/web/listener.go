package web

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
)

// ErrNeedsTLS is returned for a listener that other machines reach and that would show data and tokens to whoever listens in.
var ErrNeedsTLS = errors.New("other machines reach this address: it needs a certificate")

// Listen opens a listener of the network tcp. Without encryption it takes an address of this machine alone, and returns
// [ErrNeedsTLS] for another. The caller closes it, or gives it to [Server.Serve].
func Listen(address string, encrypted bool) (net.Listener, error) {
	addr, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", address, err)
	}
	if !encrypted && !addr.IP.IsLoopback() {
		return nil, fmt.Errorf("listen on %q: %w", address, ErrNeedsTLS)
	}
	l, err := net.ListenTCP("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", address, err)
	}
	return bounded{l}, nil
}

// sendBytes is how much of answers may wait in the kernel for one client to take it: megabytes for each of many that take nothing, if
// nobody says.
const sendBytes = 128 << 10

// bounded is a listener whose connections hold little.
type bounded struct{ *net.TCPListener }

// Accept waits for a connection.
func (l bounded) Accept() (net.Conn, error) {
	conn, err := l.AcceptTCP()
	if err != nil {
		return nil, err
	}
	_ = conn.SetWriteBuffer(sendBytes) // who has gone already takes nothing
	return conn, nil
}

// limitedListener closes at once what comes when there are too many connections, so that nobody uses up the descriptors of the
// recorder.
type limitedListener struct {
	net.Listener
	left int64 // connections that may still be opened; atomic
}

// Accept waits for a connection.
func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if atomic.AddInt64(&l.left, -1) >= 0 {
			return &limitedConn{Conn: conn, release: sync.OnceFunc(func() { atomic.AddInt64(&l.left, 1) })}, nil
		}
		atomic.AddInt64(&l.left, 1)
		_ = conn.Close() // who was refused does not mind how it went
	}
}

// limitedConn gives its place back when it is closed.
type limitedConn struct {
	net.Conn
	release func()
}

// Close closes the connection.
func (c *limitedConn) Close() error {
	c.release()
	return c.Conn.Close()
}
