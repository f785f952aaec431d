package integration_test

import (
	"errors"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sys/unix"

	embeddednats "github.com/proctape/proctape/embedded-nats"
)

// line is a client's connection to a server, which a test cuts, and the client makes anew.
type line struct {
	nc   *nats.Conn
	dial func() (net.Conn, error)
	back chan struct{} // gets one for each time that the client is connected again

	mu   sync.Mutex
	conn net.Conn
}

// local connects as the commands on the server's machine do.
func local(t *testing.T, dir string, key embeddednats.Key) *line {
	t.Helper()
	l := &line{dial: embeddednats.Socket(embeddednats.SocketPath(dir)).InProcessConn}
	l.connect(t, key, "", nats.InProcessServer(l))
	return l
}

// remote connects as a sampler on another machine does.
func remote(t *testing.T, url string, key embeddednats.Key) *line {
	t.Helper()
	l := &line{dial: func() (net.Conn, error) { return net.Dial("tcp", strings.TrimPrefix(url, "nats://")) }}
	l.connect(t, key, url, nats.SetCustomDialer(l))
	return l
}

// connect connects with the settings of the commands, but for the wait.
func (l *line) connect(t *testing.T, key embeddednats.Key, url string, way nats.Option) {
	t.Helper()
	l.back = make(chan struct{}, 1)
	var err error
	l.nc, err = nats.Connect(url, append(key.Options(), way, nats.MaxReconnects(-1), nats.ReconnectBufSize(-1),
		nats.ReconnectWait(time.Millisecond), nats.ReconnectJitter(0, 0),
		nats.ReconnectHandler(func(*nats.Conn) { l.back <- struct{}{} }),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))...)
	if err != nil {
		t.Fatal(err)
	}
}

// InProcessConn makes a connection that can be cut.
func (l *line) InProcessConn() (net.Conn, error) {
	c, err := l.dial()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conn = c
	return c, err
}

// Dial makes one too.
func (l *line) Dial(string, string) (net.Conn, error) { return l.InProcessConn() }

// cut ends the connection as a network does: each side sees its end, and has to let go of its own half.
func (l *line) cut(t *testing.T) {
	t.Helper()
	l.control(t, func(fd int) error { return unix.Shutdown(fd, unix.SHUT_RDWR) })
}

// control calls do with the client's descriptor.
func (l *line) control(t *testing.T, do func(fd int) error) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	raw, err := l.conn.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = do(int(fd)) })
	if err := errors.Join(err, failed); err != nil {
		t.Fatal(err)
	}
}

// awaitBack waits until the client is connected again.
func (l *line) awaitBack(t *testing.T) {
	t.Helper()
	select {
	case <-l.back:
	case <-time.After(patience):
		t.Fatal("a client is not connected again within " + patience.String())
	}
}
