package block

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"

	"github.com/minio/highwayhash"
)

// Index is what a stream's file index.db says of the stream when the server last wrote it, which it does now and then and
// when it stops.
type Index struct {
	First, Last uint64
	LastTime    int64 // nanoseconds of Unix time
}

// ReadIndex reads a stream's index.db. ok is false when there is none, or when it is damaged: the server then makes it anew
// from the messages.
func ReadIndex(path, stream string) (x Index, ok bool, err error) {
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return x, false, nil
	case err != nil:
		return x, false, err
	case len(b) < 32:
		return x, false, nil
	}
	b, sum := b[:len(b)-checksumSize], b[len(b)-checksumSize:]
	want, err := Checksum(stream, b)
	if err != nil || !bytes.Equal(sum, want) {
		return x, false, err
	}
	rest := b[2:] // a mark and a version
	fields := [6]uint64{}
	for i := range fields { // messages, bytes, first sequence, first time, last sequence, last time
		v, n := binary.Uvarint(rest)
		if n <= 0 {
			return x, false, nil
		}
		fields[i], rest = v, rest[n:]
	}
	signed := func(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) } // as of binary.Varint
	return Index{First: fields[2], Last: fields[4], LastTime: signed(fields[5])}, true, nil
}

// Checksum is the checksum that the server keeps of a file with a key of its own: of a stream's files the stream's name, of a
// consumer's "stream/consumer".
func Checksum(key string, b []byte) ([]byte, error) {
	sum := sha256.Sum256([]byte(key))
	h, err := highwayhash.NewDigest64(sum[:])
	if err != nil {
		return nil, err
	}
	h.Write(b)
	return h.Sum(nil), nil
}
