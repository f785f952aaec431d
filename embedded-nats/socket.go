package embeddednats

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/proctape/proctape/schema/filecheck"
)

// socket passes connections from a unix socket to the server, which has no such listener itself. The file's mode, 0600 in a
// folder of mode 0700, says who may connect; in a folder that is shared with a group it is 0660.
type socket struct {
	l      *net.UnixListener
	file   os.FileInfo // of the listener
	server nats.InProcessConnProvider
	wg     sync.WaitGroup

	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool
}

// listen makes the socket and serves it until Close.
func listen(path string, server nats.InProcessConnProvider) (*socket, error) {
	l, file, err := listenAt(path)
	if err != nil {
		return nil, err
	}
	s := &socket{l: l, file: file, server: server, conns: map[net.Conn]struct{}{}}
	s.wg.Go(func() { s.accept(l) })
	return s, nil
}

// listenAt makes a listener, and the file of its socket.
func listenAt(path string) (*net.UnixListener, os.FileInfo, error) {
	// A recorder that was killed leaves its socket. Nobody else can use it while we hold the store's lock.
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, nil, fmt.Errorf("remove the old socket: %w", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	gid, shared := filecheck.Group(filepath.Dir(path))
	err = setGroup(path, gid, shared, 0o660, 0o600)
	file, err2 := os.Lstat(path)
	if err = errors.Join(err, err2); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("listen on %s: %w", path, err), l.Close())
	}
	return l, file, nil
}

func (s *socket) accept(l *net.UnixListener) {
	for {
		c, err := l.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // such as no free descriptor: the next try may work
			time.Sleep(50 * time.Millisecond)
			continue
		}
		s.wg.Go(func() { s.serve(c) })
	}
}

// serve copies both ways until either side ends.
func (s *socket) serve(client net.Conn) {
	defer client.Close()
	inner, err := s.server.InProcessConn()
	if err != nil {
		return // the client sees its connection end and tries again
	}
	defer inner.Close()
	if !s.track(client) {
		return
	}
	defer s.untrack(client)
	var both sync.WaitGroup
	both.Go(func() {
		io.Copy(inner, client)
		inner.Close()
	})
	io.Copy(client, inner)
	client.Close()
	both.Wait()
}

func (s *socket) track(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.conns[c] = struct{}{}
	}
	return !s.closed
}

func (s *socket) untrack(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// isGone reports whether somebody removed the socket's file, or put something else in its place: nobody can connect any more.
func (s *socket) isGone() bool {
	there, err := os.Lstat(s.l.Addr().String())
	return errors.Is(err, os.ErrNotExist) || err == nil && !os.SameFile(there, s.file)
}

// again makes the socket's file again, with another listener. Connections go on.
func (s *socket) again() error {
	l, file, err := listenAt(s.l.Addr().String())
	if err != nil {
		return err
	}
	old := s.l
	old.SetUnlinkOnClose(false)
	s.l, s.file = l, file
	s.wg.Go(func() { s.accept(l) })
	return old.Close()
}

// Close ends the listener and all connections, and waits for them. The socket's file goes with the listener.
func (s *socket) Close() error {
	err := s.l.Close()
	s.mu.Lock()
	s.closed = true
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
	return err
}

// Socket is a recorder's unix socket as a client sees it, for nats.InProcessServer.
type Socket string

// InProcessConn dials the socket.
func (path Socket) InProcessConn() (net.Conn, error) {
	return net.DialTimeout("unix", string(path), 2*time.Second)
}

// notNow is a socket that refuses the first connection at once: who connects to it waits for nothing, and tries again.
type notNow struct {
	to    Socket
	tried atomic.Bool
}

// errNotNow is how the first connection fails.
var errNotNow = errors.New("the recorder did not answer")

// InProcessConn dials the socket, but for the first time.
func (n *notNow) InProcessConn() (net.Conn, error) {
	if !n.tried.Swap(true) {
		return nil, errNotNow
	}
	return n.to.InProcessConn()
}
