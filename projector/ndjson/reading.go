package ndjson

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
)

// Reading is a file as it was at a time. Check closes it.
type Reading struct {
	path  string
	f     *os.File
	state State
}

// checkedBytes is how many bytes of a file are read at a time.
const checkedBytes = 256 << 10

// Check reads the file, and returns an error when it is not what was written. Between two pieces it calls wait, and gives up when that
// returns false.
func (r *Reading) Check(wait func() bool) (err error) {
	defer func() { err = errors.Join(err, r.f.Close()) }()
	sum, b := uint32(0), make([]byte, checkedBytes)
	for from := io.NewSectionReader(r.f, 0, r.state.Size); ; {
		n, err := io.ReadFull(from, b)
		sum = crc32.Update(sum, castagnoli, b[:n])
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return err
		}
		if err != nil {
			break
		}
		if !wait() {
			return nil
		}
	}
	if int64(sum) != r.state.Sum {
		return fmt.Errorf("%s is not as it was written", r.path)
	}
	return nil
}
