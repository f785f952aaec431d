// Package block reads the files in which the server keeps the messages of a stream, and writes them anew without what is
// damaged. It never trusts what it reads: every record's checksum is verified, and nothing is allocated from a length that a
// file names.
//
// The format is that of nats-server 2.15 (server/filestore.go): a file msgs/N.blk holds records one behind another. A closed
// file is compressed as a whole. The checksum covers sequence, time, subject, header and payload, but none of the three
// lengths.
package block

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/minio/highwayhash"
)

// The layout of a record: length 4, sequence 8, time 8, length of the subject 2, then the subject, the header with its length
// of 4 before it where the record has one, the payload, and the checksum.
const (
	fixedSize    = 22
	checksumSize = 8
	emptySize    = fixedSize + checksumSize
	largest      = 32 << 20 // the server believes no record above it

	withHeader = 1 << 31 // in the length
	erased     = 1 << 63 // in the sequence: a message that is no longer there
	tombstone  = 1 << 62 // in the sequence: says that a message of an earlier place was removed
)

var (
	headerStart = []byte("NATS/1.0")
	headerEnd   = []byte("\r\n\r\n")
)

// record is one record, as it lies in a file.
type record struct {
	seq     uint64 // with its marks
	time    int64
	subject []byte
	raw     []byte // all of it
}

// isMessage reports whether the record holds a message.
func (r *record) isMessage() bool { return r.seq&(erased|tombstone) == 0 && r.seq != 0 }

// position is the sequence without its marks.
func (r *record) position() uint64 { return r.seq &^ (erased | tombstone) }

// parser takes records of one file apart.
type parser struct {
	hash *highwayhash.Digest64
	sum  [checksumSize]byte
}

// newParser makes the parser of a stream's file with a number: the key of the checksum is made of both.
func newParser(stream string, number uint32) (*parser, error) {
	key := sha256.Sum256(fmt.Appendf(nil, "%s-%d", stream, number))
	hash, err := highwayhash.NewDigest64(key[:])
	return &parser{hash: hash}, err
}

// checksum is that of a record of these parts.
func (p *parser) checksum(seqAndTime, subject, rest []byte) []byte {
	p.hash.Reset()
	p.hash.Write(seqAndTime)
	p.hash.Write(subject)
	p.hash.Write(rest)
	return p.hash.Sum(p.sum[:0])
}

// record reads the record at the beginning of b. ok is false when anything of it is not right.
func (p *parser) record(b []byte) (r record, ok bool) {
	if len(b) < emptySize {
		return r, false
	}
	length := binary.LittleEndian.Uint32(b)
	hasHeader := length&withHeader != 0
	length &^= withHeader
	subject := int(binary.LittleEndian.Uint16(b[20:]))
	from := fixedSize + subject
	if hasHeader {
		from += 4
	}
	if length < emptySize || length > largest || int(length) > len(b) || from > int(length)-checksumSize {
		return r, false
	}
	end := int(length) - checksumSize
	r = record{seq: binary.LittleEndian.Uint64(b[4:]), time: int64(binary.LittleEndian.Uint64(b[12:])),
		subject: b[fixedSize : fixedSize+subject], raw: b[:length]}
	if !bytes.Equal(p.checksum(b[4:20], r.subject, b[from:end]), b[end:length]) {
		return r, false
	}
	if hasHeader {
		n := binary.LittleEndian.Uint32(b[from-4:])
		if uint64(n) > uint64(end-from) || !isHeader(b[from:from+int(n)]) {
			return r, false
		}
		return r, true
	}
	// Without a header the checksum does not say where the subject ends.
	return r, !r.isMessage() || isSubject(r.subject)
}

// isHeader reports whether b is one header, with nothing behind it.
func isHeader(b []byte) bool {
	return bytes.HasPrefix(b, headerStart) && bytes.Index(b, headerEnd) == len(b)-len(headerEnd)
}

// isSubject reports whether b can be the subject of a message.
func isSubject(b []byte) bool {
	for i, c := range b {
		if c <= ' ' || c > '~' || c == '.' && (i == 0 || b[i-1] == '.') {
			return false
		}
	}
	return len(b) > 0 && b[len(b)-1] != '.'
}

// mend makes a record of bytes of which only the lengths are wrong. The checksum, which does not cover them, says whether it
// is the record that was written.
func (p *parser) mend(b []byte) (r record, ok bool) {
	if len(b) < emptySize || len(b) > largest {
		return r, false
	}
	raw := bytes.Clone(b)
	if at := bytes.Index(raw, headerStart); at >= fixedSize+4 {
		end := bytes.Index(raw[at:], headerEnd)
		if end < 0 || at-4-fixedSize > 1<<16-1 {
			return r, false
		}
		binary.LittleEndian.PutUint32(raw, uint32(len(raw))|withHeader)
		binary.LittleEndian.PutUint16(raw[20:], uint16(at-4-fixedSize))
		binary.LittleEndian.PutUint32(raw[at-4:], uint32(end+len(headerEnd)))
	} else {
		binary.LittleEndian.PutUint32(raw, uint32(len(raw)))
	}
	return p.record(raw)
}

// placeholder is a record that says that a sequence was given away and its message is no longer there.
func (p *parser) placeholder(seq uint64, time int64) []byte {
	b := make([]byte, fixedSize, emptySize)
	binary.LittleEndian.PutUint32(b, emptySize)
	binary.LittleEndian.PutUint64(b[4:], seq|erased)
	binary.LittleEndian.PutUint64(b[12:], uint64(time))
	return append(b, p.checksum(b[4:20], nil, nil)...)
}
