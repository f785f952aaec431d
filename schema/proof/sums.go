// Package proof keeps a checksum of every page of a SQLite database in a file beside it, and tells pages that are no longer what
// was written.
//
// A page that is written goes through the write-ahead log, of which the writer alone decides when it is written back. So the
// writer reads the frames of each commit ([Sums.Follow]) and notes each page's newest sum, and beside it the sum that the page has in the
// database meanwhile. A page of the database is sound when it has one of these two. The sums cover all of a page: tables, indexes,
// free pages, and bytes that are not used.
//
// A page that is damaged and is then written anew would be right by its new sum. So when a page's newest sum is noted, what the
// database has of the page must be sound: it is what SQLite has read.
package proof

import (
	"errors"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/proctape/proctape/schema/filecheck"
)

// Sums are the sums of a database's pages. The database's writer uses them, and one goroutine beside it may call Check. Close them
// after the database's connection.
type Sums struct {
	path string

	mu     sync.Mutex
	head   head
	pages  pages
	wal    walReader
	block  []byte          // for entries
	unread map[uint32]bool // pages that the database has as when their sum before was noted: nothing was written back since
	whole  time.Time       // until when all that was committed is in the database
	next   uint32          // page to check next; 0 when no pass is under way
	began  time.Time       // what the pass under way proves: all that was committed by then
	mended bool
}

// Open opens the sums of the database at path, which nobody else may write, before SQLite opens it, and notes what was committed
// before the last writer was cut off. known is false when there are none: [Sums.Adopt] then makes them of the database as it is. A damaged
// database is a *[DamageError].
func Open(path string) (s *Sums, known bool, err error) {
	s = &Sums{path: path, wal: walReader{path: path + "-wal"}, unread: map[uint32]bool{}}
	db, err := os.Open(path)
	if err != nil {
		return nil, false, err
	}
	f, err := filecheck.Create(Path(path), os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, false, errors.Join(err, db.Close())
	}
	s.pages = pages{db: db, sums: f}
	s.head, err = readHead(f)
	if errors.Is(err, errHead) {
		s.mended = true
		if s.head.pageSize, err = readPageSize(db); err == nil {
			err = s.head.write(f)
		}
	} else if errors.Is(err, ErrNoSums) {
		return s, false, nil
	}
	if err != nil {
		return nil, false, errors.Join(err, s.Close())
	}
	if s.head.pageSize < 512 { // the head of the database is damaged too
		return s, true, &DamageError{Path: path, Pages: []uint32{1}}
	}
	s.pages = newPages(db, f, s.head.pageSize)
	if _, err := s.Follow(); err != nil || !s.head.lost(&s.wal) {
		return s, true, err
	}
	return s, true, s.damage(true)
}

// Adopt makes the sums of the database as it is, after SQLite has opened it and before it is written.
func (s *Sums) Adopt() (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.head = head{}
	if s.head.pageSize, err = readPageSize(s.pages.db); err != nil {
		return err
	}
	s.pages = newPages(s.pages.db, s.pages.sums, s.head.pageSize)
	if err := s.pages.sums.Truncate(0); err != nil {
		return err
	}
	last, err := s.pages.count()
	if err != nil {
		return err
	}
	for page := uint32(1); page <= last; page += chunkPages {
		n := min(chunkPages, int(last-page)+1)
		content, err := s.pages.read(page, n)
		if err != nil {
			return err
		}
		entries := s.pages.buf[chunkPages*s.pages.size:][:n*entrySize]
		for i := range n {
			sum := s.pages.sum(content[i*s.pages.size : (i+1)*s.pages.size])
			entry{sum, sum}.put(entries[i*entrySize:])
		}
		if _, err := s.pages.sums.WriteAt(entries, entryAt(page)); err != nil {
			return err
		}
	}
	if err := s.pages.sums.Sync(); err != nil {
		return err
	}
	return errors.Join(s.head.write(s.pages.sums), s.follow())
}

// Mended is whether the head of the sums was damaged, so that it is not known how far the database was proven.
func (s *Sums) Mended() bool { return s.mended }

// Follow notes the sums of what was committed since it was last called, and returns how many frames the write-ahead log has. Where a page was damaged in the database when it was read to be
// written anew, what was made of it is not to be believed: that is a *[DamageError].
func (s *Sums) Follow() (frames int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err = s.follow()
	return s.wal.frames, err
}

