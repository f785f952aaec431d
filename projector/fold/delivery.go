package fold

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/metric"
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
	ID      string // Nats-Msg-Id; empty when there is none
	Header  Header
	Payload []byte

	PassedOver bool            // it is of a host that the database is not of: nothing is decoded, and nothing becomes of it
	Host       string          // of the subject; empty when the subject is none of ours
	Kind       schema.Kind     // of the subject
	Msg        *schema.Message // nil when Poison says why not
	Poison     *Poison
	// Numbers are the numbers that the message holds of its producer, by what can be read of it; nil when it holds none.
	Numbers *Numbers
	// Replayed is where the message lay in quarantine, if it was published again from there.
	Replayed *store.QuarantineKey
}

// Numbers are numbers of one kind of one life of a producer.
type Numbers struct {
	Instance string
	Kind     string
	Span     store.Span
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
	d.ID = d.Header.Get(schema.HeaderID)
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
	d.Numbers, d.Replayed = d.numbers(), d.replayed()
}

// numbers are the numbers of a message. Rollups, records of runs and episodes have none: they are named by what they say. A message that says that
// it is another's holds nobody's.
func (d *Delivery) numbers() *Numbers {
	switch {
	case d.Msg != nil && !d.Msg.Kind.IsNumbered(), d.Poison != nil && d.Poison.Reason == ReasonForged:
		return nil
	case d.Msg == nil:
		if n := d.claim(); n != nil {
			return n
		}
		return d.claimInside()
	}
	m := d.Msg
	return &Numbers{m.Instance.String(), strings.Clone(string(m.Kind)), store.Span{First: m.Seq, Last: m.Seq + m.Count() - 1}}
}

// replayed reads the header that says where a message lay in quarantine.
func (d *Delivery) replayed() *store.QuarantineKey {
	stream, epoch, seq, ok := schema.ParseReplayed(d.Header.Get(schema.HeaderReplayed))
	if !ok || stream != d.Stream {
		return nil
	}
	return &store.QuarantineKey{Stream: stream, Epoch: epoch, Seq: seq}
}

// decode is DecodeMsg, with a panic of ours turned into an error: what comes from outside must not stop the line.
func (d *Delivery) decode() (m *schema.Message, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("decoder panicked: %v", r)
		}
	}()
	if m, err = schema.DecodeMsg(d.Subject, d.Header, d.Payload); err != nil {
		return nil, err
	}
	if err := m.CheckTimes(d.Stored); err != nil {
		return nil, err
	}
	return m, nil
}

// Rows returns about how many rows the message comes to.
func (d *Delivery) Rows() int {
	if d.Msg == nil {
		return 0
	}
	m := d.Msg
	n := len(m.Events) + len(m.Execs) + len(m.Gaps) + len(m.Jobs)
	if m.Snapshot != nil {
		n += m.Snapshot.Processes.Len()
	}
	if m.Run != nil {
		n += max(1, len(m.Run.Steps)) // in one row
	}
	if m.Anomaly != nil {
		n++
	}
	if m.Rollup != nil {
		n += len(m.Rollup.Processes)
	}
	return n
}

// TextBytes returns how many bytes of text the message's rows hold, at most.
func (d *Delivery) TextBytes() int {
	if d.Msg == nil {
		return 0
	}
	m, n := d.Msg, 0
	for i := range m.Events {
		n += len(m.Events[i].Command) + len(m.Events[i].Details)
	}
	for i := range m.Execs {
		n += len(m.Execs[i].Command)
	}
	if m.Snapshot != nil {
		for row := range m.Snapshot.Processes.Len() {
			n += len(m.Snapshot.Processes.Text(metric.Command, row)) + len(m.Snapshot.Processes.Text(metric.Cgroup, row))
		}
	}
	if m.Rollup != nil {
		for i := range m.Rollup.Processes {
			n += len(m.Rollup.Processes[i].Command)
		}
	}
	return n
}

// claim is what a message's id says of it when nothing else can be read: whose it is and which numbers it holds. It is
// read from the headers. An id of another kind than the subject's claims nothing.
func (d *Delivery) claim() *Numbers {
	id, _, _ := strings.Cut(d.ID, schema.ReplayedMark)
	instance, kindAndSeq, ok := strings.Cut(id, ".")
	i := strings.LastIndexByte(kindAndSeq, '.')
	if !ok || i < 0 || schema.Kind(kindAndSeq[:i]) != d.Kind {
		return nil
	}
	var parsed schema.Instance
	if parsed.UnmarshalText([]byte(instance)) != nil {
		return nil
	}
	first, err := strconv.ParseUint(kindAndSeq[i+1:], 10, 62)
	if err != nil || first == 0 || first > schema.MaxNumber {
		return nil
	}
	count, err := strconv.ParseUint(d.Header.Get(schema.HeaderItems), 10, 62)
	if err != nil || count == 0 || count > schema.MaxEvents {
		count = 1
	}
	return &Numbers{parsed.String(), kindAndSeq[:i], store.Span{First: first, Last: first + count - 1}}
}

// claimInside is what a message says of itself where its headers say nothing. It may claim numbers of its subject's host and
// kind alone.
func (d *Delivery) claimInside() (n *Numbers) {
	defer func() {
		if recover() != nil { // as in decode
			n = nil
		}
	}()
	c, ok := schema.ReadClaim(d.Header.Get(schema.HeaderType), d.Header.Get(schema.HeaderEncoding), d.Payload)
	if !ok || c.Host != d.Host || c.Kind != d.Kind || !c.Kind.IsNumbered() {
		return nil
	}
	return &Numbers{c.Instance.String(), strings.Clone(string(c.Kind)), store.Span{First: c.Seq, Last: c.Seq + c.Count - 1}}
}
