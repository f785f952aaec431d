package export

import (
	"encoding/binary"
	"io"
	"math"
)

// Spool is a file for what must be held until the end, larger than memory should be. The caller makes and closes it.
type Spool interface {
	io.ReaderAt
	io.WriterAt
}

// point is a value at a time, in Unix seconds.
type point struct{ at, value float64 }

// How many points of a series are held in memory, and how many bytes they take in a spool.
const (
	blockPoints = 64
	pointBytes  = 16
	blockBytes  = blockPoints * pointBytes
)

// series is points in the order of time: full blocks lie in a spool, the last ones in memory.
type series struct {
	labels string
	last   float64
	held   []point
	blocks []int64 // where they begin in the spool
}

// spooler adds points to series and reads them, each series by itself.
type spooler struct {
	file  Spool
	end   int64
	block [blockBytes]byte
}

// add adds a point, unless the series has one of that time, to the millisecond, or a later one.
func (s *spooler) add(to *series, at, value float64) error {
	at = math.Round(at*1000) / 1000
	if at <= to.last {
		return nil
	}
	to.last = at
	to.held = append(to.held, point{at, value})
	if len(to.held) < blockPoints {
		return nil
	}
	for i, p := range to.held {
		binary.LittleEndian.PutUint64(s.block[i*pointBytes:], math.Float64bits(p.at))
		binary.LittleEndian.PutUint64(s.block[i*pointBytes+8:], math.Float64bits(p.value))
	}
	if _, err := s.file.WriteAt(s.block[:], s.end); err != nil {
		return err
	}
	to.blocks, to.held = append(to.blocks, s.end), to.held[:0]
	s.end += blockBytes
	return nil
}

// each calls use with the points of a series, in the order of time.
func (s *spooler) each(of *series, use func(point) error) error {
	for _, begin := range of.blocks {
		if _, err := s.file.ReadAt(s.block[:], begin); err != nil {
			return err
		}
		for b := s.block[:]; len(b) > 0; b = b[pointBytes:] {
			p := point{math.Float64frombits(binary.LittleEndian.Uint64(b)), math.Float64frombits(binary.LittleEndian.Uint64(b[8:]))}
			if err := use(p); err != nil {
				return err
			}
		}
	}
	for _, p := range of.held {
		if err := use(p); err != nil {
			return err
		}
	}
	return nil
}
