package schema

import (
	"encoding/json"
	"fmt"

	"github.com/klauspost/compress/s2"
)

// compressAbove is the size from which a message is worth compressing: below it the stream's own block
// compression does as well, and above it a snapshot of a large host would not pass a server's payload limit.
const compressAbove = 256 << 10

// maxRatio is the most that a reader lets a message grow by decompression, so that a few bytes do not make it clear
// MaxMessage of memory. A thousand processes of one long command line come to some hundred.
const maxRatio = 1024

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

// Decode reads a message by what its headers say of it. Without a content type it looks at the first byte: JSON begins with
// a brace, which begins no message in MessagePack. The message does not keep payload.
func Decode(contentType, encoding string, payload []byte) (*Message, error) {
	return decodeColumns(contentType, encoding, payload, everyColumn)
}

// decodeColumns is Decode of some columns of processes, where the encoding has columns.
func decodeColumns(contentType, encoding string, payload []byte, want Columns) (*Message, error) {
	plain, codec, err := open(contentType, encoding, payload)
	if err != nil {
		return nil, err
	}
	if columns, ok := codec.(msgpackCodec); ok {
		return columns.decode(plain, want)
	}
	return codec.Decode(plain)
}

// open returns a message without its compression, and the codec that reads it.
func open(contentType, encoding string, payload []byte) (plain []byte, codec Codec, err error) {
	if encoding != "" {
		if payload, err = decompress(encoding, payload); err != nil {
			return nil, nil, err
		}
	}
	switch name, err := typeOf(contentType, payload); {
	case err != nil:
		return nil, nil, err
	case name == TypeJSON:
		return payload, JSON, nil
	}
	return payload, Msgpack, nil
}

func decompress(encoding string, payload []byte) ([]byte, error) {
	if encoding != EncodingS2 {
		return nil, fmt.Errorf("content encoding %.80q is not %s", encoding, EncodingS2)
	}
	n, err := s2.DecodedLen(payload)
	if err != nil {
		return nil, notCompressed(payload, err)
	}
	if limit := min(MaxMessage, maxRatio*len(payload)); n > limit {
		return nil, fmt.Errorf("decompress: %d bytes would become %d, the limit is %d", len(payload), n, limit)
	}
	b, err := s2.Decode(nil, payload)
	if err != nil {
		return nil, notCompressed(payload, err)
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
		return nil, fmt.Errorf("decode JSON: %w", plainJSON(err))
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
