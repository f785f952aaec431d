package projector

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/proctape/proctape/projector/ndjson"
	"github.com/proctape/proctape/projector/store"
)

// The pace at which the database's pages and the files are checked, beside the fold: a pass takes ten minutes, or less where a mebibyte a second is
// enough, or longer where eight are not. It costs about half a percent of a core at the most (docs/damage.md).
const (
	passTime     = 10 * time.Minute
	checkedBytes = 256 << 10 // at a time
	slowest      = 1 << 20   // bytes a second
	fastest      = 8 << 20
)

// checkAll checks the pages of the database of a session, and its files, pass by pass, until ctx ends. What is not as it was written is an error,
// but for a file that was rotated away, which the session mends.
func checkAll(ctx context.Context, s *session) error {
	interval := s.cfg.CheckInterval
	for wait := time.Until(s.store.Proof().PassEnded.Add(interval)); waited(ctx, wait); {
		began := time.Now()
		err := database{s}.between(ctx, s.store.WriteBack)
		for ended := false; err == nil && !ended; {
			if ended, err = s.store.CheckPages(); !ended && !waited(ctx, pause(s.cfg.DB)) {
				break
			}
		}
		if err == nil {
			err = checkFiles(ctx, s)
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
		wait = time.Until(began.Add(interval))
	}
	return nil
}

// checkFiles checks the files as far as they are on disk.
func checkFiles(ctx context.Context, s *session) error {
	if s.files == nil {
		return nil
	}
	var current, rotated []*ndjson.Reading
	err := database{s}.between(ctx, func() (err error) {
		if current, err = s.files.Readings(); err == nil {
			rotated, err = readRotated(s.store, s.files)
		}
		return err
	})
	wait := func() bool { return waited(ctx, checkedBytes*time.Second/slowest) }
	for _, r := range current {
		err = errors.Join(err, r.Check(wait))
	}
	var old error
	for _, r := range rotated {
		old = errors.Join(old, r.Check(wait))
	}
	if err == nil && errors.Is(old, ndjson.ErrChanged) {
		return database{s}.between(ctx, func() error { return mendFiles(s) })
	}
	return errors.Join(err, old)
}

// mendFiles mends the files that were rotated away.
func mendFiles(s *session) error {
	mended, lost, err := mendRotated(s.store, s.files, s.cfg.Log)
	err = errors.Join(err, noteLostLines(s, lost)) // before what the files now hold: cut off in between, it is found and told again
	if len(mended) == 0 {
		return err
	}
	return errors.Join(err, s.store.Write(func(tx *store.Tx) (err error) {
		for _, f := range mended {
			err = errors.Join(err, tx.WriteFileState(f.path, f.state))
		}
		return err
	}))
}

// waited waits, and reports whether ctx has not ended meanwhile.
func waited(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// pause is how long a check waits between two pieces of the database at path.
func pause(path string) time.Duration {
	var size int64
	if info, err := os.Stat(path); err == nil {
		size = info.Size()
	}
	pace := min(max(size/int64(passTime/time.Second), slowest), fastest)
	return checkedBytes * time.Second / time.Duration(pace)
}
