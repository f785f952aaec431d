package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/klauspost/compress/s2"
)

// Bounds on what a message may hold. A message beyond one is refused whole, before anything is allocated for it.
const (
	MaxMessage   = 16 << 20 // bytes of a decoded message
	MaxJSON      = 1 << 20  // bytes of a message in JSON
	MaxProcesses = 1 << 16
	MaxCommand   = 4096 + 3 // bytes; a cut command ends in "…"
	MaxText      = 16 << 10 // bytes of any other text
	MaxName      = 256      // bytes of a job id, a reason, a status, a system call's name
	maxSyscalls  = 1 << 16  // in all processes of a snapshot
	maxList      = 1024     // elements of the short lists: GPUs, drops, capabilities, jobs, system calls
)

// The headers and their values by which a reader knows a message's encoding. A message without them is
// MessagePack, uncompressed.
const (
	HeaderType     = "Content-Type"
	HeaderEncoding = "Content-Encoding"

	TypeMsgpack = "application/msgpack"
	TypeJSON    = "application/json"
	EncodingS2  = "s2"

	// HeaderItems is how many items a message holds when they are more than one: all that is left to count a message by
	// that cannot be read.
	HeaderItems = "Proctape-Items"

	// HeaderReplayed is on a message that was taken out of a quarantine and published again: stream/epoch/sequence of
	// where it lay. Its id is the old one, ReplayedMark, and something new, so that no server takes it for a repetition.
	HeaderReplayed = "Proctape-Replayed"
	ReplayedMark   = "+replayed-"
)

// Replayed is the value of [HeaderReplayed].
func Replayed(stream string, epoch, seq int64) string {
	return fmt.Sprintf("%s/%d/%d", stream, epoch, seq)
}

// ParseReplayed takes the value of [HeaderReplayed] apart.
func ParseReplayed(value string) (stream string, epoch, seq int64, ok bool) {
	parts := strings.Split(value, "/")
	if len(parts) != 3 {
		return "", 0, 0, false
	}
	epoch, err1 := strconv.ParseInt(parts[1], 10, 64)
	seq, err2 := strconv.ParseInt(parts[2], 10, 64)
	return parts[0], epoch, seq, err1 == nil && err2 == nil
}

// compressAbove is the size from which a message is worth compressing: below it the stream's own block
// compression does as well, and above it a snapshot of a large host would not pass a server's payload limit.
const compressAbove = 256 << 10

// maxRatio is the most that a reader lets a message grow by decompression, so that a few bytes do not make it clear
// MaxMessage of memory. A thousand processes of one long command line come to some hundred.
const maxRatio = 1024

// ErrForged is returned for a message that says it is another's than its subject's. Whoever may publish under a host's
// subject speaks for that host alone.
var ErrForged = errors.New("forged")

// DecodeOf is Decode of a message that came on a subject, and checks that it is what the subject says.
func DecodeOf(subject, contentType, encoding string, payload []byte) (*Message, error) {
	host, kind, err := ParseSubject(subject)
	if err != nil {
		return nil, err
	}
	m, err := Decode(contentType, encoding, payload)
	if err != nil {
		return nil, err
	}
	if m.Host != host || m.Kind != kind {
		return nil, fmt.Errorf("%w: subject of host %s and kind %s, message of host %s and kind %s", ErrForged, host, kind, m.Host, m.Kind)
	}
	return m, nil
}

// ErrVersion is returned for a message of a schema version this build does not know.
var ErrVersion = errors.New("unknown schema version")

// Codec is one encoding of messages.
type Codec interface {
	// Append appends the encoded message to b.
	Append(b []byte, m *Message) ([]byte, error)
	// Decode reads a message and checks it: a nil error means that every bound holds and the body is the kind's.
	Decode(b []byte) (*Message, error)
}

