package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	embeddednats "github.com/proctape/proctape/embedded-nats"
)

// awaitServer connects as connect does, for a command that runs for months: while the server that --server names does not answer it tries
// again, until ctx ends, and says so once. What a wait does not mend is an error at once: a key, a certificate, a version.
func awaitServer(s *settings, cmd *cobra.Command) (*nats.Conn, error) {
	const first, last = 500 * time.Millisecond, 10 * time.Second
	ctx, began, wait := cmd.Context(), time.Now(), first
	said := func(format string, a ...any) {
		fmt.Fprintf(cmd.ErrOrStderr(), "proctape: note: %s\n", oneLine(fmt.Sprintf(format, a...)))
	}
	for {
		nc, err := s.connect()
		switch {
		case s.server == "" || err != nil && !noAnswer(err):
			return nc, err
		case err == nil:
			if wait > first {
				said("%s answers after %s", servers(s.server), time.Since(began).Round(100*time.Millisecond))
			}
			return nc, nil
		case wait == first:
			said("%s; trying again until it answers. Nothing is projected meanwhile", err)
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(wait):
		}
		wait = min(2*wait, last)
	}
}

// connectInTime connects for a sampler. While the server that --server names does not answer yet it returns a connection that keeps trying: what is
// sampled meanwhile waits on disk. fail is called with what a wait does not mend, once that is known.
func connectInTime(s *settings, cmd *cobra.Command, fail func(error)) (*nats.Conn, error) {
	nc, err := s.connect()
	if s.server == "" || err == nil || !noAnswer(err) {
		return nc, err
	}
	opts, failed := serverOptions(s)
	if failed != nil {
		return nil, failed
	}
	note := func(format string, a ...any) {
		fmt.Fprintf(cmd.ErrOrStderr(), "proctape: note: %s\n", oneLine(fmt.Sprintf(format, a...)))
	}
	note("%s; trying again until it answers. What is sampled meanwhile waits on disk", err)
	began := time.Now()
	return nats.Connect(s.server, append(opts, nats.RetryOnFailedConnect(true), nats.ConnectHandler(func(nc *nats.Conn) {
		note("%s answers after %s", servers(s.server), time.Since(began).Round(100*time.Millisecond))
		if err := embeddednats.CheckServerVersion(nc); err != nil {
			fail(err)
		}
	}))...)
}

// noAnswer reports whether an error of connecting is that nobody answers, or not in time.
func noAnswer(err error) bool {
	if hintOfTLS(err, &clientTLS{}) != "" {
		return false
	}
	_, network := errors.AsType[*net.OpError](err)
	return network || errors.Is(err, nats.ErrNoServers) || errors.Is(err, nats.ErrTimeout) || errors.Is(err, nats.ErrConnectionClosed)
}
