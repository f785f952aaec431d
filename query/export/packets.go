package export

import (
	"io"
	"math"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// The numbers of fields of Perfetto's trace format (protos/perfetto/trace/perfetto_trace.proto of its repository), and the values of its enumerations.
const (
	tracePacket = 1 // of Trace

	packetClocks     = 6 // of TracePacket
	packetTime       = 8
	packetSequence   = 10
	packetEvent      = 11
	packetFlags      = 13
	packetDescriptor = 60

	clocksClock   = 1 // of ClockSnapshot
	clocksPrimary = 2
	clockID       = 1 // of ClockSnapshot.Clock
	clockTime     = 2

	trackID       = 1 // of TrackDescriptor
	trackName     = 2
	trackParent   = 5
	trackCounter  = 8
	trackOrder    = 11
	trackRank     = 12
	trackMerge    = 15
	counterUnit   = 3 // of CounterDescriptor
	counterUnitOf = 6 // its name

	eventNote    = 4 // of TrackEvent
	eventType    = 9
	eventTrack   = 11
	eventName    = 23
	eventInteger = 30
	eventDouble  = 44

	noteInteger = 4 // of DebugAnnotation
	noteDouble  = 5
	noteText    = 6
	noteName    = 10

	clockRealtime  = 1 // BuiltinClock
	clockBoottime  = 6
	sliceBegin     = 1 // TrackEvent.Type
	sliceEnd       = 2
	instant        = 3
	counterValue   = 4
	unitBytes      = 3 // CounterDescriptor.Unit
	byTime         = 2 // TrackDescriptor.ChildTracksOrdering
	byRank         = 3
	mergesWithNone = 2 // TrackDescriptor.SiblingMergeBehavior
	stateCleared   = 1 // TracePacket.SequenceFlags
)

// packets writes the packets of a trace, each as a field of the one message Trace, so that the trace has no end that must be written.
type packets struct {
	w             io.Writer
	packet, whole []byte
	tracks        uint64 // that have an id
}

// note is what is told of an event beside its name. Its value is a text, an int64 or a float64.
type note struct {
	name  string
	value any
}

// track is what a track is.
type track struct {
	name   string
	parent uint64 // 0 for none
	order  uint64 // of its children: byTime or byRank
	rank   int    // among its siblings
	unit   string // of a counter: bytes, or the name of a unit; empty for a track of events
}

// add writes a packet with one field, a message.
func (p *packets) add(field protowire.Number, message []byte, at float64) error {
	p.packet = p.packet[:0]
	if at != 0 {
		p.packet = appendNumber(p.packet, packetTime, nanoseconds(at))
	}
	p.packet = appendNumber(p.packet, packetSequence, 1)
	if field == packetClocks {
		p.packet = appendNumber(p.packet, packetFlags, stateCleared)
	}
	p.packet = appendBytes(p.packet, field, message)
	p.whole = appendBytes(p.whole[:0], tracePacket, p.packet)
	_, err := p.w.Write(p.whole)
	return err
}

// clocks says that the trace's clock shows Unix time, so that a reader can show the time of day.
func (p *packets) clocks(at float64) error {
	var snapshot []byte
	for _, id := range []uint64{clockBoottime, clockRealtime} {
		clock := appendNumber(appendNumber(nil, clockID, id), clockTime, nanoseconds(at))
		snapshot = appendBytes(snapshot, clocksClock, clock)
	}
	return p.add(packetClocks, appendNumber(snapshot, clocksPrimary, clockBoottime), at)
}

// describe writes what a track is, and returns its id.
func (p *packets) describe(t track) (uint64, error) {
	p.tracks++
	m := appendText(appendNumber(nil, trackID, p.tracks), trackName, t.name)
	if t.parent != 0 {
		m = appendNumber(m, trackParent, t.parent)
	}
	switch t.unit {
	case "":
	case "bytes":
		m = appendBytes(m, trackCounter, appendNumber(nil, counterUnit, unitBytes))
	default:
		m = appendBytes(m, trackCounter, appendText(nil, counterUnitOf, t.unit))
	}
	if t.order != 0 {
		m = appendNumber(m, trackOrder, t.order)
	}
	if t.rank != 0 {
		m = appendNumber(m, trackRank, uint64(t.rank))
	}
	m = appendNumber(m, trackMerge, mergesWithNone)
	return p.tracks, p.add(packetDescriptor, m, 0)
}

// event writes a slice's begin or end, or an instant.
func (p *packets) event(at float64, kind, of uint64, name string, notes ...note) error {
	m := appendNumber(appendNumber(nil, eventType, kind), eventTrack, of)
	if name != "" {
		m = appendText(m, eventName, name)
	}
	for _, n := range notes {
		a := appendText(nil, noteName, n.name)
		switch v := n.value.(type) {
		case int64:
			a = appendNumber(a, noteInteger, uint64(v))
		case float64:
			a = protowire.AppendFixed64(protowire.AppendTag(a, noteDouble, protowire.Fixed64Type), math.Float64bits(v))
		case string:
			a = appendText(a, noteText, v)
		}
		m = appendBytes(m, eventNote, a)
	}
	return p.add(packetEvent, m, at)
}

// count writes the value of a counter, which holds until the next.
func (p *packets) count(at float64, of uint64, value float64) error {
	m := appendNumber(appendNumber(nil, eventType, counterValue), eventTrack, of)
	if whole := int64(value); float64(whole) == value {
		m = appendNumber(m, eventInteger, uint64(whole))
	} else {
		m = protowire.AppendFixed64(protowire.AppendTag(m, eventDouble, protowire.Fixed64Type), math.Float64bits(value))
	}
	return p.add(packetEvent, m, at)
}

// nanoseconds are Unix seconds in nanoseconds, to the microsecond that a float64 holds.
func nanoseconds(at float64) uint64 { return uint64(math.Round(max(at, 0)*1e6)) * 1000 }

func appendNumber(b []byte, field protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}

func appendBytes(b []byte, field protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), v)
}

// appendText appends a text, which Perfetto wants to be UTF-8.
func appendText(b []byte, field protowire.Number, v string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), strings.ToValidUTF8(v, "�"))
}
