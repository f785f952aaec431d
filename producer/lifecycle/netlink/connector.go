package netlink

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

const (
	eventBatch  = 128
	eventBuffer = 256 // bytes; a message has 76
)

// Connector reads the events of the kernel's proc connector. One goroutine uses it.
//
// It listens without an event mask. A mask (Linux 6.6) would keep the few events of other kinds away, but the kernel
// numbers events before it filters them: without a mask, and only then, a gap in a CPU's numbers is exactly what was
// lost. Events of threads are needed to know when a process has ended, so no socket filter drops them either.
type Connector struct {
	socket *socket
	next   map[uint32]uint32 // by CPU: the number its next event should have
	lost   uint32            // found missing and not yet returned
}

// OpenConnector starts to listen, with a receive buffer of so many bytes, 32 MiB when 0. Without
// CAP_NET_ADMIN the buffer is net.core.rmem_max at most, and before Linux 6.6 the error is EPERM. In another network
// namespace than the first it is ECONNREFUSED. In a child pid or user namespace there is no error and there are no
// events: probe. The caller closes it.
func OpenConnector(receiveBuffer int) (*Connector, error) {
	if receiveBuffer == 0 {
		receiveBuffer = defaultBuffer
	}
	s, err := open(unix.NETLINK_CONNECTOR, 1<<(connectorIndex-1), receiveBuffer, eventBatch, eventBuffer)
	if err != nil {
		return nil, fmt.Errorf("open the proc connector: %w", err)
	}
	if err := s.send(connectorRequest(opListen)); err != nil {
		return nil, errors.Join(fmt.Errorf("listen to the proc connector: %w", err), s.close())
	}
	return &Connector{socket: s, next: map[uint32]uint32{}}, nil
}

// Close stops listening.
func (c *Connector) Close() error { return c.socket.close() }

// FD is the descriptor of the socket, for poll(2): it becomes readable when there is something for Read.
func (c *Connector) FD() int { return c.socket.fd }

// Read appends to events what has happened, in the order in which the kernel sent it, from at most limit messages. It
// does not wait. Overrun says that the receive buffer overflowed since the call before: how many events that cost is
// in Lost of the next event of each CPU, except what a CPU sent before its first event was read.
func (c *Connector) Read(events []Event, limit int) (all []Event, overrun bool, err error) {
	overrun, err = c.socket.drain(limit, func(message []byte) {
		if e, ok := c.take(message); ok {
			events = append(events, e)
		}
	})
	if err == nil && overrun {
		err = askAgain()
	}
	if err != nil {
		return events, overrun, fmt.Errorf("read the proc connector: %w", err)
	}
	return events, overrun, nil
}

// askAgain makes the kernel send events again. Some kernels take an event that no socket had room for as a sign that
// nobody listens, and send no more until a socket asks that never asked before (send_msg and cn_proc_mcast_ctl in
// Linux drivers/connector/cn_proc.c; not so 6.18).
func askAgain() error {
	s, err := open(unix.NETLINK_CONNECTOR, 0, 0, 1, eventBuffer)
	if err != nil {
		return err
	}
	return errors.Join(s.send(connectorRequest(opListen)), s.close())
}

// take parses a message and counts what is missing before it. Ok is false when it is no event to return.
func (c *Connector) take(message []byte) (Event, bool) {
	e, err := parseEvent(message)
	if err != nil {
		c.lost++
		return Event{}, false
	}
	if e.Kind == kindAck && e.CPU == noCPU {
		return Event{}, false
	}
	if next, known := c.next[e.CPU]; known {
		c.lost += e.Seq - next
	}
	c.next[e.CPU] = e.Seq + 1
	switch e.Kind {
	case Fork, Exec, Exit:
		e.Lost, c.lost = c.lost, 0
		return e, true
	}
	return Event{}, false
}

// connectorRequest is a message that asks the proc connector to do op: the netlink header, struct cn_msg and the
// operation.
func connectorRequest(op uint32) []byte {
	const size = headerSize + connectorHeader + 4
	b := make([]byte, size)
	native.PutUint32(b, size)
	native.PutUint16(b[4:], unix.NLMSG_DONE)
	body := b[headerSize:]
	native.PutUint32(body, connectorIndex)
	native.PutUint32(body[4:], connectorValue)
	native.PutUint16(body[16:], 4) // length of what follows
	native.PutUint32(body[connectorHeader:], op)
	return b
}
