package schema

import (
	"errors"
	"fmt"
	"strconv"
)

// ErrForged is returned for a message of another host or kind than its subject's. Whoever may publish under a host's
// subject speaks for that host alone.
var ErrForged = errors.New("forged")

// HeaderReader reads a message's headers by name; a header that is not there is empty. A nats.Header is one.
type HeaderReader interface{ Get(name string) string }

// DecodeMsg reads a message as it came from the log: its subject, its headers and its payload, which it does not keep.
// It returns [ErrForged] when the message is not of the host and kind that the subject names, [ErrVersion] when it is of
// a later version, and otherwise what is wrong with it.
func DecodeMsg(subject string, headers HeaderReader, payload []byte) (*Message, error) {
	return DecodeOf(subject, headers.Get(HeaderType), headers.Get(HeaderEncoding), payload)
}

// HeaderWriter sets a message's headers. A nats.Header is one.
type HeaderWriter interface{ Set(name, value string) }

// EncodeMsg makes a message ready for the log. It returns where to publish what, and sets the headers that go with it: the
// message's id, its encoding, and the number of its items when that is not one.
func EncodeMsg(m *Message, headers HeaderWriter) (subject string, payload []byte, err error) {
	payload, encoding, err := Encode(nil, m)
	if err != nil {
		return "", nil, fmt.Errorf("encode %s: %w", m.Kind, err)
	}
	headers.Set(HeaderID, m.ID())
	if n := m.Count(); n > 1 {
		headers.Set(HeaderItems, strconv.FormatUint(n, 10))
	}
	if encoding != "" {
		headers.Set(HeaderEncoding, encoding)
	}
	return Subject(m.Host, m.Kind), payload, nil
}

// DecodeOf is [DecodeMsg] of a message whose headers were read already.
func DecodeOf(subject, contentType, encoding string, payload []byte) (*Message, error) {
	return DecodeColumns(subject, contentType, encoding, payload, everyColumn)
}

// DecodeColumns is [DecodeOf] for who needs some columns of a snapshot's processes: the others of a message in MessagePack are
// passed over unchecked, and are as unknown. Of every other kind, and of JSON, it reads all.
func DecodeColumns(subject, contentType, encoding string, payload []byte, want Columns) (*Message, error) {
	host, kind, err := ParseSubject(subject)
	if err != nil {
		return nil, err
	}
	m, err := decodeColumns(contentType, encoding, payload, want)
	if err != nil {
		return nil, err
	}
	if m.Host != host || m.Kind != kind {
		return nil, fmt.Errorf("%w: subject of host %s and kind %s, message of host %s and kind %s", ErrForged, host, kind, m.Host, m.Kind)
	}
	return m, nil
}
