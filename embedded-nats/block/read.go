package block

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// File is what is known of one file of messages after it was read.
type File struct {
	// First and Last are the lowest and the highest sequence of a readable message or placeholder; 0 for none.
	First, Last         uint64
	FirstTime, LastTime int64 // nanoseconds of Unix time at which they were stored
	// Removed is the highest sequence of which a record says that its message was removed; 0 for none. Retention and the limits
	// of a stream remove from the front: no message up to it is missed.
	Removed uint64
	Holes   []Hole // what cannot be read, in the order of the file
	// Mended reports whether something was wrong of which nothing is lost: a length, or what is around the records.
	Mended bool
	// Unfinished is how many bytes at the end are a record that was not written to its end. The server acknowledges no such
	// record.
	Unfinished int
	Size       int64

	Compressed bool

	records []byte // those that are readable, when they were asked for
	parser  *parser
}

// Hole is a part of a file that cannot be read.
type Hole struct {
	After  uint64 // the last readable sequence before it; 0 when there is none
	Before uint64 // the first readable one behind it; 0 when it reaches to the end of the file
	// AfterTime and BeforeTime are when those were stored, in nanoseconds of Unix time.
	AfterTime, BeforeTime int64
	Bytes                 int // that cannot be read, unpacked where that is possible
	// Count is how many messages it holds, where it reaches to the end of the file and the lengths of its records still tell, as
	// Counted says.
	Count   int
	Counted bool
	IDs     []string // the message ids that can still be read in it, 100 at most
}

// Sound reports whether all of the file is as it was written.
func (f *File) Sound() bool { return len(f.Holes) == 0 && !f.Mended && f.Unfinished == 0 }

// sizeLimit is the size from which a file is not one of the server's, which closes them at 8 MiB and has messages of 8 MiB at most.
const sizeLimit = 64 << 20

// Read reads a stream's file with a number. The memory that Read takes is bounded by a few times the largest file of the server, whatever the file holds. The error says that the file cannot be
// opened or read, not that it is damaged.
func Read(path, stream string, number uint32) (*File, error) {
	return read(path, stream, number, false)
}

func read(path, stream string, number uint32, keep bool) (*File, error) {
	p, err := newParser(stream, number)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	b, err := readFile(path)
	unreadable := errors.Is(err, unix.EIO) // the disk does not give it any more
	if err != nil && !unreadable {
		return nil, err
	}
	f := &File{Size: int64(len(b)), parser: p}
	if int64(len(b)) > sizeLimit || unreadable {
		f.Holes = []Hole{{Bytes: len(b)}}
		return f, nil
	}
	c := unpack(b)
	f.Compressed, f.Mended = c.compressed, !c.frame
	if len(c.pieces) > 1 { // something between them is gone
		f.Mended = false
	}
	w := walker{file: f, keep: keep}
	for i, piece := range c.pieces {
		w.walk(piece, i == len(c.pieces)-1)
	}
	w.close()
	return f, nil
}

// readFile reads a file, but no more than what says that it is too large.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("read %s: it is no file", path)
	}
	b := make([]byte, 0, min(info.Size(), sizeLimit)+1)
	buf := bytes.NewBuffer(b)
	if _, err := io.Copy(buf, io.LimitReader(f, sizeLimit+1)); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return buf.Bytes(), nil
}

// walker goes through the records of a file.
type walker struct {
	file *File
	keep bool
	hole *Hole // the one that is open
}

// walk goes through a piece. What cannot be read at its beginning or end belongs to the hole between two pieces.
func (w *walker) walk(b []byte, last bool) {
	for at := 0; at < len(b); {
		if r, ok := w.file.parser.record(b[at:]); ok {
			w.take(&r)
			at += len(r.raw)
			continue
		}
		next := w.resync(b, at)
		if r, ok := w.file.parser.mend(b[at:next]); ok && w.follows(&r) {
			w.file.Mended = true
			w.take(&r)
		} else if unfinished := last && next == len(b) && w.hole == nil && w.unfinished(b[at:]); unfinished {
			w.file.Unfinished = next - at
		} else {
			w.lose(b[at:next], last && next == len(b))
		}
		at = next
	}
	if !last {
		w.lose(nil, false)
	}
}

