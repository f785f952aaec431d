package embeddednats

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/proctape/proctape/embedded-nats/block"
	"github.com/proctape/proctape/schema"
)

// checkBudget is how long the files of a store that was closed in order are checked before it is opened, the newest first. The
// check in the background reads the rest.
const checkBudget = 2 * time.Second

// storeCheck makes a store what the server may open. No server has it open meanwhile.
type storeCheck struct {
	dir   string
	aside *aside
	notes *notes
	beat  func() // is called after each file, see [Config]
	log   *slog.Logger
}

// run sweeps the store, and checks the descriptions of its streams and their files of messages: all of them, or when the store
// was closed in order the newest ones for checkBudget. What is damaged is set aside, and what the log lost is noted.
func (c *storeCheck) run(ctx context.Context, inOrder bool) error {
	if err := c.describe(); err != nil {
		return err
	}
	streams, err := streamDirs(c.dir)
	if err != nil {
		return err
	}
	progress := newProgress(c.log, streams)
	for i, d := range streams {
		var until time.Time
		if inOrder { // each stream has its part of the time
			until = progress.began.Add(checkBudget * time.Duration(i+1) / time.Duration(len(streams)))
		}
		if err := c.stream(ctx, d, inOrder, until, progress); err != nil {
			return fmt.Errorf("check the log's stream %s: %w", d.name, err)
		}
	}
	progress.end()
	return nil
}

// describe sweeps the store and checks the descriptions of its streams.
func (c *storeCheck) describe() error {
	if err := sweep(c.dir, c.aside, c.log); err != nil {
		return fmt.Errorf("clear the log's leftovers away: %w", err)
	}
	streams, err := streamDirs(c.dir)
	if err != nil {
		return err
	}
	for _, d := range streams {
		if err := d.checkMeta(c.aside, c.log); err != nil {
			return err
		}
	}
	return nil
}

// again checks a stream of which the check in the background found a file damaged.
func (c *storeCheck) again(ctx context.Context, d streamDir) error {
	c.log.Warn("a file of the log is damaged; the log's server restarts in place without what cannot be read", "stream", d.name)
	return c.stream(ctx, d, true, time.Time{}, newProgress(c.log, []streamDir{d}))
}