func (s *Sums) follow() error {
	added, err := s.wal.read(s.pages.size, s.pages.sum)
	if err != nil {
		return err
	}
	if s.head.lacks(&s.wal) {
		return s.noteDamage(nil)
	}
	if len(added) == 0 {
		return nil
	}
	if added, err = s.addCut(added); err != nil {
		return err
	}
	newest := make(map[uint32]uint32, len(added))
	for _, f := range added {
		newest[f.page] = f.sum
	}
	changed := make([]uint32, 0, len(newest))
	for page := range newest {
		changed = append(changed, page)
	}
	slices.Sort(changed)
	sound, err := s.note(changed, newest, added)
	if err == nil && !sound {
		err = s.damage(false)
	}
	return err
}

// addCut adds the pages that the last commit cut off: they become zeros, as pages do that are not there.
func (s *Sums) addCut(added []frame) ([]frame, error) {
	last, err := s.pages.count()
	if err != nil {
		return nil, err
	}
	for page := added[len(added)-1].pages + 1; page <= last; page++ {
		added = append(added, frame{page: page})
	}
	return added, nil
}

// note notes the newest sums of pages, in the file, those that lie near each other together. It reports whether what the
// database had of them was sound.
func (s *Sums) note(changed []uint32, newest map[uint32]uint32, added []frame) (sound bool, err error) {
	const apart, together = 16, 1024
	if s.block == nil {
		s.block = make([]byte, together*entrySize)
	}
	for len(changed) > 0 {
		n, first := 1, changed[0]
		for n < len(changed) && changed[n]-changed[n-1] <= apart && changed[n]-first < together {
			n++
		}
		b := s.block[:int(changed[n-1]-first+1)*entrySize]
		if err := readZeros(s.pages.sums, b, entryAt(first)); err != nil {
			return false, err
		}
		for _, page := range changed[:n] {
			at := b[int(page-first)*entrySize:][:entrySize]
			e := readEntry(at)
			if e.newest == newest[page] {
				continue // it was noted before the last writer was cut off, who may have been writing it back
			}
			if sound, err := s.noteBefore(page, &e, added); err != nil || !sound {
				return false, err
			}
			e.newest = newest[page]
			e.put(at)
		}
		if _, err := s.pages.sums.WriteAt(b, entryAt(first)); err != nil {
			return false, err
		}
		changed = changed[n:]
	}
	return true, nil
}

// noteBefore notes the sum that a page has in the database, and reports whether it may have it. Somebody else who wrote the database
// may have had one of the added frames written back.
func (s *Sums) noteBefore(page uint32, e *entry, added []frame) (sound bool, err error) {
	if s.unread[page] {
		return true, nil
	}
	sum, err := s.pages.sumOf(page)
	if err != nil {
		return false, err
	}
	if sum != e.before && sum != e.newest && !slices.ContainsFunc(added, func(f frame) bool { return f.page == page && f.sum == sum }) {
		return false, nil
	}
	e.before = sum
	s.unread[page] = true
	return true, nil
}

func (s *Sums) noteDamage(pages []uint32) error {
	s.head.DamageSeen, s.head.Damaged = time.Now(), int64(len(pages))
	return errors.Join(&DamageError{s.path, pages}, s.head.write(s.pages.sums))
}

// damage notes which pages are damaged, if any is.
func (s *Sums) damage(newest bool) error {
	s.next = 0
	damaged, err := s.pages.checkAll(nil, newest)
	if err != nil || len(damaged) == 0 {
		return err
	}
	return s.noteDamage(damaged)
}

// Checkpoint has SQLite write frames back. What was committed is noted first, on disk: a page without its sum could not be told from a
// damaged one. run returns how many frames the write-ahead log has, and how many of them are in the database then.
func (s *Sums) Checkpoint(run func() (frames, done int, err error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if err := s.follow(); err != nil {
		return err
	}
	h := s.head
	if s.wal.frames > 0 && (h.partly || h.salts != s.wal.salts || h.frames != s.wal.frames) {
		s.head.salts, s.head.frames, s.head.partly = s.wal.salts, s.wal.frames, true
		if err := errors.Join(s.head.write(s.pages.sums), s.pages.sums.Sync()); err != nil {
			return err
		}
	}
	clear(s.unread)
	frames, done, err := run()
	if err != nil || done != frames || frames < 0 { // -1 when another connection writes it back
		return err
	}
	s.whole = now
	if s.head.partly {
		s.head.partly = false
		if err := s.head.write(s.pages.sums); err != nil {
			return err
		}
	}
	if s.wal.pages == 0 {
		return nil
	}
	return s.pages.sums.Truncate(entryAt(s.wal.pages + 1)) // the database may have become shorter
}

// Sync returns when what is noted is on disk.
func (s *Sums) Sync() error { return s.pages.sums.Sync() }

// State is what is known of the database's soundness.
func (s *Sums) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.head.State
}

// Close closes the files.
func (s *Sums) Close() error {
	if s == nil {
		return nil
	}
	return errors.Join(s.wal.close(), s.pages.db.Close(), s.pages.sums.Close())
}
