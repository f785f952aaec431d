package embeddednats

import (
	"context"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"golang.org/x/sys/unix"
)

// A server that could not write because the disk was full never writes again, though it goes on answering. A restart in
// place cures it.
const (
	healthInterval  = time.Second
	unhealthyBefore = 2        // failed checks in a row before a restart
	spaceToRestart  = 16 << 20 // bytes that must be free for one: it writes while it starts
)

// Run watches the server until ctx ends and restarts it in place when it can no longer write. Clients that
// reconnect, as those of Connect do, notice no more than a lost connection.
func (s *Server) Run(ctx context.Context) error {
	tick := time.NewTicker(healthInterval)
	defer tick.Stop()
	for failed := 0; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		reason := s.unhealthyReason()
		if reason == "" {
			failed = 0
			continue
		}
		if failed++; failed >= unhealthyBefore {
			s.restart(ctx, reason, failed == unhealthyBefore)
		}
	}
}

// unhealthyReason is why the server cannot do its work; empty when it can.
func (s *Server) unhealthyReason() string {
	status := s.ns.Load().Healthz(&server.HealthzOptions{})
	if status == nil || status.StatusCode < 300 {
		return ""
	}
	return status.Error
}

// restart restarts the server in place, if the disk has room for it. first says that the trouble is new, and so is logged.
func (s *Server) restart(ctx context.Context, reason string, first bool) {
	free, err := freeSpace(s.cfg.Dir)
	if err == nil && free < spaceToRestart {
		if first {
			s.cfg.Log.Error("the log cannot be written: the disk is full; going on when there is space", "reason", reason, "free_bytes", free)
		}
		return
	}
	s.cfg.Log.Warn("restarting the log's server in place", "reason", reason)
	ns := s.ns.Load()
	ns.Shutdown()
	ns.WaitForShutdown()
	if err := s.startServer(ctx); err != nil && ctx.Err() == nil {
		s.cfg.Log.Error("the log's server does not start, trying again", "err", err)
	}
}

// freeSpace is how many bytes this process may still write to the file system of dir.
func freeSpace(dir string) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return st.Bavail * uint64(st.Bsize), nil
}
