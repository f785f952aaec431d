package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/schema/trouble"
)

// How a connection to a server elsewhere is kept: that the way is gone is noticed in half a minute, which by default takes six, and a server that is slow because thousands come to it
// at once has more than the default of two seconds to answer.
const (
	pings     = 10 * time.Second
	patient   = 5 * time.Second
	unheardOf = 20 * time.Second // that what was sent is not acknowledged by the other side's kernel
)

// dialer has the kernel end a connection of which nothing arrives (TCP_USER_TIMEOUT in tcp(7)). Without that a client whose socket is full waits for a minute to write each ping.
func dialer() *net.Dialer {
	return &net.Dialer{Timeout: patient, Control: func(_, _ string, c syscall.RawConn) (err error) {
		failed := c.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(unheardOf.Milliseconds()))
		})
		return errors.Join(failed, err)
	}}
}

// lastReconnect is the longest wait between two tries to reconnect.
const lastReconnect = 10 * time.Second

// reconnectDelay is how long to wait before the nth try to reconnect. Chance keeps the hosts of a fleet from coming back all at once.
func reconnectDelay(n int) time.Duration {
	return rand.N(min(time.Second<<min(n, 8), lastReconnect))
}

// keptOptions are the options of a connection to a server elsewhere.
func keptOptions() []nats.Option {
	return []nats.Option{nats.PingInterval(pings), nats.Timeout(patient), nats.SetCustomDialer(dialer()), nats.CustomReconnectDelay(reconnectDelay)}
}

// How long a server may take nothing, or tell nothing, before another of the log's servers is tried; longer each time that this does not help either.
const (
	firstMove = 15 * time.Second
	lastMove  = 5 * time.Minute
)

// otherServers is a stage that has a connection go to another of the log's servers when the one that it has is there, and nothing comes of it: a server that is cut off
// from the others of its cluster keeps its clients, and can do nothing for them.
func otherServers(nc *nats.Conn, report *trouble.Reporter) stage {
	return stage{"other servers", func(ctx context.Context) error {
		tick := time.NewTicker(firstMove / 5)
		defer tick.Stop()
		wait, moved := firstMove, time.Time{}
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
			since, stands := standsSince(report.Open())
			switch {
			case !stands:
				wait, moved = firstMove, time.Time{}
			case time.Since(since) > wait && time.Since(moved) > wait && nc.IsConnected() && len(nc.Servers()) > 1:
				_ = nc.ForceReconnect() // it fails for a connection that is closed, and then there is nothing to do
				moved, wait = time.Now(), min(wait+rand.N(wait), lastMove)
			}
		}
	}}
}

// standsSince is since when the log has taken nothing, or told nothing.
func standsSince(open []trouble.Trouble) (since time.Time, stands bool) {
	for _, t := range open { // the oldest first
		if t.Kind == trouble.LogRefuses || t.Kind == trouble.Projection {
			return t.Since, true
		}
	}
	return time.Time{}, false
}
