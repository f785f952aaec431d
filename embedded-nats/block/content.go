package block

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"slices"

	"github.com/klauspost/compress/s2"
	"github.com/nats-io/nats-server/v2/server"
)

// The framing of a compressed file: the mark of the server, the length of what is in it, a stream of s2 in chunks, and the
// checksum of the last record as it is.
const (
	chunkCompressed = 0x00
	chunkPlain      = 0x01
	chunkHeader     = 4
	chunkChecksum   = 4
	largestChunk    = 4 << 20  // s2 has none that is larger when it is unpacked
	largestUnpacked = 16 << 20 // no file of the server is as large, unpacked
)

var (
	compressedMark = []byte{'c', 'm', 'p', byte(server.S2Compression)}
	s2Start        = []byte("\xff\x06\x00\x00S2sTwO")
)

// content is what a file holds, unpacked.
type content struct {
	pieces     [][]byte // where something between could not be unpacked, there is more than one
	compressed bool
	frame      bool // what is around the records is as it should be
}

// unpack unpacks a file. A chunk that cannot be unpacked ends a piece, and the next one begins behind it.
func unpack(file []byte) content {
	marked := bytes.HasPrefix(file, compressedMark)
	start := bytes.Index(file[:min(len(file), 32)], s2Start)
	if !marked && start < 0 || len(file) < checksumSize {
		return content{pieces: [][]byte{file}, frame: true}
	}
	c := content{compressed: true, frame: marked && start >= 0}
	size := uint64(0)
	if c.frame {
		var n int
		size, n = binary.Uvarint(file[len(compressedMark):])
		c.frame = n > 0 && len(compressedMark)+n == start
	}
	if start < 0 { // the beginning of the stream is damaged: the chunks are behind the length and ten bytes
		_, n := binary.Uvarint(file[len(compressedMark):])
		start = len(compressedMark) + max(n, 1)
	}
	body := file[min(start+len(s2Start), len(file)-checksumSize) : len(file)-checksumSize]
	piece, total := make([]byte, 0, min(size, largestUnpacked)), uint64(0)
	for len(body) > 0 {
		before := len(piece)
		more, n := appendChunk(piece, body)
		if more == nil {
			c.frame = false
			c.pieces = append(c.pieces, piece)
			before = 0
		}
		piece, total = more, total+uint64(len(more)-before)
		body = body[n:]
	}
	c.pieces = append(c.pieces, append(piece, file[len(file)-checksumSize:]...))
	c.frame = c.frame && total+checksumSize == size
	return c
}

// castagnoli is the table of the checksum of s2's chunks.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendChunk appends to a piece what the chunk at the beginning of b holds; nil when it is damaged. n is where the next one
// begins, as far as that can be known.
func appendChunk(piece, b []byte) (more []byte, n int) {
	if len(b) < chunkHeader+chunkChecksum {
		return nil, len(b)
	}
	n = chunkHeader + int(b[1]) + int(b[2])<<8 + int(b[3])<<16
	if n > len(b) || n < chunkHeader+chunkChecksum {
		return nil, len(b)
	}
	sum, data := binary.LittleEndian.Uint32(b[chunkHeader:]), b[chunkHeader+chunkChecksum:n]
	switch b[0] {
	case chunkCompressed:
		size, err := s2.DecodedLen(data)
		if err != nil || size > largestChunk {
			return nil, n
		}
		more = slices.Grow(piece, size)[:len(piece)+size]
		if _, err := s2.Decode(more[len(piece):], data); err != nil {
			return nil, n
		}
	case chunkPlain:
		more = append(piece, data...)
	default: // the server writes no other
		return nil, n
	}
	if c := crc32.Checksum(more[len(piece):], castagnoli); (c>>15|c<<17) != sum-0xa282ead8 || len(more) == len(piece) {
		return nil, n
	}
	return more, n
}

// pack is the file that holds records.
func pack(records []byte, compressed bool) ([]byte, error) {
	if !compressed || len(records) < checksumSize {
		return records, nil
	}
	packed, err := server.S2Compression.Compress(records)
	if err != nil {
		return nil, err
	}
	meta := server.CompressionInfo{Algorithm: server.S2Compression, OriginalSize: uint64(len(records))}
	return slices.Concat(meta.MarshalMetadata(), packed), nil
}
