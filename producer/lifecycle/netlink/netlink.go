// Package netlink reads the kernel's own messages about the life of processes: fork, exec and exit events of the proc
// connector, and the exit records of taskstats.
//
// Once open, neither reader waits for the kernel: both are polled, and what happened since the call before lies in the
// socket's receive buffer. When that overflows the kernel drops messages; each reader says so.
package netlink

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// defaultBuffer is the receive buffer asked for, in bytes. It holds some 60 000 events of the connector, three seconds
// of what two busy cores fork.
const defaultBuffer = 32 << 20

// Sizes of the headers in front of a message's payload, man netlink(7).
const (
	headerSize = unix.SizeofNlMsghdr
	attrHeader = unix.SizeofNlAttr
)

// native is the byte order of netlink headers and of all they carry here.
var native = binary.NativeEndian

// mmsghdr is struct mmsghdr, man recvmmsg(2).
type mmsghdr struct {
	header unix.Msghdr
	length uint32
}

// A socket is a netlink socket that is read many messages at a call, without waiting.
type socket struct {
	fd       int
	messages []mmsghdr
	vectors  []unix.Iovec
	senders  []unix.RawSockaddrNetlink
	buffers  [][]byte
}

// open opens a socket that listens to groups, a bit mask, with a receive buffer of so many bytes or as many as are
// allowed. A call of receive takes up to batch messages, none longer than size. The caller closes it.
func open(protocol int, groups uint32, receiveBuffer, batch, size int) (*socket, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	if err := growBuffer(fd, receiveBuffer); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		return nil, errors.Join(os.NewSyscallError("bind", err), unix.Close(fd))
	}
	s := &socket{
		fd: fd, messages: make([]mmsghdr, batch), vectors: make([]unix.Iovec, batch),
		senders: make([]unix.RawSockaddrNetlink, batch), buffers: make([][]byte, batch),
	}
	memory := make([]byte, batch*size)
	for i := range s.messages {
		s.buffers[i] = memory[i*size : (i+1)*size : (i+1)*size]
		s.vectors[i].Base = &s.buffers[i][0]
		s.vectors[i].SetLen(size)
		header := &s.messages[i].header
		header.Name = (*byte)(unsafe.Pointer(&s.senders[i]))
		header.Iov = &s.vectors[i]
		header.SetIovlen(1)
	}
	return s, nil
}

// growBuffer sets the receive buffer: past net.core.rmem_max with CAP_NET_ADMIN, else up to it, man socket(7).
func growBuffer(fd, size int) error {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, size) == nil {
		return nil
	}
	return os.NewSyscallError("setsockopt SO_RCVBUF", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, size))
}

func (s *socket) close() error { return os.NewSyscallError("close", unix.Close(s.fd)) }

// send sends one message to the kernel.
func (s *socket) send(message []byte) error {
	return os.NewSyscallError("sendto", unix.Sendto(s.fd, message, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}))
}

// receive passes a batch of waiting messages to visit, one at a time; a message is valid during the call, and nil when
// it was longer than the buffer. It returns how many it took out of the socket, 0 when none waits. The error is
// ENOBUFS when the kernel had to drop messages; those that it kept can still be received.
func (s *socket) receive(visit func(message []byte)) (int, error) {
	for i := range s.messages {
		s.messages[i].header.Namelen = unix.SizeofSockaddrNetlink
	}
	n, err := s.receiveBatch()
	if err != nil {
		return 0, err
	}
	for i := range n {
		m := &s.messages[i]
		switch {
		case s.senders[i].Pid != 0 || s.senders[i].Family != unix.AF_NETLINK: // not the kernel's
		case m.header.Flags&unix.MSG_TRUNC != 0:
			visit(nil)
		default:
			visit(s.buffers[i][:m.length])
		}
	}
	return n, nil
}

func (s *socket) receiveBatch() (int, error) {
	for {
		n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&s.messages[0])),
			uintptr(len(s.messages)), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		case unix.EAGAIN:
			return 0, nil
		case unix.ENOBUFS:
			return 0, errno
		default:
			return 0, os.NewSyscallError("recvmmsg", errno)
		}
	}
}

// drain receives until nothing waits or limit messages were taken. Overrun says that the kernel dropped messages.
func (s *socket) drain(limit int, visit func(message []byte)) (overrun bool, err error) {
	for taken := 0; taken < limit; {
		n, err := s.receive(visit)
		switch {
		case errors.Is(err, unix.ENOBUFS):
			overrun = true
		case err != nil:
			return overrun, err
		case n == 0:
			return overrun, nil
		}
		taken += n
	}
	return overrun, nil
}

// payload is what follows the header of the netlink message b, and the message's type. It checks that the length which
// the header claims is there.
func payload(b []byte) (kind uint16, data []byte, err error) {
	if len(b) < headerSize {
		return 0, nil, fmt.Errorf("netlink message of %d bytes has no header", len(b))
	}
	length := native.Uint32(b)
	if length < headerSize || uint64(length) > uint64(len(b)) {
		return 0, nil, fmt.Errorf("netlink message of %d bytes claims %d", len(b), length)
	}
	return native.Uint16(b[4:]), b[headerSize:length], nil
}
