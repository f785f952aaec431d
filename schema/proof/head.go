package proof

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"time"
)

// The file of sums has a head and then an entry for each page:
//
//	head:  magic 16 · page size 4 · salts 8 · frames 4 · partly 1 · zeros 7 · 8 each: proven until, pass ended, damage seen, damaged pages ·
//	       zeros · CRC 4 of what is before it
//	entry: the page's sum before it was written last 4 · its sum since 4
//
// Numbers are little endian, times Unix nanoseconds. Salts are those of the write-ahead log that was written back last, frames how
// many of its frames may be in the database, partly whether some of them may not be.
const (
	magic     = "proctape sums 2\n"
	headSize  = 128
	entrySize = 8
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Path is the file with the sums of the database at path.
func Path(database string) string { return database + "-sums" }

// State is what is known of a database's soundness.
type State struct {
	// ProvenUntil is the time until which all that was committed was found as it was written, by a full pass over the pages. The zero
	// time when there was none.
	ProvenUntil time.Time
	PassEnded   time.Time // when that pass ended
	DamageSeen  time.Time // when damage was noticed that is not mended yet; the zero time when there is none
	Damaged     int64     // pages that were then known to be damaged; 0 when it was not known which
}

// ErrNoSums is returned for a database without a file of sums, or with one whose head is damaged.
var ErrNoSums = errors.New("the database has no sums")

// errHead says that the head of a file of sums is damaged. Its entries may be sound.
var errHead = fmt.Errorf("%w: their head is damaged", ErrNoSums)

// ReadState reads what is known of the database at path.
func ReadState(database string) (State, error) {
	f, err := os.Open(Path(database))
	if errors.Is(err, os.ErrNotExist) {
		return State{}, ErrNoSums
	} else if err != nil {
		return State{}, err
	}
	defer f.Close()
	h, err := readHead(f)
	return h.State, err
}

// head is the head of a file of sums.
type head struct {
	State
	pageSize int
	salts    [8]byte
	frames   int
	partly   bool
}

func readHead(f io.ReaderAt) (h head, err error) {
	var b [headSize]byte
	if _, err := f.ReadAt(b[:], 0); errors.Is(err, io.EOF) {
		return h, ErrNoSums
	} else if err != nil {
		return h, err
	}
	if string(b[:16]) != magic || crc32.Checksum(b[:headSize-4], castagnoli) != binary.LittleEndian.Uint32(b[headSize-4:]) {
		return h, errHead
	}
	at := func(i int) time.Time {
		if ns := int64(binary.LittleEndian.Uint64(b[i:])); ns != 0 {
			return time.Unix(0, ns)
		}
		return time.Time{}
	}
	return head{
		State{at(40), at(48), at(56), int64(binary.LittleEndian.Uint64(b[64:]))},
		int(binary.LittleEndian.Uint32(b[16:])), [8]byte(b[20:28]), int(binary.LittleEndian.Uint32(b[28:])), b[32] != 0,
	}, nil
}

func (h head) write(f io.WriterAt) error {
	b := make([]byte, headSize)
	copy(b, magic)
	binary.LittleEndian.PutUint32(b[16:], uint32(h.pageSize))
	copy(b[20:], h.salts[:])
	binary.LittleEndian.PutUint32(b[28:], uint32(h.frames))
	if h.partly {
		b[32] = 1
	}
	for i, t := range map[int]time.Time{40: h.ProvenUntil, 48: h.PassEnded, 56: h.DamageSeen} {
		if !t.IsZero() {
			binary.LittleEndian.PutUint64(b[i:], uint64(t.UnixNano()))
		}
	}
	binary.LittleEndian.PutUint64(b[64:], uint64(h.Damaged))
	binary.LittleEndian.PutUint32(b[headSize-4:], crc32.Checksum(b[:headSize-4], castagnoli))
	_, err := f.WriteAt(b, 0)
	return err
}

// lacks reports whether a write-ahead log lacks frames that are in the database, beside others that are not: SQLite would mix old
// pages with new ones.
func (h head) lacks(w *walReader) bool {
	return w.salts == h.salts && w.salts != [8]byte{} && w.frames < h.frames && (w.frames > 0 || h.partly)
}

// lost reports whether a write-ahead log is gone that was not known to be written back: then each page must be the newest one.
func (h head) lost(w *walReader) bool { return h.partly && w.salts == [8]byte{} }