// The two encodings of the same message.
var (
	Msgpack Codec = msgpackCodec{} // what proctape's own producers write
	JSON    Codec = jsonCodec{}    // for producers in other languages
)

// Encode is a message as the log keeps it: MessagePack, and compressed with S2 when it is large. encoding is the
// value of [HeaderEncoding], empty for none. scratch is reused when it is large enough.
func Encode(scratch []byte, m *Message) (payload []byte, encoding string, err error) {
	payload, err = Msgpack.Append(scratch[:0], m)
	if err != nil || len(payload) < compressAbove {
		return payload, "", err
	}
	compressed := s2.Encode(nil, payload)
	if len(payload) > maxRatio*len(compressed) {
		return payload, "", nil
	}
	return compressed, EncodingS2, nil
}

// Decode reads a message by what its headers say of it. The message does not keep payload.
func Decode(contentType, encoding string, payload []byte) (*Message, error) {
	if encoding != "" {
		var err error
		if payload, err = decompress(encoding, payload); err != nil {
			return nil, err
		}
	}
	switch contentType {
	case "", TypeMsgpack:
		return Msgpack.Decode(payload)
	case TypeJSON:
		return JSON.Decode(payload)
	}
	return nil, fmt.Errorf("content type %.80q is neither %s nor %s", contentType, TypeMsgpack, TypeJSON)
}

func decompress(encoding string, payload []byte) ([]byte, error) {
	if encoding != EncodingS2 {
		return nil, fmt.Errorf("content encoding %.80q is not %s", encoding, EncodingS2)
	}
	n, err := s2.DecodedLen(payload)
	if err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}
	if limit := min(MaxMessage, maxRatio*len(payload)); n > limit {
		return nil, fmt.Errorf("decompress: %d bytes would become %d, the limit is %d", len(payload), n, limit)
	}
	b, err := s2.Decode(nil, payload)
	if err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}
	return b, nil
}

type jsonCodec struct{}

func (jsonCodec) Append(b []byte, m *Message) ([]byte, error) {
	if err := m.Validate(); err != nil {
		return b, err
	}
	j, err := json.Marshal(m)
	if err != nil {
		return b, err
	}
	if len(j) > MaxJSON {
		return b, fmt.Errorf("message of %d bytes, the limit for JSON is %d", len(j), MaxJSON)
	}
	return append(b, j...), nil
}

func (jsonCodec) Decode(b []byte) (*Message, error) {
	if len(b) > MaxJSON {
		return nil, fmt.Errorf("message of %d bytes, the limit for JSON is %d", len(b), MaxJSON)
	}
	if err := checkLists(b); err != nil {
		return nil, fmt.Errorf("decode JSON: %w", err)
	}
	m := new(Message)
	// A later version may have changed any field: Validate refuses it by its number.
	if err := json.Unmarshal(b, m); err != nil && m.Version <= Version {
		return nil, fmt.Errorf("decode JSON: %w", err)
	}
	if err := m.Validate(); err != nil {
		return nil, err
	}
	return m, nil
}

// checkLists refuses a list of more elements than their bytes can be records: encoding/json would allocate a record's
// whole Go value, some 250 bytes, for each 0 of a hostile list, and more while the list grows.
func checkLists(b []byte) error {
	const least = 20 // bytes of {"pid":1,"state":"S"}, of which tens of thousands may come
	type list struct{ start, commas int }
	var open [32]list
	depth, quoted := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			if depth == len(open) {
				return fmt.Errorf("byte %d: nested deeper than %d", i, len(open))
			}
			open[depth] = list{start: i}
			depth++
		case (c == ']' || c == '}') && depth > 0:
			depth--
			if l := open[depth]; l.commas > maxList && l.commas > (i-l.start)/least {
				return fmt.Errorf("byte %d: %d elements in %d bytes", l.start, l.commas+1, i-l.start)
			}
		case c == ',' && depth > 0:
			open[depth-1].commas++
		}
	}
	return nil
}
