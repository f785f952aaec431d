package main

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/proctape/proctape/schema/trouble"
)

// pings has a connection notice in half a minute that the way to its server is gone; by default that takes six. A server that answers slowly answers in that time.
const pings = 10 * time.Second

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
