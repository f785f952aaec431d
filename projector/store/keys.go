package store

// ProducerKey names one kind of one life of a producer.
type ProducerKey struct {
	HostID   int64
	Instance string
	Kind     string
}

// Span is the numbers First to Last of one producer's kind.
type Span struct{ First, Last uint64 }

// Count returns how many numbers the span has.
func (s Span) Count() uint64 { return s.Last - s.First + 1 }

// GapKey is the primary key of gaps: the message at which the gap was noticed, and which of its gaps it is.
type GapKey struct {
	Stream string
	Epoch  int64
	Seq    uint64
	N      int
}
