package fold

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

// Header is a message's headers.
type Header map[string][]string

// Get returns the first value of a header; empty when there is none.
func (h Header) Get(key string) string {
	if v := h[key]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// Delivery is one message of the log, decoded as far as it could be.
type Delivery struct {
	Stream  string
	Seq     uint64    // in the stream
	Stored  time.Time // when the server took it
	Subject string
	Header  Header
	Payload []byte

	Host   string          // of the subject; empty when the subject is none of ours
	Kind   schema.Kind     // of the subject
	Msg    *schema.Message // nil when Poison says why not
	Poison *Poison
}

// Poison says why a message cannot be folded, however often it is tried.
type Poison struct {
	Reason string
	Err    error
}

// The reasons for which messages go into quarantine.
const (
	ReasonSubject     = "bad subject"
	ReasonUndecodable = "undecodable"
	ReasonVersion     = "unknown version"
	ReasonForged      = "forged"  // it says it is another's
	ReasonOverlap     = "overlap" // its numbers were partly taken
	ReasonPanic       = "panic"   // we failed, not the message
)

// Decode reads the message.
func (d *Delivery) Decode() {
	host, kind, err := schema.ParseSubject(d.Subject)
	if err != nil {
		d.Poison = &Poison{ReasonSubject, err}
		return
	}
	d.Host, d.Kind = host, kind
	msg, err := d.decode()
	switch {
	case errors.Is(err, schema.ErrVersion):
		d.Poison = &Poison{ReasonVersion, err}
	case errors.Is(err, schema.ErrForged):
		d.Poison = &Poison{ReasonForged, err}
	case err != nil:
		d.Poison = &Poison{ReasonUndecodable, err}
	default:
		d.Msg = msg
	}
}

// decode is DecodeMsg, with a panic of ours turned into an error: what comes from outside must not stop the line.
func (d *Delivery) decode() (m *schema.Message, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("decoder panicked: %v", r)
		}
	}()
	return schema.DecodeMsg(d.Subject, d.Header, d.Payload)
}

// Rows returns about how many rows the message comes to.
func (d *Delivery) Rows() int {
	if d.Msg == nil {
		return 0
	}
	m := d.Msg
	n := len(m.Events) + len(m.Gaps) + len(m.Jobs)
	if m.Snapshot != nil {
		n += len(m.Snapshot.Processes)
	}
	if m.Rollup != nil {
		n += len(m.Rollup.Processes)
	}
	return n
}

// claim is what a message's id says of it when nothing else can be read: whose it is and which numbers it holds.
type claim struct {
	instance string
	kind     string
	span     store.Span
}

// parseClaim reads the id and count from the headers. An id of another kind than the subject's claims nothing.
func (d *Delivery) parseClaim() (claim, bool) {
	id, _, _ := strings.Cut(d.Header.Get(schema.HeaderID), schema.ReplayedMark)
	instance, rest, ok := strings.Cut(id, ".")
	i := strings.LastIndexByte(rest, '.')
	if !ok || i < 0 || schema.Kind(rest[:i]) != d.Kind {
		return claim{}, false
	}
	var parsed schema.Instance
	if parsed.UnmarshalText([]byte(instance)) != nil {
		return claim{}, false
	}
	first, err := strconv.ParseUint(rest[i+1:], 10, 62)
	if err != nil || first == 0 {
		return claim{}, false
	}
	count, err := strconv.ParseUint(d.Header.Get(schema.HeaderItems), 10, 62)
	if err != nil || count == 0 || count > schema.MaxEvents {
		count = 1
	}
	return claim{parsed.String(), rest[:i], store.Span{First: first, Last: first + count - 1}}, true
}

// spanOf is the numbers that a message holds.
func spanOf(m *schema.Message) store.Span {
	return store.Span{First: m.Seq, Last: m.Seq + m.Count() - 1}
}
