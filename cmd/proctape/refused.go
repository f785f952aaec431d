package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

	embeddednats "github.com/proctape/proctape/embedded-nats"
)

// withRefusals calls f with a context that ends when the server refuses the connection's key something, and then says what.
// The key is that in the file creds, if that is not empty.
func withRefusals(ctx context.Context, nc *nats.Conn, creds string, f func(context.Context) error) error {
	ctx, stop := embeddednats.UntilRefused(ctx, nc)
	defer stop()
	err := f(ctx)
	var refused *embeddednats.RefusedError
	if errors.As(context.Cause(ctx), &refused) {
		err = refused
		if creds != "" {
			err = fmt.Errorf("--creds %s: %w", creds, refused)
		}
		return hinted(err, "a host's key records that host alone, and reader.nk, projector.nk, conductor.nk and admin.nk in the recorder's folder creds may more; docs/security.md says what. Where the recorder is of an older version than this program, upgrade it first")
	}
	return err
}
