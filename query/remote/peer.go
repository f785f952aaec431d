package remote

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrStranger is returned when the program that listens at an address of this machine is another user's: it would get the token.
var ErrStranger = errors.New("another user's program listens there")

// neighbours are the users whose programs on this machine may be told a token.
type neighbours struct{ trusted []uint32 }

// dial connects to a program on this machine, and makes sure whose it is before anything is sent or read.
func (n *neighbours) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{Timeout: connectTime}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if err := n.checkListener(conn.RemoteAddr().(*net.TCPAddr)); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// connectTime is how long a connection may take to be made.
const connectTime = 10 * time.Second

// checkListener checks that all who listen on an address are root, we, or the user who gave us the token.
func (n *neighbours) checkListener(at *net.TCPAddr) error {
	found := 0
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := os.ReadFile(table)
		if errors.Is(err, os.ErrNotExist) {
			continue // a kernel without IPv6
		}
		if err != nil {
			return fmt.Errorf("who listens there cannot be known: %w", err)
		}
		for _, uid := range listeners(string(text), at) {
			found++
			if !slices.Contains(n.trusted, uid) {
				return fmt.Errorf("%w: user %d's", ErrStranger, uid)
			}
		}
	}
	if found == 0 {
		return errors.New("who listens there cannot be known: it is outside of this network namespace")
	}
	return nil
}

// listening is the state of a socket that listens, in /proc/net/tcp (proc_pid_net(5)): TCP_LISTEN.
const listening = "0A"

// listeners are the users of the sockets that listen on an address, from the text of /proc/net/tcp or tcp6.
func listeners(table string, at *net.TCPAddr) (uids []uint32) {
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) < 8 || f[3] != listening {
			continue
		}
		text, port, _ := strings.Cut(f[1], ":")
		number, err := strconv.ParseUint(port, 16, 16)
		ip := addressOf(text)
		uid, uidErr := strconv.ParseUint(f[7], 10, 32)
		if err == nil && uidErr == nil && int(number) == at.Port && (ip.IsUnspecified() || ip.Equal(at.IP)) {
			uids = append(uids, uint32(uid))
		}
	}
	return uids
}

// addressOf is an address as the kernel prints it: words of four bytes, each in the machine's byte order, which is little-endian on all
// that we build for.
func addressOf(text string) net.IP {
	b, err := hex.DecodeString(text)
	if err != nil || len(b)%4 != 0 {
		return nil
	}
	for i := 0; i < len(b); i += 4 {
		slices.Reverse(b[i : i+4])
	}
	return b
}
