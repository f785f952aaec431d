package proof

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
)

// chunkPages is how many pages are read at a time.
const chunkPages = 64

// DamageError says that a database is not what was written.
type DamageError struct {
	Path  string
	Pages []uint32 // that are not as they were written, from 1, rising; none when it is not known which
}

// Error implements error.
func (e *DamageError) Error() string {
	if len(e.Pages) == 0 {
		return fmt.Sprintf("database %s is damaged: its write-ahead log lost a part of what is in the database", e.Path)
	}
	return fmt.Sprintf("database %s is damaged: pages that are not as they were written: %d, the first is page %d", e.Path, len(e.Pages), e.Pages[0])
}

// entry is the sums that a page may have in the database.
type entry struct{ before, newest uint32 }

func readEntry(b []byte) entry {
	return entry{binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])}
}

func (e entry) put(b []byte) {
	binary.LittleEndian.PutUint32(b, e.before)
	binary.LittleEndian.PutUint32(b[4:], e.newest)
}

func entryAt(page uint32) int64 { return headSize + int64(page-1)*entrySize }

// pages are the pages of a database, and the entries of their sums. A page that is not there is one of zeros, and so is an entry.
type pages struct {
	db, sums *os.File
	size     int    // of a page, in bytes
	zero     uint32 // CRC-32C of a page of zeros
	buf      []byte
}

func newPages(db, sums *os.File, size int) pages {
	return pages{db: db, sums: sums, size: size, zero: crc32.Checksum(make([]byte, size), castagnoli), buf: make([]byte, chunkPages*(size+entrySize))}
}

// sum is a page's sum: its CRC-32C, but 0 for a page of zeros, so that what was never written needs no entry.
func (p *pages) sum(content []byte) uint32 {
	switch sum := crc32.Checksum(content, castagnoli); sum {
	case p.zero:
		return 0
	case 0:
		return p.zero
	default:
		return sum
	}
}

// read reads n pages, [chunkPages] at most. What it returns is good until the next call.
func (p *pages) read(first uint32, n int) ([]byte, error) {
	content := p.buf[:n*p.size]
	return content, readZeros(p.db, content, int64(first-1)*int64(p.size))
}

// sumOf reads a page of the database, and returns its sum.
func (p *pages) sumOf(page uint32) (uint32, error) {
	content, err := p.read(page, 1)
	return p.sum(content), err
}

// check returns which of n pages, [chunkPages] at most, have none of their sums, or with newest not the newest. Those that skip names are
// left out.
func (p *pages) check(first uint32, n int, skip map[uint32]bool, newest bool) (damaged []uint32, err error) {
	content, err := p.read(first, n)
	if err != nil {
		return nil, err
	}
	entries := p.buf[chunkPages*p.size:][:n*entrySize]
	if err := readZeros(p.sums, entries, entryAt(first)); err != nil {
		return nil, err
	}
	for i := range n {
		sum, e := p.sum(content[i*p.size:(i+1)*p.size]), readEntry(entries[i*entrySize:])
		if page := first + uint32(i); sum != e.newest && (newest || sum != e.before) && !skip[page] {
			damaged = append(damaged, page)
		}
	}
	return damaged, nil
}

// checkAll checks all pages.
func (p *pages) checkAll(skip map[uint32]bool, newest bool) (damaged []uint32, err error) {
	last, err := p.count()
	if err != nil {
		return nil, err
	}
	for page := uint32(1); page <= last; page += chunkPages {
		found, err := p.check(page, min(chunkPages, int(last-page)+1), skip, newest)
		if err != nil {
			return nil, err
		}
		damaged = append(damaged, found...)
	}
	return damaged, nil
}

// count is the number of pages that the database has, or should have.
func (p *pages) count() (uint32, error) {
	db, err := p.db.Stat()
	if err != nil {
		return 0, err
	}
	sums, err := p.sums.Stat()
	if err != nil {
		return 0, err
	}
	there := (db.Size() + int64(p.size) - 1) / int64(p.size)
	return uint32(max(there, (sums.Size()-headSize)/entrySize)), nil
}

// readZeros reads b, with zeros behind the end of the file.
func readZeros(f io.ReaderAt, b []byte, at int64) error {
	n, err := f.ReadAt(b, at)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	clear(b[n:])
	return nil
}

// readPageSize reads the size of a database's pages from its head; 0 for a database that has none yet.
func readPageSize(db io.ReaderAt) (int, error) {
	var b [18]byte
	if err := readZeros(db, b[:], 0); err != nil {
		return 0, err
	}
	size := int(binary.BigEndian.Uint16(b[16:]))
	if size == 1 {
		size = 1 << 16
	}
	return size, nil
}
