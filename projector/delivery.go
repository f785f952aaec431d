package projector

import (
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/proctape/proctape/schema"
)

// delivery is one message of the log, decoded as far as it could be.
type delivery struct {
	stream  string
	seq     uint64
	stored  time.Time // when the server took it
	subject string
	header  nats.Header
	payload []byte

	host   string          // of the subject; empty when it is none of ours
	kind   schema.Kind     // of the subject
	msg    *schema.Message // nil when poison says why not
	poison *poison
	// firstOfInstance is set by admit: nothing of this producer came before.
	firstOfInstance bool

	ack func() error // acknowledges this message and all before it; nil when nobody waits for that
}

// poison says why a message cannot be folded, however often it is tried.
type poison struct {
	reason string
	err    error
}

// The reasons for which messages go into quarantine.
const (
	reasonSubject     = "bad subject"
	reasonUndecodable = "undecodable"
	reasonVersion     = "unknown version"
	reasonForged      = "forged"  // it says it is another's
	reasonOverlap     = "overlap" // its numbers were partly taken
	reasonPanic       = "panic"   // we failed, not the message
)

// decode reads the message.
func (d *delivery) decode() {
	host, kind, err := schema.ParseSubject(d.subject)
	if err != nil {
		d.poison = &poison{reasonSubject, err}
		return
	}
	d.host, d.kind = host, kind
	msg, err := d.safeDecode()
	switch {
	case errors.Is(err, schema.ErrVersion):
		d.poison = &poison{reasonVersion, err}
	case errors.Is(err, schema.ErrForged):
		d.poison = &poison{reasonForged, err}
	case err != nil:
		d.poison = &poison{reasonUndecodable, err}
	default:
		d.msg = msg
	}
}

// safeDecode is DecodeOf, with a panic of ours turned into an error: what comes from outside must not stop the line.
func (d *delivery) safeDecode() (m *schema.Message, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("decoder panicked: %v", r)
		}
	}()
	return schema.DecodeOf(d.subject, d.header.Get(schema.HeaderType), d.header.Get(schema.HeaderEncoding), d.payload)
}
