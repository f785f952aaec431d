package embeddednats

import (
	"cmp"
	"context"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/proctape/proctape/schema/trouble"
)

// Run watches the server and its store until ctx ends. It restarts the server in place when it can no longer write or its files
// have vanished, makes Streams again that are gone, and checks the files of messages in the background. Clients that
// reconnect, as those of Connect do, notice no more than a lost connection. It returns an error when restarting does not help.
func (s *Server) Run(ctx context.Context) error {
	checking, stop := context.WithCancel(ctx)
	var beside sync.WaitGroup
	defer beside.Wait()
	defer stop()
	damaged := make(chan streamDir)
	background := backgroundCheck{dir: s.cfg.Dir, rate: s.cfg.CheckRate, pause: s.cfg.CheckPause, trouble: s.cfg.Trouble}
	beside.Go(func() { background.run(checking, damaged) })

	tick := time.NewTicker(healthInterval)
	defer tick.Stop()
	well := healer{server: s}
	streams := streamWatch{server: s, newest: map[string]uint32{}}
	for {
		s.cfg.Beat()
		select {
		case <-ctx.Done():
			return nil
		case d := <-damaged:
			s.restart(ctx, func() error { return s.check.again(ctx, d) })
			streams.forget()
		case <-tick.C:
			keepSocket(s)
			reason := s.unhealthyReason()
			if reason == "" {
				reason = streams.vanished(ctx)
				well.gone = well.gone || reason != ""
			}
			restarted, err := well.treat(ctx, reason)
			if err != nil {
				return err
			}
			if restarted {
				streams.forget()
			}
		}
	}
}

// keepSocket makes the socket again when somebody removed it.
func keepSocket(s *Server) {
	if !s.socket.isGone() {
		return
	}
	err := s.socket.again()
	s.cfg.Trouble.Note(trouble.Trouble{Kind: trouble.LogSilent, About: SocketPath(s.cfg.Dir), Reason: cmp.Or(errorText(err), "somebody removed its socket; it is made again")})
}

// errorText is an error's text; empty without one.
func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// unhealthyReason is why the server cannot do its work; empty when it can.
func (s *Server) unhealthyReason() string {
	status := s.ns.Load().Healthz(&server.HealthzOptions{Account: accountName, Details: true})
	if status == nil || status.StatusCode < 300 {
		return ""
	}
	for _, e := range status.Errors {
		if !strings.HasPrefix(e.Stream, ".") { // that one is being deleted
			return e.Error
		}
	}
	if len(status.Errors) > 0 {
		return ""
	}
	return cmp.Or(status.Error, status.Status, "unhealthy")
}
