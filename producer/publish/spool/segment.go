package spool

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// segment is one file of a lane. It is removed as a whole, when the log has all of it, or when there is no more room for it.
type segment struct {
	path    string
	size    int64 // bytes that are sound
	records int
	items   uint64
	newest  int64 // by CLOCK_BOOTTIME, of the newest record

	begin   int64 // where what waits begins: of the first record that the log has not got
	first   int   // number of that record
	taken   map[int]bool
	waiting int // records that the log has not got
	left    uint64
	gone    bool
}

// add counts a record that was written.
func (s *segment) add(r *Record, size int64) {
	s.size += size
	s.records++
	s.items += r.Items
	s.waiting++
	s.left += r.Items
	s.newest = max(s.newest, r.Boot)
}

// readSegment reads a file as far as it is sound. cut says that it goes on behind that: it was not written to its end, or is damaged.
func readSegment(path string) (s *segment, head Head, cut bool, err error) {
	b, err := readFile(path)
	if err != nil {
		return nil, head, false, err
	}
	body, n, err := readFrame(b)
	if err != nil {
		return nil, head, true, err
	}
	if head, err = parseHead(body); err != nil {
		return nil, head, false, err
	}
	s = &segment{path: path, size: int64(n), begin: int64(n)}
	for b = b[n:]; len(b) > 0; b = b[n:] {
		var r Record
		if body, n, err = readFrame(b); err == nil {
			r, err = parseRecord(body)
		}
		if err != nil {
			return s, head, true, nil
		}
		s.add(&r, int64(n))
	}
	return s, head, false, nil
}

// maxFile is more than a file of a spool has, in bytes.
const maxFile = 2 * maxBody

func readFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("it is no file")
	case info.Size() > maxFile:
		return nil, errDamaged
	}
	b := make([]byte, info.Size())
	n, err := f.ReadAt(b, 0)
	if n < len(b) && err != nil {
		return nil, err
	}
	return b[:n], nil
}

// Entry is a message on disk that the log has not got yet.
type Entry struct {
	Record
	at place
}

// place is where a record stands.
type place struct {
	segment *segment
	number  int
	end     int64 // where the next one begins
}

// read appends what waits in the segment, the oldest first, to list, as long as there is room.
func (s *segment) read(list []Entry, room *room) ([]Entry, error) {
	if s.waiting == 0 || room.full() {
		return list, nil
	}
	f, err := os.Open(s.path)
	if err != nil {
		return list, err
	}
	defer f.Close()
	b := make([]byte, s.size-s.begin)
	if _, err := f.ReadAt(b, s.begin); err != nil {
		return list, err
	}
	at := s.begin
	for number := s.first; number < s.records && !room.full(); number++ {
		body, n, err := readFrame(b)
		if err != nil {
			return list, err
		}
		r, err := parseRecord(body)
		if err != nil {
			return list, err
		}
		b, at = b[n:], at+int64(n)
		if s.taken[number] {
			continue
		}
		room.take(n)
		list = append(list, Entry{r, place{s, number, at}})
	}
	return list, nil
}

// take notes that the log has a record.
func (s *segment) take(at place, items uint64) {
	if at.number < s.first || s.taken[at.number] {
		return
	}
	s.waiting--
	s.left -= items
	if at.number == s.first {
		s.first, s.begin = at.number+1, at.end
		return
	}
	if s.taken == nil {
		s.taken = map[int]bool{}
	}
	s.taken[at.number] = true
}

// room is how much more may be read.
type room struct{ records, bytes int }

func (r *room) full() bool { return r.records <= 0 || r.bytes <= 0 }

func (r *room) take(bytes int) { r.records, r.bytes = r.records-1, r.bytes-bytes }
