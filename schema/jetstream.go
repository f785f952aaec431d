package schema

import (
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// JetStream is the JetStream of a connection's server, or that of a domain, which a leaf node's clients name to reach the log of the hub
// (docs/nats.md). What is published goes to the stream of its subject, whichever the domain.
func JetStream(nc *nats.Conn, domain string, options ...jetstream.JetStreamOpt) (jetstream.JetStream, error) {
	if domain == "" {
		return jetstream.New(nc, options...)
	}
	return jetstream.NewWithDomain(nc, domain, options...)
}
