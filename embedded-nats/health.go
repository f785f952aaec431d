package embeddednats

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
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
	restartsLimit   = 5        // that cured nothing, after which Run gives up
	firstWait       = 2 * time.Second
	wellAfter       = time.Minute // without trouble, after which restarts are forgotten
)

// trouble is what Run knows of a server that is not well.
type trouble struct {
	failed   int // checks in a row
	since    time.Time
	restarts int // since the server was last well for wellAfter
	next     time.Time
	full     bool // the disk was
	lastBad  time.Time
}

// Run watches the server and its store until ctx ends. It restarts the server in place when it can no longer write or its files
// have vanished, makes Streams again that are gone, and checks the files of messages in the background. Clients that
// reconnect, as those of Connect do, notice no more than a lost connection. It returns an error when restarting does not help.
func (s *Server) Run(ctx context.Context) error {
	checking, stop := context.WithCancel(ctx)
	var beside sync.WaitGroup
	defer beside.Wait()
	defer stop()
	damaged := make(chan streamDir)
	background := backgroundCheck{dir: s.cfg.Dir, rate: s.cfg.CheckRate, pause: s.cfg.CheckPause, log: s.cfg.Log}
	beside.Go(func() { background.run(checking, damaged) })

	tick := time.NewTicker(healthInterval)
	defer tick.Stop()
	var t trouble
	streams := streamWatch{server: s, newest: map[string]uint32{}}
	for {
		select {
		case <-ctx.Done():
			return nil
		case d := <-damaged:
			s.restart(ctx, func() error { return s.check.again(ctx, d) })
			streams.forget()
		case <-tick.C:
			reason := s.unhealthyReason()
			if reason == "" {
				reason = streams.vanished(ctx)
			}
			restarted, err := s.treat(ctx, &t, reason)
			if err != nil {
				return err
			}
			if restarted {
				streams.forget()
			}
		}
	}
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

// treat restarts the server when there is a reason to: at once, if the disk has room for it, and when that does not help, after
// a time that doubles. It returns an error when it gives up.
func (s *Server) treat(ctx context.Context, t *trouble, reason string) (restarted bool, err error) {
	now := time.Now()
	if reason == "" {
		t.end(now, s.cfg.Log)
		return false, nil
	}
	if !t.goesOn(now) {
		return false, nil
	}
	if free, err := freeSpace(s.cfg.Dir); err == nil && free < spaceToRestart {
		if !t.full {
			s.cfg.Log.Error("the log cannot be written: the disk is full; going on by itself when there is space", "reason", reason,
				"free_bytes", free, "wanted_bytes", int64(spaceToRestart))
		}
		t.full = true
		return false, nil
	}
	if now.Before(t.next) {
		return false, nil
	}
	if t.restarts >= restartsLimit && !t.full {
		return false, fmt.Errorf("the log's server does not work, and %d restarts did not help: %s", t.restarts, reason)
	}
	if t.restarts == 0 {
		s.cfg.Log.Warn("restarting the log's server in place", "reason", reason)
	}
	t.next = now.Add(min(firstWait<<t.restarts, time.Minute/2))
	t.restarts++
	s.restart(ctx, func() error { return s.check.run(ctx, t.restarts == 1) }) // all is checked when less did not help
	return true, nil
}

// goesOn notes a check that failed, and reports whether it is time to do something.
func (t *trouble) goesOn(now time.Time) bool {
	t.lastBad = now
	if t.failed++; t.failed == 1 {
		t.since = now
	}
	return t.failed >= unhealthyBefore
}

// end notes a check that did not fail.
func (t *trouble) end(now time.Time, log *slog.Logger) {
	if t.failed >= unhealthyBefore {
		log.Warn("the log can be written again", "after", now.Sub(t.since).Round(time.Second))
	}
	t.failed = 0
	if now.Sub(t.lastBad) > wellAfter {
		*t = trouble{}
	}
}

// restart restarts the server in place, and does something to the store while nothing has it open.
func (s *Server) restart(ctx context.Context, do func() error) {
	ns := s.ns.Load()
	ns.Shutdown()
	ns.WaitForShutdown()
	err := do()
	if err == nil {
		err = s.startServer(ctx)
	}
	if err == nil {
		err = s.auth.open()
	}
	if err == nil && s.own != nil {
		err = s.declareStreams(ctx)
	}
	if err != nil && ctx.Err() == nil {
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
