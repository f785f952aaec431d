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
	passInterval = time.Minute // from the beginning of a pass to the next, at least
	checkedBytes = 256 << 10   // at a time
	slowest      = 1 << 20     // bytes a second
	fastest      = 8 << 20
)

// checkAll checks the pages of the database at path, and the files, pass by pass, until ctx ends. between has the one who writes them
// do something. What is not as it was written is an error.
func checkAll(ctx context.Context, db *store.Store, path string, files *ndjson.Files, between func(context.Context, func() error) error) error {
	for wait := time.Until(db.Proof().PassEnded.Add(passInterval)); waited(ctx, wait); {
		began := time.Now()
		err := between(ctx, db.WriteBack)
		for ended := false; err == nil && !ended; {
			if ended, err = db.CheckPages(); !ended && !waited(ctx, pause(path)) {
				break
			}
		}
		if err == nil {
			err = checkFiles(ctx, files, between)
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
		wait = time.Until(began.Add(passInterval))
	}
	return nil
}

// checkFiles checks the files as far as they are on disk.
func checkFiles(ctx context.Context, files *ndjson.Files, between func(context.Context, func() error) error) error {
	var readings []*ndjson.Reading
	err := between(ctx, func() (err error) {
		readings, err = files.Readings()
		return err
	})
	for _, r := range readings {
		err = errors.Join(err, r.Check(func() bool { return waited(ctx, checkedBytes*time.Second/slowest) }))
	}
	return err
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
