package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/schema"
)

// connect opens a connection to the server that --server names, or to the recorder that runs on the data folder.
func (s *settings) connect() (*nats.Conn, error) { return s.connectAs(embeddednats.RoleReader) }

// connectAs is connect, for who is in the group with which the data folder is shared with the key of a role.
func (s *settings) connectAs(shared embeddednats.Role) (*nats.Conn, error) {
	if s.server == "" {
		return connectHere(s, shared)
	}
	if err := servers(s.server).check(); err != nil {
		return nil, err
	}
	opts, err := serverOptions(s)
	if err != nil {
		return nil, err
	}
	nc, err := nats.Connect(s.server, opts...)
	switch hint := hintOfTLS(err, &s.tls); {
	case hint != "":
		return nil, hinted(servers(s.server).connectError(err), "%s", hint)
	case errors.Is(err, nats.ErrAuthorization) && s.creds != "":
		return nil, hinted(fmt.Errorf("%w: the server does not know the key in %s", servers(s.server).connectError(err), s.creds),
			"the key was removed, or is another recorder's: "+whereKeysAre)
	case errors.Is(err, nats.ErrAuthorization):
		return nil, hinted(servers(s.server).connectError(err), "name a key with --creds: "+whereKeysAre)
	case err != nil:
		return nil, hinted(servers(s.server).connectError(err), "check that the server runs and that the address is right")
	}
	if err := embeddednats.CheckServerVersion(nc); err != nil { // before anything is made on it
		nc.Close()
		return nil, err
	}
	return nc, nil
}

// checkServer checks how --server is written, and that the file with its key can be read.
func checkServer(s *settings) error {
	if s.server == "" {
		return nil
	}
	if err := servers(s.server).check(); err != nil {
		return err
	}
	_, err := serverOptions(s)
	return err
}

// serverOptions are how a command connects to the server that --server or --context names.
func serverOptions(s *settings) ([]nats.Option, error) {
	creds, err := s.credentials()
	if err != nil {
		return nil, err
	}
	secured, err := s.tls.options()
	if err != nil {
		return nil, err
	}
	return slices.Concat(connectOptions(), keptOptions(), s.login, creds, secured), nil
}

// connectHere connects to the recorder that runs on the data folder.
func connectHere(s *settings, shared embeddednats.Role) (*nats.Conn, error) {
	nc, err := embeddednats.Connect(s.data, shared, connectOptions()...)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, hinted(err, "%s", anotherUsers(s))
	case errors.Is(err, embeddednats.ErrNotRunning):
		return nil, hinted(err, `start one with "proctape up", or name another folder with --data or a server with --server`)
	}
	return nc, err
}

// connectOptions are how every command connects.
func connectOptions() []nats.Option {
	return []nats.Option{nats.Name("proctape"), nats.MaxReconnects(-1), nats.ReconnectBufSize(-1),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})} // whoever asked for something reports what failed
}

// declareStreams makes the log's streams exist on the server, where they are not yet, each on so many servers of a cluster.
func declareStreams(ctx context.Context, nc *nats.Conn, domain string, policy schema.Policy, replicas int) error {
	js, err := schema.JetStream(nc, domain)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return explainPlacement(embeddednats.Declare(ctx, js, schema.Streams(policy, replicas), false))
}

// explainPlacement adds to an error of making or changing streams what mends it.
func explainPlacement(err error) error {
	if errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrJetStreamNotEnabled) {
		return hinted(err, "the server has no JetStream, or its cluster has no leader now")
	}
	if hint := embeddednats.PlacementHint(err); hint != "" {
		return hinted(err, "%s", hint)
	}
	return err
}

// withLog calls f with the log: the server's, the running recorder's, or that of the data folder at rest, for which a
// server runs meanwhile.
func (s *settings) withLog(cmd *cobra.Command, f func(context.Context, jetstream.JetStream) error) error {
	if s.server != "" {
		nc, err := s.connect()
		if err != nil {
			return err
		}
		defer nc.Close()
		js, err := schema.JetStream(nc, s.domain)
		if err != nil {
			return err
		}
		return withRefusals(cmd.Context(), nc, s.creds, func(ctx context.Context) error { return f(ctx, js) })
	}
	a, err := s.attach(cmd, false)
	if err != nil {
		return err
	}
	js, err := jetstream.New(a.Conn)
	if err == nil {
		err = f(cmd.Context(), js)
	}
	return errors.Join(err, a.Close())
}

// attach connects to the data folder's log, running or at rest. create says that a folder without one gets one.
func (s *settings) attach(cmd *cobra.Command, create bool) (*embeddednats.Attachment, error) {
	a, err := embeddednats.Attach(cmd.Context(), embeddednats.Config{Dir: s.data, Log: s.logger(cmd)}, create, connectOptions()...)
	switch {
	case errors.Is(err, embeddednats.ErrNoLog):
		return nil, hinted(err, "name a recorder's data folder with --data, or a server with --server")
	case errors.Is(err, fs.ErrPermission) && !create:
		return nil, hinted(err, "%s", anotherUsers(s))
	case err != nil:
		return nil, explainStart(err, s)
	}
	return a, nil
}

// withConnection calls f with a connection to where messages go: the server, the running recorder, or a server that runs
// on the data folder meanwhile. The log's streams are in place then.
func (s *settings) withConnection(cmd *cobra.Command, f func(context.Context, *nats.Conn) error) error {
	ctx := cmd.Context()
	if s.server != "" {
		nc, err := s.connect()
		if err != nil {
			return err
		}
		defer nc.Close()
		if err := declareIfAllowed(ctx, nc, s.domain); err != nil {
			return err
		}
		return f(ctx, nc)
	}
	a, err := s.attach(cmd, true)
	if err != nil {
		return err
	}
	if a.Server == nil {
		if err = declareIfAllowed(ctx, a.Conn, ""); err == nil {
			err = f(ctx, a.Conn)
		}
		return errors.Join(err, a.Close())
	}
	err = runStages(ctx, stage{"log", a.Server.Run}, stage{"simulation", func(ctx context.Context) error {
		if err := declareStreams(ctx, a.Conn, "", schema.Policy{}, 1); err != nil {
			return err
		}
		return f(ctx, a.Conn)
	}})
	return errors.Join(err, a.Close())
}

// declareIfAllowed makes the log's streams exist. A key that may only publish gets no answer. That is not an error: somebody
// else makes the streams then.
func declareIfAllowed(ctx context.Context, nc *nats.Conn, domain string) error {
	asking, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	err := declareStreams(asking, nc, domain, schema.Policy{}, 1)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return nil
	}
	return err
}
