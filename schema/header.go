package schema

import (
	"fmt"
	"strconv"
	"strings"
)

// The headers and their values by which a reader knows a message's encoding. A message without them is
// MessagePack, uncompressed.
const (
	HeaderType     = "Content-Type"
	HeaderEncoding = "Content-Encoding"

	TypeMsgpack = "application/msgpack"
	TypeJSON    = "application/json"
	EncodingS2  = "s2"

	// HeaderID holds a message's id ([Envelope.ID]), by which a server knows a repetition.
	HeaderID = "Nats-Msg-Id"

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
