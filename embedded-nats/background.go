package embeddednats

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/proctape/proctape/embedded-nats/block"
)

// checkInBackground reads all files of messages again and again, at the pace of the configuration, until ctx ends. It sends the
// stream of a file that is damaged, and goes on when that is dealt with.
func (s *Server) checkInBackground(ctx context.Context, damaged chan<- streamDir) {
	for s.cfg.CheckRate > 0 && ctx.Err() == nil {
		began := time.Now()
		streams, err := streamDirs(s.cfg.Dir)
		for _, d := range streams {
			bad, failed := s.isDamaged(ctx, d)
			if err = errors.Join(err, failed); !bad {
				continue
			}
			select {
			case damaged <- d:
			case <-ctx.Done():
			}
		}
		if err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("the files of the log could not be checked, trying again", "err", err)
		}
		sleep(ctx, max(s.cfg.CheckPause-time.Since(began), healthInterval))
	}
}

// isDamaged reads the files of messages of a stream, and reports whether one is damaged or missing between two others.
func (s *Server) isDamaged(ctx context.Context, d streamDir) (bool, error) {
	files, err := d.blocks()
	if err != nil {
		return false, err
	}
	last := uint64(0)
	for i, f := range files {
		sleep(ctx, time.Duration(float64(f.size)/float64(s.cfg.CheckRate)*float64(time.Second)))
		if ctx.Err() != nil {
			return false, nil
		}
		read, bad, err := s.readTwice(ctx, d, f)
		if errors.Is(err, fs.ErrNotExist) { // removed from the front
			last = 0
			continue
		}
		if bad || err != nil {
			return bad, err
		}
		if i > 0 && last > 0 && read.First > last+1 && isDataStream(d.name) {
			return true, nil
		}
		last = read.Last
	}
	return false, nil
}

// readTwice reads a file that the server may be writing. It is damaged when the same is wrong with it some time later.
func (s *Server) readTwice(ctx context.Context, d streamDir, f blockFile) (*block.File, bool, error) {
	first, err := block.Read(f.path, d.name, f.number)
	if err != nil || first.Sound() {
		return first, false, err
	}
	sleep(ctx, healthInterval)
	again, err := block.Read(f.path, d.name, f.number)
	if err != nil || again.Sound() {
		return again, false, err
	}
	// An end that grows is being written.
	return again, again.Size == first.Size || len(again.Holes) > 0 && again.Holes[0].Before > 0, nil
}

// recheck checks a stream that the check in the background found damaged, and sets aside what is. The server is stopped.
func (s *Server) recheck(ctx context.Context, d streamDir) error {
	s.cfg.Log.Warn("a file of the log is damaged; the log's server restarts in place without what cannot be read", "stream", d.name)
	return s.check.stream(ctx, d, true, time.Time{}, newProgress(s.cfg.Log, []streamDir{d}))
}

// sleep waits until a time has passed or ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
