package publish

import (
	"cmp"
	"errors"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/producer/publish/spool"
	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/lockfile"
)

// How much may wait on disk, where [Config] does not say.
const (
	DefaultSpool    = 512 << 20
	DefaultSpoolAge = 7 * 24 * time.Hour
)

// spillAfter is how long a message waits in memory before it goes to disk.
const spillAfter = 2 * time.Second

// How much is read from the disk for one batch. A message that was made just now waits behind one batch at most.
const (
	drainRecords = window
	drainBytes   = 256 << 10
)

// drainTime is how long a batch from the disk may take before the next one is smaller.
const drainTime = 250 * time.Millisecond

// backlog is what waits on disk: what earlier lives of the host left, the oldest life first, and what this one could not publish. Its
// lock is taken before the publisher's, and held while the disk is waited for.
type backlog struct {
	mu sync.Mutex

	folder string     // of the lives; empty for none
	off    bool       // nothing of this life goes to disk
	head   spool.Head // of the own spool
	limit  int64      // bytes
	age    time.Duration
	now    func() int64 // by CLOCK_BOOTTIME
	log    *slog.Logger

	earlier []*spool.Spool
	own     *spool.Spool    // nil: nothing waits of this life
	passed  map[string]bool // spools that were logged
	drain   int             // how many snapshots the next batch may have
	untold  map[string]bool // lanes of which the log has not heard that the oldest of it went
}

// bootTime reads CLOCK_BOOTTIME, clock_gettime(2).
func bootTime() int64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) // it is always there
	return ts.Nano()
}

// newBacklog returns the backlog in a folder of lives. No limit and no age stand for the defaults, a negative limit for a disk that takes nothing.
func newBacklog(folder string, head spool.Head, limit int64, age time.Duration, log *slog.Logger) *backlog {
	return &backlog{folder: folder, head: head, limit: cmp.Or(limit, DefaultSpool), age: cmp.Or(age, DefaultSpoolAge), now: bootTime, log: log,
		off: folder == "" || limit < 0, passed: map[string]bool{}, untold: map[string]bool{}, drain: 1}
}

// spools are all there are, in the order in which they are published.
func (b *backlog) spools() []*spool.Spool {
	if b.own == nil {
		return b.earlier
	}
	return append(slices.Clip(b.earlier), b.own)
}

// depth is what waits, and what of it is in the lane of events.
func (b *backlog) depth() (all, events spool.Depth) {
	for _, s := range b.spools() {
		events.Add(s.Depth(spool.Events))
		all.Add(s.Depth(spool.Snapshots))
	}
	all.Add(events)
	return all, events
}

func laneOf(k schema.Kind) string {
	if k == schema.KindSnapshot {
		return spool.Snapshots
	}
	return spool.Events
}

// holdsSnapshotsUp reports whether snapshots of earlier lives wait. They go before those of this one: the log would take the time
// between for one in which nobody recorded, and a boot of which it hears later for a later one.
func (b *backlog) holdsSnapshotsUp() bool {
	return slices.ContainsFunc(b.earlier, func(s *spool.Spool) bool { return s.Depth(spool.Snapshots).Messages > 0 })
}

// store writes messages of this life to disk, in their order. It returns those that are there now.
func (b *backlog) store(list []*queued) (stored []*queued, err error) {
	if b.own == nil {
		path := filepath.Join(b.folder, b.head.Host+"."+b.head.Instance.String()+spool.Suffix)
		if b.own, err = spool.Create(path, b.head); err != nil {
			return nil, err
		}
	}
	lanes := map[string][]*queued{}
	for _, m := range list {
		lanes[laneOf(m.kind)] = append(lanes[laneOf(m.kind)], m)
	}
	for lane, list := range lanes {
		records := make([]spool.Record, len(list))
		for i, m := range list {
			records[i] = spool.Record{Subject: m.msg.Subject, ID: m.msg.Header.Get(nats.MsgIdHdr), Encoding: m.msg.Header.Get(schema.HeaderEncoding),
				Items: m.count, Boot: m.boot, Data: m.msg.Data}
		}
		entries, failed := b.own.Append(lane, records)
		err = errors.Join(err, failed)
		for i := range entries {
			list[i].onDisk = &kept{Entry: entries[i], in: b.own, own: true}
		}
		stored = append(stored, list[:len(entries)]...)
	}
	return stored, err
}

// makeRoom drops the oldest, snapshots before events, until so many bytes more have room. It returns how many items of this life went, and
// how many of earlier ones.
func (b *backlog) makeRoom(bytes int64) (own, others uint64) {
	for _, lane := range []string{spool.Snapshots, spool.Events} {
		for _, s := range b.spools() {
			for {
				if all, _ := b.depth(); all.Bytes+bytes <= b.limit {
					return own, others
				}
				items, ok := s.DropOldest(lane)
				if !ok {
					break
				}
				b.untold[lane] = b.untold[lane] || s == b.own
				countGone(s == b.own, items, &own, &others)
			}
		}
	}
	return own, others
}

// expire drops what is older than it may be. How old something of another boot is nobody knows: as old as this boot at least.
func (b *backlog) expire() (own, others uint64) {
	now := b.now()
	for _, s := range b.spools() {
		before := now - int64(b.age)
		if s.Head().BootID != b.head.BootID {
			if before <= 0 {
				continue
			}
			before = math.MaxInt64
		}
		items := s.Expire(before)
		if items > 0 && s == b.own {
			b.untold[spool.Snapshots], b.untold[spool.Events] = true, true
		}
		countGone(s == b.own, items, &own, &others)
	}
	return own, others
}

