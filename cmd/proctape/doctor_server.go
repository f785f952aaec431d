package main

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/query/doctor"
	"github.com/proctape/proctape/schema"
)

// tryTime is how long a server has for each answer.
const tryTime = 5 * time.Second

// tryServer connects to the server that --server names, or to the recorder that runs here, and tries what the key may do.
func tryServer(ctx context.Context, s *settings, recorder bool, host string) doctor.Server {
	d := doctor.Server{Asked: recorder || s.server != "", Name: "the recorder"}
	if s.server != "" {
		d.Name = servers(s.server).String()
	}
	if !d.Asked {
		return d
	}
	nc, err := s.connect()
	if err != nil {
		d.Error, d.Grant = plainWords(err), hintOf(err)
		return d
	}
	defer nc.Close()
	d.Version = nc.ConnectedServerVersion()
	if d.RoundTrip, err = nc.RTT(); err != nil {
		d.Error = plainWords(err)
		return d
	}
	if err := tryReading(ctx, nc, s.domain); err != nil {
		d.Read = plainWords(err)
	}
	if s.server == "" {
		return d // the recorder publishes by itself
	}
	d.Host = host
	if err := tryPublishing(ctx, nc, host); err != nil {
		d.Publish = plainWords(err)
	}
	return d
}

// tryReading asks the log's server for a stream.
func tryReading(ctx context.Context, nc *nats.Conn, domain string) error {
	js, err := schema.JetStream(nc, domain)
	if err != nil {
		return err
	}
	return untilRefused(ctx, nc, func(ctx context.Context) error {
		_, err := js.Stream(ctx, schema.StreamSnapshots)
		return err
	})
}

// tryPublishing publishes a message that the stream does not take: it is said to be for another one. The server judges first whether the
// key may publish it. Source: nats-server, Nats-Expected-Stream, and the error JSStreamNotMatchErr.
func tryPublishing(ctx context.Context, nc *nats.Conn, host string) error {
	m := nats.NewMsg(schema.Subject(host, schema.KindSnapshot))
	m.Header.Set(jetstream.ExpectedStreamHeader, "NONE")
	return untilRefused(ctx, nc, func(ctx context.Context) error {
		answer, err := nc.RequestMsgWithContext(ctx, m)
		if err != nil {
			return err
		}
		var got struct {
			Error *jetstream.APIError `json:"error"`
		}
		const notThisStream = 10060
		if err := json.Unmarshal(answer.Data, &got); err != nil || got.Error == nil {
			return errors.New("the server gave an answer that a stream does not give")
		}
		if got.Error.ErrorCode != notThisStream {
			return got.Error
		}
		return nil
	})
}

// untilRefused calls f, which has tryTime, and returns what the server refused, if it refused something.
func untilRefused(ctx context.Context, nc *nats.Conn, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	ctx, stop := embeddednats.UntilRefused(ctx, nc)
	defer stop()
	err := f(ctx)
	var refused *embeddednats.RefusedError
	if errors.As(context.Cause(ctx), &refused) {
		return refused
	}
	return err
}
