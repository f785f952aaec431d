package main

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/producer/publish"
)

// errNoAnswer says that a log did not answer in the time that a command may wait for it.
var errNoAnswer = errors.New("the log does not answer")

// connectForRun connects for who waits meanwhile, such as the command that run starts, and so gives up after five seconds.
func (s *settings) connectForRun() (*nats.Conn, error) {
	type connected struct {
		nc  *nats.Conn
		err error
	}
	done := make(chan connected, 1)
	go func() {
		nc, err := s.connectAs(embeddednats.RoleMember)
		done <- connected{nc, err}
	}()
	select {
	case c := <-done:
		return c.nc, c.err
	case <-time.After(5 * time.Second):
		go func() {
			if c := <-done; c.nc != nil {
				c.nc.Close()
			}
		}()
		return nil, errNoAnswer
	}
}

// connectOrWait is connectForRun for what is told of a job of a host. Where that may wait on disk it returns a connection that goes on
// trying, and as away why the recorder does not answer now.
func connectOrWait(s *settings, host string) (nc *nats.Conn, away, err error) {
	nc, err = s.connectForRun()
	if err == nil || !isTakenUpLater(s, host, err) {
		return nc, nil, err
	}
	nc, failed := embeddednats.ConnectLater(s.data, connectOptions()...)
	if failed != nil {
		return nil, nil, err
	}
	return nc, err, nil
}

// isTakenUpLater reports whether what is told of a job of a host may wait on disk when the recorder on the data folder has not answered, but with
// an error.
func isTakenUpLater(s *settings, host string, err error) bool {
	silent := noAnswer(err) || errors.Is(err, embeddednats.ErrNotRunning) || errors.Is(err, errNoAnswer) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, nats.ErrNoResponders)
	return silent && recordsHere(s, host)
}

// recordsHere reports whether a host was recorded into the data folder within the time for which something may wait: who records it next takes that
// up. Who may not write into the folder leaves nothing there.
func recordsHere(s *settings, host string) bool {
	return s.server == "" && !isMember(s) && embeddednats.HasLog(s.data) && publish.Sampled(livesIn(s.data), host, publish.DefaultSpoolAge)
}
