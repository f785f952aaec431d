package schema

import (
	"encoding/json"
	"errors"
	"fmt"

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
)

// compressAbove is the size from which a message is worth compressing: below it the stream's own block
// compression does as well, and above it a snapshot of a large host would not pass a server's payload limit.
const compressAbove = 256 << 10

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
	return s2.Encode(nil, payload), EncodingS2, nil
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
	// S2 reaches ratios of hundreds only on runs of one byte, which no message is.
	if n > MaxMessage || n > 64*len(payload)+1024 {
		return nil, fmt.Errorf("decompress: %d bytes would become %d, the limit is %d", len(payload), n, MaxMessage)
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
	return append(b, j...), nil
}

func (jsonCodec) Decode(b []byte) (*Message, error) {
	if len(b) > MaxJSON {
		return nil, fmt.Errorf("message of %d bytes, the limit for JSON is %d", len(b), MaxJSON)
	}
	m := new(Message)
	if err := json.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("decode JSON: %w", err)
	}
	if err := m.Validate(); err != nil {
		return nil, err
	}
	return m, nil
}