// take takes a readable record in, and closes the hole before it.
func (w *walker) take(r *record) {
	f := w.file
	if r.seq&tombstone != 0 {
		f.Removed = max(f.Removed, r.position())
	} else if seq := r.position(); seq > 0 {
		if w.hole != nil {
			w.hole.Before, w.hole.BeforeTime = seq, r.time
			w.close()
		}
		if f.First == 0 {
			f.First, f.FirstTime = seq, r.time
		}
		f.Last, f.LastTime = max(f.Last, seq), r.time
	}
	if w.keep {
		f.records = append(f.records, r.raw...)
	}
}

// lose notes bytes that cannot be read.
func (w *walker) lose(b []byte, toEnd bool) {
	if w.hole == nil {
		w.hole = &Hole{After: w.file.Last, AfterTime: w.file.LastTime}
	}
	w.hole.Bytes += len(b)
	w.hole.IDs = appendIDs(w.hole.IDs, b)
	if toEnd {
		w.hole.Count, w.hole.Counted = countByLengths(b, w.hole.After)
	}
}

// close ends the open hole.
func (w *walker) close() {
	if w.hole != nil {
		w.file.Holes = append(w.file.Holes, *w.hole)
		w.hole = nil
	}
}

// follows reports whether a record may come behind those that were read.
func (w *walker) follows(r *record) bool {
	return r.seq&tombstone != 0 || r.position() > w.file.Last && r.position()-w.file.Last <= sizeLimit/emptySize || w.file.Last == 0
}

// resync returns where behind a bad record the next good one begins; the end of b when there is none.
func (w *walker) resync(b []byte, at int) int {
	for at++; at+emptySize <= len(b); at++ {
		length := binary.LittleEndian.Uint32(b[at:]) &^ withHeader
		if length < emptySize || int(length) > len(b)-at {
			continue // most places: no checksum is computed for them
		}
		if r, ok := w.file.parser.record(b[at:]); ok && w.follows(&r) {
			return at
		}
	}
	return len(b)
}

// unfinished reports whether b, the end of the file, is the beginning of a record: it names a length beyond what is there.
func (w *walker) unfinished(b []byte) bool {
	if len(b) < fixedSize {
		return true
	}
	length := int64(binary.LittleEndian.Uint32(b) &^ withHeader)
	seq := binary.LittleEndian.Uint64(b[4:])
	return length > int64(len(b)) && length <= largest && (seq == w.file.Last+1 || seq&tombstone != 0 || w.file.Last == 0)
}

// countByLengths is how many messages b holds by the lengths of its records alone. ok is false when the lengths do not lead to
// its end, or the sequences are not those that come behind after. One of them may be damaged.
func countByLengths(b []byte, after uint64) (n int, ok bool) {
	wrong := 0
	for len(b) >= emptySize {
		length := binary.LittleEndian.Uint32(b) &^ withHeader
		if length < emptySize || int64(length) > int64(len(b)) {
			return 0, false
		}
		if length > emptySize { // a message has a subject
			if n++; binary.LittleEndian.Uint64(b[4:]) != after+uint64(n) {
				wrong++
			}
		}
		b = b[length:]
	}
	return n, len(b) == 0 && wrong <= 1 && after > 0
}

const idHeader = "\r\nNats-Msg-Id:"

// appendIDs appends the message ids that can be read in b.
func appendIDs(ids []string, b []byte) []string {
	for len(ids) < 100 {
		at := bytes.Index(b, []byte(idHeader))
		if at < 0 {
			break
		}
		b = b[at+len(idHeader):]
		id, _, ok := bytes.Cut(b[:min(len(b), 200)], []byte("\r\n"))
		if text := strings.TrimSpace(string(id)); ok && isPrintable(text) {
			ids = append(ids, text)
		}
	}
	return ids
}

func isPrintable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return s != ""
}
