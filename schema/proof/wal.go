package proof

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// The file format of SQLite's write-ahead log: https://www.sqlite.org/fileformat2.html#the_write_ahead_log
const (
	walHead   = 32
	frameHead = 24
)

// frame is a page in the write-ahead log.
type frame struct {
	page, sum uint32
	pages     uint32 // of the database after the commit that this frame ends; 0 within a transaction
}

// walReader reads the committed frames of a write-ahead log as they are added. Behind them may lie others of the same salts, which SQLite
// does not take: what a transaction left that was rolled back, or what is behind a frame that was damaged. The running checksum tells.
type walReader struct {
	path   string
	f      *os.File
	salts  [8]byte // zeros when there is no log
	frames int     // of the present salts that were read and committed
	pages  uint32  // of the database after the last commit that was read; 0 when there was none
	chain  chain
	buf    []byte
}

// chain is the running checksum over a write-ahead log.
type chain struct {
	a, b   uint32
	little bool // the order of the bytes in a number
}

func newChain(head []byte) chain {
	c := chain{little: binary.BigEndian.Uint32(head)&1 == 0}
	c.add(head[:24])
	return c
}

func (c *chain) add(p []byte) {
	a, b := c.a, c.b
	if c.little {
		for ; len(p) >= 8; p = p[8:] {
			v := binary.LittleEndian.Uint64(p)
			a += uint32(v) + b
			b += uint32(v>>32) + a
		}
	} else {
		for ; len(p) >= 8; p = p[8:] {
			v := binary.BigEndian.Uint64(p)
			a += uint32(v>>32) + b
			b += uint32(v) + a
		}
	}
	c.a, c.b = a, b
}

// holds adds a frame, and reports whether its checksum is right.
func (c *chain) holds(b []byte) bool {
	c.add(b[:8])
	c.add(b[frameHead:])
	return c.a == binary.BigEndian.Uint32(b[16:]) && c.b == binary.BigEndian.Uint32(b[20:])
}

// begin reads the head of the log, and reports whether there is one. SQLite begins a log anew, with other salts, when all that was in it is
// in the database.
func (w *walReader) begin() (there bool, err error) {
	if w.f == nil {
		if w.f, err = os.Open(w.path); errors.Is(err, os.ErrNotExist) {
			w.f = nil
			return false, nil
		} else if err != nil {
			return false, err
		}
	}
	var head [walHead]byte
	if _, err := w.f.ReadAt(head[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	c := newChain(head[:])
	if binary.BigEndian.Uint32(head[24:]) != c.a || binary.BigEndian.Uint32(head[28:]) != c.b || head == [walHead]byte{} {
		w.salts, w.frames = [8]byte{}, 0 // SQLite begins it anew at its next write
		return false, nil
	}
	if salts := [8]byte(head[16:24]); salts != w.salts {
		w.salts, w.frames, w.chain = salts, 0, c
	}
	return true, nil
}

// together is how many frames are read at a time.
const together = 32

// read returns the frames of the commits since it was last called.
func (w *walReader) read(pageSize int, sum func([]byte) uint32) (added []frame, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("read the write-ahead log: %w", err)
		}
	}()
	if there, err := w.begin(); err != nil || !there {
		return nil, err
	}
	size := frameHead + pageSize
	if len(w.buf) < together*size {
		w.buf = make([]byte, together*size)
	}
	running := w.chain
	for next, open := w.frames, 0; ; {
		n, err := w.f.ReadAt(w.buf[:together*size], walHead+int64(next)*int64(size))
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		whole := n / size
		for i := range whole {
			b := w.buf[i*size : (i+1)*size]
			if [8]byte(b[8:16]) != w.salts || !running.holds(b) {
				return added[:len(added)-open], nil
			}
			fr := frame{binary.BigEndian.Uint32(b), sum(b[frameHead:]), binary.BigEndian.Uint32(b[4:])}
			added = append(added, fr)
			next++
			if open++; fr.pages != 0 {
				w.frames, w.pages, w.chain, open = next, fr.pages, running, 0
			}
		}
		if whole < together {
			return added[:len(added)-open], nil
		}
	}
}

func (w *walReader) close() error {
	if w.f == nil {
		return nil
	}
	f := w.f
	w.f = nil
	return f.Close()
}
