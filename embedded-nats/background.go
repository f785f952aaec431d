package embeddednats

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/proctape/proctape/embedded-nats/block"
	"github.com/proctape/proctape/schema/trouble"
)

// backgroundCheck reads the files of messages of a store that a server has open.
type backgroundCheck struct {
	dir   string
	rate  int64         // bytes a second; not above 0 for no check
	pause time.Duration // at least, between the beginnings of two passes

	trouble *trouble.Reporter // is told when files cannot be read
}

// settleTime is how long a file is given that the server may be writing.
const settleTime = time.Second

// run reads all files again and again until ctx ends. It sends the stream of a file that is damaged, and goes on when that is
// dealt with.
func (c *backgroundCheck) run(ctx context.Context, damaged chan<- streamDir) {
	for c.rate > 0 && ctx.Err() == nil {
		began := time.Now()
		streams, err := streamDirs(c.dir)
		for _, d := range streams {
			bad, failed := c.isDamaged(ctx, d)
			if err = errors.Join(err, failed); !bad {
				continue
			}
			select {
			case damaged <- d:
			case <-ctx.Done():
			}
		}
		c.report(ctx, err)
		sleep(ctx, max(c.pause-time.Since(began), settleTime))
	}
}

// report says that files of the log could not be read, or that they could.
func (c *backgroundCheck) report(ctx context.Context, err error) {
	const about = "files of the log"
	switch {
	case ctx.Err() != nil:
	case err != nil:
		c.trouble.Begin("check of the log", trouble.Trouble{Kind: trouble.Unreadable, About: about, Reason: err.Error()})
	default:
		c.trouble.End("check of the log", trouble.Unreadable, about, "nothing lost")
	}
}

// isDamaged reads the files of messages of a stream, and reports whether one is damaged or missing between two others.
func (c *backgroundCheck) isDamaged(ctx context.Context, d streamDir) (bool, error) {
	files, err := d.blocks()
	if err != nil {
		return false, err
	}
	last := uint64(0)
	for i, f := range files {
		sleep(ctx, time.Duration(float64(f.size)/float64(c.rate)*float64(time.Second)))
		if ctx.Err() != nil {
			return false, nil
		}
		read, bad, err := c.readTwice(ctx, d, f)
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
func (c *backgroundCheck) readTwice(ctx context.Context, d streamDir, f blockFile) (*block.File, bool, error) {
	first, err := block.Read(f.path, d.name, f.number)
	if err != nil || first.Sound() {
		return first, false, err
	}
	sleep(ctx, settleTime)
	again, err := block.Read(f.path, d.name, f.number)
	if err != nil || again.Sound() {
		return again, false, err
	}
	// An end that grows is being written.
	return again, again.Size == first.Size || len(again.Holes) > 0 && again.Holes[0].Before > 0, nil
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
