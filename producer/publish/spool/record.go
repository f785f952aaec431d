package spool

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/proctape/proctape/schema"
)

// Record is a message that waits on disk.
type Record struct {
	Subject  string
	ID       string // of the message: instance, kind and number
	Encoding string // of Data, see [schema.HeaderEncoding]; empty for none
	Items    uint64 // that the message holds
	Boot     int64  // when it was made, in nanoseconds of CLOCK_BOOTTIME
	Data     []byte
}

// Head says whose the messages of a spool are. Each of its files begins with it.
type Head struct {
	Version  int             `json:"v"`
	Host     string          `json:"host"`
	Instance schema.Instance `json:"instance"` // the life that made the messages
	BootID   string          `json:"boot_id"`  // of that life
	Wall     int64           `json:"wall_ns"`  // when that life began, Unix nanoseconds
	Log      string          `json:"log"`      // names the log that they are for; empty for the one beside which the spool lies
}

// headVersion is the version of the format that this build writes, and the only one that it reads.
const headVersion = 1

// A file of a spool is frames: the length of a body and its CRC-32C, each in four bytes, the lowest first, and the body. The first
// body is a Head in JSON, each other one a Record.
const frameHead = 8

// maxBody is more than any message has, in bytes.
const maxBody = 64 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errDamaged says that a frame is not as it was written, or was not written to its end.
var errDamaged = errors.New("a message in it is damaged")

// appendFrame appends a body with its length and its checksum.
func appendFrame(b, body []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(body)))
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(body, castagnoli))
	return append(b, body...)
}

// readFrame reads a frame at the beginning of b. n is how many bytes it has.
func readFrame(b []byte) (body []byte, n int, err error) {
	if len(b) < frameHead {
		return nil, 0, errDamaged
	}
	length := binary.LittleEndian.Uint32(b)
	if length > maxBody || int(length) > len(b)-frameHead {
		return nil, 0, errDamaged
	}
	body = b[frameHead : frameHead+int(length)]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(b[4:]) {
		return nil, 0, errDamaged
	}
	return body, frameHead + int(length), nil
}

// appendRecord appends the frame of a record.
func appendRecord(b []byte, r *Record) []byte {
	body := binary.AppendUvarint(nil, r.Items)
	body = binary.AppendVarint(body, r.Boot)
	for _, s := range []string{r.Subject, r.ID, r.Encoding} {
		body = binary.AppendUvarint(body, uint64(len(s)))
		body = append(body, s...)
	}
	return appendFrame(b, append(body, r.Data...))
}

// parseRecord reads the body of a record. Data is a part of it.
func parseRecord(body []byte) (r Record, err error) {
	var n int
	if r.Items, n = binary.Uvarint(body); n <= 0 {
		return r, errDamaged
	}
	body = body[n:]
	if r.Boot, n = binary.Varint(body); n <= 0 {
		return r, errDamaged
	}
	body = body[n:]
	for _, s := range []*string{&r.Subject, &r.ID, &r.Encoding} {
		length, n := binary.Uvarint(body)
		if n <= 0 || length > uint64(len(body)-n) {
			return r, errDamaged
		}
		*s, body = string(body[n:n+int(length)]), body[n+int(length):]
	}
	r.Data = body
	return r, nil
}

func (h *Head) frame() []byte {
	b, _ := json.Marshal(h) // texts and numbers always encode
	return appendFrame(nil, b)
}

func parseHead(body []byte) (h Head, err error) {
	if err := json.Unmarshal(body, &h); err != nil {
		return h, err
	}
	if h.Version != headVersion {
		return h, fmt.Errorf("version %d is not %d", h.Version, headVersion)
	}
	return h, nil
}
