// Package web answers over HTTP what the query library answers: a database goes in, JSON with the contract's keys comes out, and
// with a log what happens now as a stream of events. It only reads.
//
// Every request for data carries a token, and names a host that the server knows itself by: a page of somebody else's cannot ask.
package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path"
	"sync"
	"time"
)

// New returns a server of a database. It returns an error when the configuration lacks something.
func New(cfg Config) (*Server, error) {
	if cfg.DB == nil {
		return nil, errors.New("a server needs a database")
	}
	if len(cfg.Token) < MinToken {
		return nil, fmt.Errorf("a token has at least %d characters, this one has %d", MinToken, len(cfg.Token))
	}
	for _, pattern := range cfg.ProcessNames {
		if _, err := path.Match(pattern, ""); err != nil {
			return nil, fmt.Errorf("names of processes %q: %w", pattern, err)
		}
	}
	cfg.DB.KeepCoverages()
	if cfg.ParseTime == nil {
		cfg.ParseTime = parsePlainTime
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{cfg: cfg, ending: make(chan struct{})}
	s.names.patterns = cfg.ProcessNames
	s.end = sync.OnceFunc(func() { close(s.ending) })
	if cfg.Log != nil {
		s.follows = newFollows(cfg.Log, cfg.Logger)
	}
	s.token = newKeptToken(cfg.Token, cfg.TokenFile, cfg.Logger)
	s.handler = (&guard{cfg.Hosts, s.token}).before(s.routes())
	return s, nil
}

// Handler answers requests. A server that listens by itself uses Serve.
func (s *Server) Handler() http.Handler { return s.handler }

// Serve answers requests that come on a listener until ctx ends, and then closes the listener. Answers that are under way have
// five seconds to end. It returns nil then, and otherwise why it could not go on.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	requests, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	server := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: headerTime, ReadTimeout: headerTime, WriteTimeout: writeTime, IdleTimeout: idleTime,
		MaxHeaderBytes: maxHeaderBytes,
		BaseContext:    func(net.Listener) context.Context { return requests },
		ErrorLog:       slog.NewLogLogger(s.cfg.Logger.Handler(), slog.LevelDebug),
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		s.end()
		if s.follows != nil {
			s.follows.stop() // streams never end by themselves
		}
		patience, done := context.WithTimeout(requests, stopTime)
		defer done()
		err := server.Shutdown(patience)
		cancel()
		stopped <- errors.Join(err, server.Close())
	})
	err := server.Serve(&limitedListener{Listener: l, left: maxConnections})
	if stop() { // it ended by itself
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	}
	if err := <-stopped; err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("stop serving %s: %w", l.Addr(), err)
	}
	return nil
}
