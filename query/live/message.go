package live

import (
	"strings"

	"github.com/proctape/proctape/schema"
)

// Message is a message as it lies in the log.
type Message struct {
	Sequence uint64 // in its stream
	Subject  string
	Data     []byte

	contentType, encoding string
}

func newMessage(sequence uint64, subject string, headers schema.HeaderReader, data []byte) *Message {
	return &Message{sequence, subject, data, headers.Get(schema.HeaderType), headers.Get(schema.HeaderEncoding)}
}

// Host is the host by whose subject the message came. It is the message's, if that can be decoded.
func (m *Message) Host() string {
	host, _, _ := strings.Cut(strings.TrimPrefix(m.Subject, schema.SubjectPrefix), ".")
	return host
}

// Decode reads the message. Its errors are those of [schema.DecodeMsg].
func (m *Message) Decode() (*schema.Message, error) {
	return schema.DecodeOf(m.Subject, m.contentType, m.encoding, m.Data)
}

// DecodeColumns reads the message, and of a snapshot's processes some columns alone: see [schema.DecodeColumns].
func (m *Message) DecodeColumns(want schema.Columns) (*schema.Message, error) {
	return schema.DecodeColumns(m.Subject, m.contentType, m.encoding, m.Data, want)
}
