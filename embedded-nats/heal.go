package embeddednats

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/schema/filecheck"
	"github.com/proctape/proctape/schema/trouble"
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

// When more is free of a full disk, and it is not enough, that is said.
const (
	moreFree  = 2 << 20 // bytes
	againEach = 5 * time.Second
)

// reporting is the name under which the server reports trouble.
const reporting = "log"

// healer restarts a server that is not well.
type healer struct {
	server   *Server
	failed   int // checks in a row
	since    time.Time
	restarts int // since the server was last well for wellAfter
	next     time.Time
	blocked  bool // the disk let none come to its end: they count for nothing
	lastBad  time.Time
	gone     bool // files of the log are

	saidFree uint64 // what was free of the full disk when that was last said
	saidAt   time.Time
}

// treat restarts the server when there is a reason to: at once, if it can write, and when that does not help, after a time that
// doubles. It returns an error when it gives up.
func (h *healer) treat(ctx context.Context, reason string) (restarted bool, err error) {
	now := time.Now()
	if reason == "" {
		h.end(now)
		return false, nil
	}
	if !h.goesOn(now) {
		return false, nil
	}
	if h.waitsForDisk(now) {
		h.blocked = true
		return false, nil
	}
	if now.Before(h.next) {
		return false, nil
	}
	if h.restarts >= restartsLimit && !h.blocked {
		return false, fmt.Errorf("the log's server does not work, and %d restarts did not help: %s", h.restarts, reason)
	}
	h.begin(trouble.LogServer, reason, nil)
	h.next = now.Add(min(firstWait<<h.restarts, time.Minute/2))
	h.restarts++
	s := h.server
	s.restart(ctx, func() error { return s.check.run(ctx, h.restarts == 1) }) // all is checked when less did not help
	return true, nil
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
		s.cfg.Trouble.Begin(reporting, trouble.Trouble{Kind: trouble.LogServer, About: s.about(), Reason: "it does not start: " + err.Error()})
	}
}

// goesOn notes a check that failed, and reports whether it is time to do something.
func (h *healer) goesOn(now time.Time) bool {
	h.lastBad = now
	if h.failed++; h.failed == 1 {
		h.since = now
	}
	return h.failed >= unhealthyBefore
}

// waitsForDisk reports whether the server cannot write before somebody does something about the disk, and says what.
func (h *healer) waitsForDisk(now time.Time) bool {
	dir := h.server.cfg.Dir
	if err := filecheck.Writable(storeDir(dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		h.begin(trouble.ReadOnly, err.Error(), nil)
		return true
	}
	free, err := freeSpace(dir)
	if err != nil || free >= spaceToRestart {
		return false
	}
	h.begin(trouble.DiskFull, fmt.Sprintf("resume wants %s, %s are free", mebibytes(spaceToRestart), mebibytes(free)),
		map[string]int64{"free_bytes": int64(free), "wanted_bytes": spaceToRestart})
	switch {
	case h.saidAt.IsZero():
		h.saidFree, h.saidAt = free, now
	case free >= h.saidFree+moreFree && now.Sub(h.saidAt) >= againEach:
		h.saidFree, h.saidAt = free, now
		h.server.cfg.Trouble.Again(trouble.DiskFull, h.server.about())
	default:
		h.saidFree = min(h.saidFree, free)
	}
	return true
}

// begin reports trouble.
func (h *healer) begin(kind trouble.Kind, reason string, figures map[string]int64) {
	h.server.cfg.Trouble.Begin(reporting, trouble.Trouble{Kind: kind, About: h.server.about(), Since: h.since, Reason: reason, Figures: figures})
}

// end notes a check that did not fail.
func (h *healer) end(now time.Time) {
	if h.failed > 0 {
		cost := ""
		if h.gone {
			cost = "what of the log was in the files that are gone; what was projected stays"
		}
		for _, kind := range []trouble.Kind{trouble.DiskFull, trouble.ReadOnly, trouble.LogServer} {
			h.server.cfg.Trouble.End(reporting, kind, h.server.about(), cost)
		}
		h.gone = false
	}
	h.failed, h.saidAt = 0, time.Time{}
	if now.Sub(h.lastBad) > wellAfter {
		*h = healer{server: h.server}
	}
}

// about is the folder by which others know of the same disk.
func (s *Server) about() string {
	if dir, err := filepath.Abs(s.cfg.Dir); err == nil {
		return dir
	}
	return s.cfg.Dir
}

// mebibytes is a size in words.
func mebibytes(bytes uint64) string {
	if bytes%(1<<20) == 0 {
		return fmt.Sprintf("%d MiB", bytes>>20)
	}
	return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20))
}

// freeSpace is how many bytes this process may still write to the file system of dir.
func freeSpace(dir string) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return st.Bavail * uint64(st.Bsize), nil
}
