// Package spool keeps messages on disk while the log that they are for cannot be reached. A spool is a folder of one life of a producer.
// It has a lane for each stream, of files of about a megabyte: messages are appended, and a file is deleted when the log has all of
// it, or as the oldest when there is no more room. What was appended is on disk when the call returns (docs/adr/0034-spool.md).
package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/schema/filecheck"
	"github.com/proctape/proctape/schema/lockfile"
)

// Suffix is the end of the name of a spool's folder.
const Suffix = ".spool"

// lockName is the name of the file in it whose lock says that its life goes on, or that somebody has taken it up.
const lockName = "lock"

// The lanes of a spool, in the order in which they are to be published.
const (
	Events    = "events"
	Snapshots = "snapshots"
)

var laneNames = []string{Events, Snapshots}

// Spool is the messages of one life of a producer that wait on disk. Whoever has it open holds its lock. One goroutine at a time uses it.
type Spool struct {
	home
	lock  *os.File
	lanes map[string]*lane
}

// Create makes the spool of a life that has none, in a folder that need not be there.
func Create(folder string, head Head) (*Spool, error) { return create(folder, head, realDisk{}) }

func create(folder string, head Head, d disk) (*Spool, error) {
	parent := filepath.Dir(folder)
	if err := filecheck.Folder(parent); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	head.Version = headVersion
	s := newSpool(folder, d)
	s.head = head
	if err := s.hold(); err != nil {
		return nil, err
	}
	for _, synced := range []string{parent, filepath.Dir(parent)} {
		if err := d.syncFolder(synced); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

func newSpool(folder string, d disk) *Spool {
	s := &Spool{home: home{folder: folder, disk: d}, lanes: map[string]*lane{}}
	for _, name := range laneNames {
		s.lanes[name] = &lane{name: name}
	}
	return s
}

// hold takes the lock.
func (s *Spool) hold() error {
	f, err := os.OpenFile(filepath.Join(s.folder, lockName), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return err
	}
	if err := lockfile.Try(f); err != nil {
		f.Close()
		return err
	}
	s.lock = f
	return nil
}

// Open takes up the spool of a life that has ended. damaged tells what of it cannot be read; the numbers of its messages tell the log how much that
// was. It returns a *[lockfile.HeldError] for a life that goes on.
func Open(folder string) (s *Spool, damaged, err error) {
	if err := filecheck.Folder(folder); err != nil {
		return nil, nil, err
	}
	s = newSpool(folder, realDisk{})
	if err := s.hold(); err != nil {
		return nil, nil, err
	}
	damaged, err = s.load()
	if err != nil {
		return nil, nil, errors.Join(err, s.Close())
	}
	return s, damaged, nil
}

// load reads what is in the folder.
func (s *Spool) load() (damaged, err error) {
	entries, err := os.ReadDir(s.folder) // by name, and so by age
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		name, _, _ := strings.Cut(e.Name(), "-")
		l := s.lanes[name]
		if l == nil || !strings.HasSuffix(e.Name(), segmentSuffix) {
			continue
		}
		seg, head, cut, err := readSegment(filepath.Join(s.folder, e.Name()))
		if err != nil || cut {
			damaged = errors.Join(damaged, fmt.Errorf("%s: %w", e.Name(), cmpErr(err, errDamaged)))
		}
		if err == nil && s.head.Version != 0 && head != s.head {
			damaged = errors.Join(damaged, fmt.Errorf("%s: it is of another life", e.Name()))
			continue
		}
		if seg != nil && err == nil {
			s.head = head
			l.segments = append(l.segments, seg)
		}
	}
	for _, l := range s.lanes {
		l.sweep()
	}
	return damaged, nil
}

func cmpErr(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

// Head says whose the messages are. It is empty for a spool in which nothing can be read.
func (s *Spool) Head() Head { return s.head }

// Folder is where the spool is.
func (s *Spool) Folder() string { return s.folder }

// Append appends messages to a lane. Those for which it returns an entry are on disk, and will be after a power cut. An error is of the next one.
func (s *Spool) Append(laneName string, records []Record) ([]Entry, error) {
	places, err := s.lanes[laneName].append(&s.home, records)
	entries := make([]Entry, len(places))
	for i := range places {
		entries[i] = Entry{records[i], places[i]}
		entries[i].Data = nil // it is on disk
	}
	return entries, err
}

// Read returns what waits in a lane, the oldest first: at most so many messages, and no more of so many bytes than the last one. lost are the
// items of a file that cannot be read, which is given up.
func (s *Spool) Read(laneName string, records, bytes int) (list []Entry, lost uint64, err error) {
	return s.lanes[laneName].read(room{records, bytes})
}

// Take notes that the log has a message, or will never take it.
func (s *Spool) Take(e Entry) {
	if e.at.segment.gone {
		return
	}
	e.at.segment.take(e.at, e.Items)
}

// Sweep deletes the files that the log has all of.
func (s *Spool) Sweep() {
	for _, l := range s.lanes {
		l.sweep()
	}
}

// DropOldest deletes the oldest file of a lane. It returns what was lost by that; ok is false when there is none.
func (s *Spool) DropOldest(laneName string) (items uint64, ok bool) {
	l := s.lanes[laneName]
	if len(l.segments) == 0 {
		return 0, false
	}
	items = l.segments[0].left
	l.remove(l.segments[0])
	return items, true
}

// Expire deletes the files in which all was made before a time of CLOCK_BOOTTIME. It returns how many items were lost by that.
func (s *Spool) Expire(before int64) (items uint64) {
	for _, l := range s.lanes {
		for _, seg := range slices.Clone(l.segments) {
			if seg.newest < before {
				items += seg.left
				l.remove(seg)
			}
		}
	}
	return items
}

// Depth is what waits.
type Depth struct {
	Messages int    `json:"messages"`
	Items    uint64 `json:"items"`
	Bytes    int64  `json:"bytes"` // of the files
}

// Add adds what waits elsewhere.
func (d *Depth) Add(other Depth) {
	d.Messages, d.Items, d.Bytes = d.Messages+other.Messages, d.Items+other.Items, d.Bytes+other.Bytes
}

// Depth is what waits in a lane.
func (s *Spool) Depth(laneName string) (d Depth) {
	for _, seg := range s.lanes[laneName].segments {
		d.Add(Depth{seg.waiting, seg.left, seg.size})
	}
	return d
}

// Close gives the lock up, and leaves what waits.
func (s *Spool) Close() error {
	var errs []error
	for _, l := range s.lanes {
		errs = append(errs, l.close())
	}
	return errors.Join(append(errs, s.lock.Close())...)
}

// Remove deletes the spool, in which nothing waits. A folder with something else in it stays.
func (s *Spool) Remove() error {
	err := s.Close()
	for _, name := range []string{lockName, ""} {
		if gone := os.Remove(filepath.Join(s.folder, name)); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	return err
}

// DepthOf is what waits in a folder's spools, whoever has them, as their files say.
func DepthOf(folder string) (d Depth) {
	paths, _ := filepath.Glob(filepath.Join(folder, "*"+Suffix, "*"+segmentSuffix)) // the pattern is good
	for _, path := range paths {
		if seg, _, _, err := readSegment(path); err == nil {
			d.Add(Depth{seg.waiting, seg.left, seg.size})
		}
	}
	return d
}
