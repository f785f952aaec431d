package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/schema/filecheck"
)

// whereKeysAre says where a file for --creds comes from.
const whereKeysAre = `"proctape hosts add NAME", where the recorder runs, makes a key for a host; the other keys are in the folder creds of its data folder`

// credentials reads the file that --creds names: an nkey seed as the recorder makes them, or a file with a JWT as nsc makes them.
func (s *settings) credentials() ([]nats.Option, error) {
	if s.creds == "" {
		return nil, nil
	}
	path, err := expandHome(s.creds)
	if err != nil {
		return nil, err
	}
	b, err := filecheck.ReadSecret(path, maxSecretSize)
	var unsafe *filecheck.Error
	switch {
	case errors.As(err, &unsafe):
		return nil, fmt.Errorf("--creds: %w", err)
	case errors.Is(err, fs.ErrPermission):
		return nil, hinted(fmt.Errorf("--creds: %w", err), "give the file to the user that runs proctape: chown USER %s", path)
	case err != nil:
		return nil, hinted(fmt.Errorf("--creds: %w", err), whereKeysAre)
	}
	if strings.Contains(string(b), "BEGIN NATS USER JWT") {
		if _, err := nkeys.ParseDecoratedUserNKey(b); err != nil {
			return nil, hinted(fmt.Errorf("--creds: %s holds a JWT, but not the seed of its user", path), "make the file anew: nsc generate creds")
		}
		return []nats.Option{nats.UserCredentials(path)}, nil
	}
	key, err := embeddednats.ParseKey(path, b)
	if err != nil {
		return nil, hinted(fmt.Errorf("--creds: %w", err), whereKeysAre)
	}
	return key.Options(), nil
}
