package proof

import (
	"errors"
	"os"
	"time"
)

// Check checks the next pages of a pass, n at most, and reports whether the pass is at its end. It then notes how far the database is proven.
// Where a page is damaged it checks all, and returns a *[DamageError] with those that are.
func (s *Sums) Check(n int) (ended bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last, err := s.pages.count()
	if err != nil {
		return false, err
	}
	if s.next == 0 {
		s.next, s.began = 1, s.whole
	}
	for n > 0 && s.next <= last {
		k := min(n, chunkPages, int(last-s.next)+1)
		damaged, err := s.pages.check(s.next, k, nil, false)
		if err != nil {
			return false, err
		}
		if len(damaged) > 0 {
			return false, s.damage(false)
		}
		s.next += uint32(k)
		n -= k
	}
	if s.next <= last {
		return false, nil
	}
	s.next = 0
	s.head.State = State{ProvenUntil: s.began, PassEnded: time.Now()}
	return true, s.head.write(s.pages.sums)
}

// CheckAll checks all pages, and returns a *[DamageError] when one is damaged.
func (s *Sums) CheckAll() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.damage(false)
}

// CheckFile checks all pages of the database at path, which nobody writes meanwhile, and changes nothing. It returns a *[DamageError]
// when some are damaged, and [ErrNoSums] for a database whose pages have no sums. Pages that the write-ahead log has are left out: they
// are read from there, and it has checksums of its own.
func CheckFile(path string) error {
	sums, err := os.Open(Path(path))
	if errors.Is(err, os.ErrNotExist) {
		return ErrNoSums
	} else if err != nil {
		return err
	}
	defer sums.Close()
	db, err := os.Open(path)
	if err != nil {
		return err
	}
	defer db.Close()
	head, err := readHead(sums)
	if err != nil {
		return err
	}
	wal := walReader{path: path + "-wal"}
	defer wal.close()
	pages := newPages(db, sums, head.pageSize)
	added, err := wal.read(pages.size, pages.sum)
	if err != nil {
		return err
	}
	inLog := map[uint32]bool{}
	for _, f := range added {
		inLog[f.page] = true
	}
	damaged, err := pages.checkAll(inLog, head.lost(&wal))
	if err != nil {
		return err
	}
	if len(damaged) > 0 || head.lacks(&wal) {
		return &DamageError{path, damaged}
	}
	return nil
}