// stream checks the files of messages of a stream, the newest first, until a time where one is given.
func (c *storeCheck) stream(ctx context.Context, d streamDir, inOrder bool, until time.Time, progress *progress) error {
	files, err := d.blocks()
	if err != nil {
		return err
	}
	h := history{whole: inOrder, all: true, holes: !isDataStream(d.name)}
	if h.index, h.hasIndex, err = block.ReadIndex(filepath.Join(d.messages(), indexName), d.name); err != nil {
		return err
	}
	if !h.hasIndex { // the server reads all of the stream now
		until = time.Time{}
	}
	var read []readBlock
	for _, f := range slices.Backward(files) {
		if !until.IsZero() && time.Now().After(until) {
			h.all = false
			break
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		r, err := block.Read(f.path, d.name, f.number)
		if err != nil {
			return err
		}
		if read = append(read, readBlock{f, r}); len(read) == 1 && max(r.Last, r.Removed) != h.index.Last {
			until = time.Time{} // the index is not of this store: the server reads all of the stream
		}
		progress.add(f.size)
		c.beat()
	}
	slices.Reverse(read)
	return c.repair(d, read, h)
}

// isDataStream reports whether databases read a stream. Messages are removed from such a stream only at its beginning.
func isDataStream(name string) bool { return slices.Contains(schema.DataStreams, name) }

// repair writes the files of a stream that are damaged anew, and notes what is lost.
func (c *storeCheck) repair(d streamDir, files []readBlock, h history) error {
	losses, removed := lossesOf(files, h)
	kept, err := c.rewrite(d, files, losses, h)
	if err != nil {
		return err
	}
	for _, l := range losses {
		if n := l.count(removed); n.Known && n.V == 0 {
			continue // all of it had been removed before
		}
		g := l.gap(d.name, removed, kept[l.file])
		c.log.Warn("the log lost messages", "count", countText(g.Count), "what", g.Details)
		if h.holes {
			continue // no database reads this stream
		}
		if err := c.notes.add(g); err != nil {
			return err
		}
	}
	return nil
}

func countText(n schema.Opt[int64]) string {
	if !n.Known {
		return "unknown"
	}
	return fmt.Sprint(n.V)
}

// rewrite writes files anew with what can be read of them, and returns where the old ones are kept. At the end of each loss it
// says in the file before it that the sequences were given away.
func (c *storeCheck) rewrite(d streamDir, files []readBlock, losses []loss, h history) (kept map[string]string, err error) {
	kept = map[string]string{}
	changed, last := false, lastKept(files)
	for i, f := range files {
		seal := sealOf(f, losses, h)
		// The server goes on writing in the last file, whether it is compressed or not.
		if f.Sound() && seal <= f.Last && (i != last || !f.Compressed) {
			continue
		}
		changed = true
		if !f.Sound() {
			if kept[f.path], err = c.aside.copy(f.path); err != nil {
				return nil, err
			}
		}
		if f.Mended || f.Unfinished > 0 {
			c.log.Warn("a file of the log was not as it was written and is mended; no message is lost", "file", f.path, "kept", kept[f.path],
				"unfinished_bytes", f.Unfinished)
		}
		if err := block.Rewrite(f.path, d.name, f.number, seal, i == last); err != nil {
			return nil, err
		}
	}
	if last < 0 && h.hasIndex && h.index.Last > 0 {
		changed = true
		if err := os.MkdirAll(d.messages(), 0o700); err != nil {
			return nil, err
		}
		if err := block.Seal(d.block(1), d.name, 1, h.index.Last, h.index.LastTime); err != nil {
			return nil, err
		}
	}
	if changed { // it says what was
		if err := os.Remove(filepath.Join(d.messages(), indexName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return kept, nil
}

// lastKept is the last file of which something is left; -1 when there is none.
func lastKept(files []readBlock) int {
	for i := len(files) - 1; i >= 0; i-- {
		if files[i].Last > 0 || files[i].Removed > 0 {
			return i
		}
	}
	return -1
}

// sealOf is the last sequence that was given away before a file was closed, where it is in no file any more; else 0.
func sealOf(f readBlock, losses []loss, h history) uint64 {
	for _, l := range losses {
		if l.after != f.Last || f.Last == 0 {
			continue
		}
		known := max(l.before, 1) - 1
		if l.atEnd && h.hasIndex {
			known = max(known, h.index.Last)
		}
		return known
	}
	return 0
}

// progress says how far a check is that takes more than two seconds.
type progress struct {
	log         *slog.Logger
	began, said time.Time
	done, all   int64
}

// The times after which a check says how far it is, the first time and then again.
const (
	quiet      = 2 * time.Second
	sayingEach = 5 * time.Second
)

func newProgress(log *slog.Logger, streams []streamDir) *progress {
	p := &progress{log: log, began: time.Now()}
	p.said = p.began.Add(quiet - sayingEach)
	for _, d := range streams {
		files, _ := d.blocks() // an error comes again when they are read
		for _, f := range files {
			p.all += f.size
		}
	}
	return p
}

func (p *progress) add(bytes int64) {
	p.done += bytes
	if now := time.Now(); now.Sub(p.said) >= sayingEach {
		p.said = now
		p.log.Warn("checking the log before it is opened", "checked_mib", p.done>>20, "of_mib", p.all>>20)
	}
}

func (p *progress) end() {
	took := time.Since(p.began)
	p.log.Debug("checked the log", "checked_bytes", p.done, "of_bytes", p.all, "took", took)
	if took >= quiet {
		p.log.Warn("the log is checked", "checked_mib", p.done>>20, "of_mib", p.all>>20, "took", took.Round(time.Millisecond))
	}
}
