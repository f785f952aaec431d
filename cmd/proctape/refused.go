package main

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go"

	embeddednats "github.com/proctape/proctape/embedded-nats"
)

// withRefusals calls f with a context that ends when the server refuses the connection's key something, and then says what.
func withRefusals(ctx context.Context, nc *nats.Conn, f func(context.Context) error) error {
	ctx, stop := embeddednats.UntilRefused(ctx, nc)
	defer stop()
	err := f(ctx)
	var refused *embeddednats.RefusedError
	if errors.As(context.Cause(ctx), &refused) {
		return hinted(refused, "a host's key records that host alone, and reader.nk, projector.nk, conductor.nk and admin.nk in the recorder's folder creds may more; docs/security.md says what")
	}
	return err
}
