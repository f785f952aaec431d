package ndjson

import (
	"bytes"
	"hash/crc32"
	"io"
	"os"
)

// State is how far a file was written: the number of rotations so far, and the bytes and lines of the current file.
type State struct {
	Generation int64
	Size       int64
	Lines      int64
	Sum        int64 // CRC-32C of these bytes; [NoSum] when it is not known
}

// with is the state once lines were written behind it.
func (s State) with(lines []byte) State {
	s.Size += int64(len(lines))
	s.Lines += int64(bytes.Count(lines, []byte{'\n'}))
	s.Sum = int64(crc32.Update(uint32(s.Sum), castagnoli, lines))
	return s
}

// NoSum is for a file of which no sum was kept.
const NoSum = -1

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sumOf reads a file's first bytes, and returns how many there were, n at most, and their CRC-32C.
func sumOf(f io.ReaderAt, n int64) (size, sum int64, err error) {
	h := crc32.New(castagnoli)
	size, err = io.Copy(h, io.NewSectionReader(f, 0, n))
	return size, int64(h.Sum32()), err
}

func syncFolder(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
