package bpf

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/producer/procfs"
)

// What a process sends and receives over IP is counted, by TCP and UDP, by all of its threads. The controls are what is not the network, or no byte more: a
// socket of the machine's own, a look at what was not taken yet, a send that fails, and another process.
func TestTable_Network(t *testing.T) {
	table := openTable(t)
	if table.programs.network == nil {
		t.Skip("SKIPPED: this kernel does not tell what is sent")
	}
	const bytes = 3 << 20
	peer := listen(t, bytes)
	var pids []int
	for _, role := range []string{"sends " + peer, "unix", "peeks " + peer} {
		pids = append(pids, startRole(t, "talks "+role))
	}
	scan, err := table.Processes(nil, procfs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := byPID(scan.Processes)
	for i, want := range []procfs.NetworkValues{{SentBytes: bytes + 100, ReceivedBytes: bytes}, {}, {ReceivedBytes: bytes}} {
		if p := got[pids[i]]; !p.NetworkKnown || p.NetworkValues != want {
			t.Errorf("of process %d: got %+v, known %t, want %+v", i, p.NetworkValues, p.NetworkKnown, want)
		}
	}
}

// listen accepts connections until the test ends, and sends so many bytes to each and takes as many as come.
func listen(t *testing.T, send int) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				_, _ = conn.Write(make([]byte, send)) // who hangs up is seen by what it counted
				_, _ = io.Copy(io.Discard, conn)
				_ = conn.Close()
			})
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	return l.Addr().String()
}

// talk does what a role says.
func talk(role string) error {
	how, address, _ := strings.Cut(role, " ")
	if how == "unix" {
		return talkOnMachine()
	}
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	received := make(chan error)
	const size = 3 << 20
	go func() {
		if how == "peeks" {
			if err := peek(conn.(*net.TCPConn)); err != nil {
				received <- err
				return
			}
		}
		_, err := io.ReadFull(conn, make([]byte, size))
		received <- err
	}()
	if how == "sends" {
		_, err = io.Copy(conn, bytes.NewReader(make([]byte, size)))
		err = errors.Join(err, sendPacket())
	}
	return errors.Join(err, <-received, conn.Close())
}

// sendPacket sends a packet of a hundred bytes, and one that is too large.
func sendPacket() error {
	conn, err := net.Dial("udp", "127.0.0.1:9")
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write(make([]byte, 1<<17)); !errors.Is(err, unix.EMSGSIZE) {
		return errors.Join(errors.New("a packet of 128 KiB is not refused"), err)
	}
	_, err = conn.Write(make([]byte, 100))
	return err
}

// peek looks at what came, and leaves it.
func peek(conn *net.TCPConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var n int
	readErr := raw.Read(func(fd uintptr) bool {
		n, _, err = unix.Recvfrom(int(fd), make([]byte, 1000), unix.MSG_PEEK)
		return !errors.Is(err, unix.EAGAIN)
	})
	if err == nil && n == 0 {
		err = errors.New("nothing came")
	}
	return errors.Join(readErr, err)
}

// talkOnMachine sends through a socket of the machine's own.
func talkOnMachine() error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		_, err = unix.Write(pair[0], make([]byte, 1000))
	}
	if err == nil {
		_, err = unix.Read(pair[1], make([]byte, 1000))
	}
	return err
}