// countGone counts items that went of a spool, which is this life's own or not.
func countGone(isOwn bool, items uint64, own, others *uint64) {
	if isOwn {
		*own += items
	} else {
		*others += items
	}
}

// read returns what is to be published next of a lane. lost are the items of this life that cannot be read any more.
func (b *backlog) read(lane string, records int) (list []*queued, lost uint64) {
	bytes := drainBytes
	for _, s := range b.spools() {
		entries, gone, err := s.Read(lane, records-len(list), bytes)
		if err != nil {
			b.log.Warn("some of what waits on disk for the log cannot be read, and is lost", "err", err)
			if s == b.own {
				lost += gone
			}
		}
		for i := range entries {
			list = append(list, b.queued(lane, s, &entries[i]))
			bytes -= len(entries[i].Data)
		}
		if len(list) >= records || bytes <= 0 {
			break
		}
	}
	return list, lost
}

func (b *backlog) queued(lane string, s *spool.Spool, e *spool.Entry) *queued {
	m := &queued{kind: kindOf(e.ID), count: e.Items, boot: e.Boot, inFlight: true, onDisk: &kept{Entry: *e, in: s, own: s == b.own}}
	m.msg = newMsg(e.Subject, e.ID, e.Encoding, e.Items, e.Data)
	m.onDisk.Data = nil
	return m
}

// sweep deletes what the log has, and returns the lives of which nothing waits any more.
func (b *backlog) sweep() (done []schema.Instance) {
	for _, s := range slices.Clone(b.spools()) {
		s.Sweep()
		if all, events := s.Depth(spool.Snapshots), s.Depth(spool.Events); all.Messages+events.Messages > 0 {
			continue
		}
		if err := s.Remove(); err != nil {
			b.log.Warn("a folder in which nothing waits for the log stays", "err", err)
		}
		if s == b.own {
			b.own = nil
			clear(b.untold)
			continue
		}
		b.earlier = slices.DeleteFunc(b.earlier, func(other *spool.Spool) bool { return other == s })
		done = append(done, s.Head().Instance)
	}
	return done
}

// takeUp takes up the spools of lives of the host that have ended, the oldest life first as far as that can be told.
func (b *backlog) takeUp() {
	if b.folder == "" {
		return
	}
	paths, _ := filepath.Glob(filepath.Join(b.folder, b.head.Host+".*"+spool.Suffix)) // the pattern is good
	for _, path := range paths {
		if b.has(path) || b.passed[path] {
			continue
		}
		s, damaged, err := spool.Open(path)
		if _, held := errors.AsType[*lockfile.HeldError](err); held || errors.Is(err, os.ErrNotExist) {
			continue
		}
		switch {
		case err != nil:
			b.passOver(path, "what a life of this host left for the log is not read", "err", err)
		case s.Head().Version == 0: // it was cut off before it wrote anything, or nothing of it can be read
			b.passOver(path, "nothing of what a life of this host left for the log can be read", "err", errors.Join(damaged, s.Remove()))
		case s.Head().Log != b.head.Log:
			b.passOver(path, "a life left messages for another log, and only a sampler that publishes into that one takes them", "log", s.Head().Log)
			_ = s.Close() // nothing was written
		default:
			if damaged != nil {
				b.log.Warn("some of what a life of this host left for the log cannot be read, and is lost", "folder", path, "err", damaged)
			}
			b.earlier = append(b.earlier, s)
		}
	}
	slices.SortStableFunc(b.earlier, func(x, y *spool.Spool) int { // one boot after the other, this one last
		order := func(s *spool.Spool) int {
			if s.Head().BootID == b.head.BootID {
				return 1
			}
			return 0
		}
		return cmp.Or(cmp.Compare(order(x), order(y)), cmp.Compare(x.Head().Wall, y.Head().Wall))
	})
}

func (b *backlog) passOver(path, why string, about ...any) {
	b.passed[path] = true
	b.log.Warn(why, append([]any{"folder", path}, about...)...)
}

func (b *backlog) has(path string) bool {
	return slices.ContainsFunc(b.spools(), func(s *spool.Spool) bool { return s.Folder() == path })
}

// standsIn says what becomes of a life that has ended: whether something of it waits on disk, and whether that is this publisher's to
// publish.
func (b *backlog) standsIn(life schema.Instance) (waits, ours bool) {
	path := filepath.Join(b.folder, b.head.Host+"."+life.String()+spool.Suffix)
	if b.has(path) {
		return true, true
	}
	_, err := os.Lstat(path)
	return err == nil, false
}

// close gives all up, and leaves what waits.
func (b *backlog) close() {
	for _, s := range b.spools() {
		if err := s.Close(); err != nil {
			b.log.Warn("closing what waits on disk for the log", "err", err)
		}
	}
}

// kindOf is the kind in a message's id: instance, kind and number.
func kindOf(id string) schema.Kind {
	first, last := strings.IndexByte(id, '.'), strings.LastIndexByte(id, '.')
	if first < 0 || first >= last {
		return ""
	}
	return schema.Kind(id[first+1 : last])
}
