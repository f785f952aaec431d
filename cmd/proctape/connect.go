package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/schema"
)

// connect opens a connection to the server that --server names, or to the recorder that runs on the data folder.
func (s *settings) connect() (*nats.Conn, error) {
	opts := []nats.Option{nats.Name("proctape"), nats.MaxReconnects(-1), nats.ReconnectBufSize(-1),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})} // what fails is told by who asked for it
	if s.server == "" {
		return s.connectLocal(opts)
	}
	creds, err := s.credentials()
	if err != nil {
		return nil, err
	}
	nc, err := nats.Connect(s.server, append(opts, creds...)...)
	switch {
	case errors.Is(err, nats.ErrAuthorization):
		return nil, hinted(fmt.Errorf("connect to %s: %w", s.server, err),
			"give the key with --creds; a recorder keeps its keys in the folder creds of its data folder")
	case err != nil:
		return nil, hinted(fmt.Errorf("connect to %s: %w", s.server, err), "is the server up, and the address right?")
	}
	return nc, nil
}

// connectLocal connects through the recorder's unix socket.
func (s *settings) connectLocal(opts []nats.Option) (*nats.Conn, error) {
	if _, err := os.ReadDir(s.data); errors.Is(err, fs.ErrPermission) {
		return nil, hinted(err, "the recording is another user's")
	}
	if _, running := embeddednats.Owner(s.data); !running {
		return nil, hinted(fmt.Errorf("no recorder runs on %s", s.data),
			`start one with "proctape up", or name another folder with --data or a server with --server`)
	}
	key, err := embeddednats.LoadKey(filepath.Join(embeddednats.KeysDir(s.data), "admin.nk"))
	if errors.Is(err, fs.ErrPermission) {
		return nil, hinted(err, "the recorder is another user's")
	} else if err != nil {
		return nil, err
	}
	opts = append(opts, key.Options()...)
	nc, err := nats.Connect("", append(opts, nats.InProcessServer(embeddednats.Socket(embeddednats.SocketPath(s.data))))...)
	if err != nil {
		return nil, fmt.Errorf("connect to the recorder on %s: %w", s.data, err)
	}
	return nc, nil
}

// credentials reads --creds: an nkey seed as the recorder makes them, or a file of nsc's with a JWT.
func (s *settings) credentials() ([]nats.Option, error) {
	if s.creds == "" {
		return nil, nil
	}
	path, err := expand(s.creds)
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read credentials: %w", err)
	}
	if strings.Contains(string(b), "BEGIN NATS USER JWT") {
		return []nats.Option{nats.UserCredentials(path)}, nil
	}
	key, err := embeddednats.LoadKey(path)
	if err != nil {
		return nil, err
	}
	return key.Options(), nil
}

// jetStream is the JetStream side of a connection, with the log's streams in place when declare is set.
func jetStream(ctx context.Context, nc *nats.Conn, policy schema.Policy, declare bool) (jetstream.JetStream, error) {
	js, err := jetstream.New(nc)
	if err != nil || !declare {
		return js, err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return js, embeddednats.Declare(ctx, js, schema.Streams(policy, 1), false)
}
