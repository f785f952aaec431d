package netlink

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

const genericHeader = unix.GENL_HDRLEN // struct genlmsghdr: command, version, two unused bytes

// errShort says that an attribute, or what should be a list of them, is cut short.
var errShort = errors.New("netlink attribute is cut short")

// resolveFamily asks the kernel for the number of a generic netlink family, Linux
// Documentation/userspace-api/netlink/intro.rst. It is ENOENT when there is none of that name.
func (s *socket) resolveFamily(name string) (uint16, error) {
	const version = 1
	reply, err := s.request(unix.GENL_ID_CTRL, unix.CTRL_CMD_GETFAMILY, version,
		unix.CTRL_ATTR_FAMILY_NAME, append([]byte(name), 0))
	if err != nil {
		return 0, err
	}
	return parseFamily(reply)
}

// parseFamily finds the number in the payload of the answer to CTRL_CMD_GETFAMILY.
func parseFamily(data []byte) (uint16, error) {
	if len(data) < genericHeader {
		return 0, errShort
	}
	family, found := uint16(0), false
	err := eachAttribute(data[genericHeader:], func(kind uint16, value []byte) error {
		if kind != unix.CTRL_ATTR_FAMILY_ID {
			return nil
		}
		if len(value) < 2 {
			return errShort
		}
		family, found = native.Uint16(value), true
		return nil
	})
	if err == nil && !found {
		err = errors.New("the answer names no family")
	}
	return family, err
}

// request sends a generic netlink command with one attribute and waits until the kernel has acknowledged it. It
// returns the payload of the answer that came first, if any. Other messages that arrive meanwhile are lost.
func (s *socket) request(family uint16, command, version uint8, attribute uint16, value []byte) (reply []byte, err error) {
	const sequence = 1 // never two at a time
	if err := s.send(genericRequest(family, command, version, sequence, attribute, value)); err != nil {
		return nil, err
	}
	acknowledged := false
	for deadline := time.Now().Add(replyTimeout); !acknowledged; {
		if err := s.wait(time.Until(deadline)); err != nil {
			return nil, err
		}
		_, receiveErr := s.receive(func(message []byte) {
			kind, data, parseErr := payload(message)
			switch {
			case parseErr != nil || native.Uint32(message[8:]) != sequence:
			case kind == unix.NLMSG_ERROR && len(data) >= 4:
				acknowledged = true
				if errno := -int32(native.Uint32(data)); errno != 0 {
					err = unix.Errno(errno)
				}
			case kind == family && reply == nil:
				reply = append([]byte(nil), data...)
			}
		})
		if receiveErr != nil && !errors.Is(receiveErr, unix.ENOBUFS) {
			return nil, receiveErr
		}
	}
	return reply, err
}

// wait waits until a message can be received.
func (s *socket) wait(timeout time.Duration) error {
	fds := []unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, int(max(0, timeout).Milliseconds()))
		switch {
		case err == unix.EINTR:
		case err != nil:
			return fmt.Errorf("poll: %w", err)
		case n == 0:
			return errors.New("no answer from the kernel")
		default:
			return nil
		}
	}
}

// genericRequest is a generic netlink message that wants an acknowledgement: netlink header, generic header, attribute.
func genericRequest(family uint16, command, version uint8, sequence uint32, attribute uint16, value []byte) []byte {
	b := make([]byte, headerSize+genericHeader, headerSize+genericHeader+attrHeader+align(len(value)))
	native.PutUint16(b[4:], family)
	native.PutUint16(b[6:], unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	native.PutUint32(b[8:], sequence)
	b[headerSize], b[headerSize+1] = command, version
	b = appendAttribute(b, attribute, value)
	native.PutUint32(b, uint32(len(b)))
	return b
}

func appendAttribute(b []byte, kind uint16, value []byte) []byte {
	b = native.AppendUint16(b, uint16(attrHeader+len(value)))
	b = native.AppendUint16(b, kind)
	b = append(b, value...)
	return append(b, make([]byte, align(len(value))-len(value))...)
}

// align rounds up to what netlink aligns to, man netlink(3).
func align(n int) int { return (n + unix.NLA_ALIGNTO - 1) &^ (unix.NLA_ALIGNTO - 1) }

// eachAttribute calls visit for each attribute in data, until one is cut short or visit fails.
func eachAttribute(data []byte, visit func(kind uint16, value []byte) error) error {
	for len(data) > 0 {
		if len(data) < attrHeader {
			return errShort
		}
		length := int(native.Uint16(data))
		if length < attrHeader || length > len(data) {
			return errShort
		}
		kind := native.Uint16(data[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
		if err := visit(kind, data[attrHeader:length]); err != nil {
			return err
		}
		data = data[min(align(length), len(data)):]
	}
	return nil
}

const (
	recordBatch  = 64
	recordBuffer = 4096 // bytes; a message has 1440 at most on Linux 7.0
	replyTimeout = time.Second
)
