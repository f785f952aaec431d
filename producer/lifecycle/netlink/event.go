package netlink

import "fmt"

// Kind says what happened. Its values are those of enum what, Linux include/uapi/linux/cn_proc.h.
type Kind uint32

// The kinds of events that a [Connector] reads.
const (
	Fork Kind = 0x00000001 // a process or thread was made
	Exec Kind = 0x00000002 // a process executes another program
	Exit Kind = 0x80000000 // a thread has ended, the process's only one or not
)

const (
	kindAck Kind   = 0          // PROC_EVENT_NONE: somebody's request was answered
	noCPU   uint32 = 0xffffffff // of an answer, on some kernels
)

// Event is one event of the proc connector. Ids are those of the first pid namespace: PID is a thread's, TGID its
// process's.
type Event struct {
	Kind Kind
	CPU  uint32
	Seq  uint32 // counts the events of this CPU, of every kind
	Lost uint32 // events known to be missing before this one
	Time int64  // CLOCK_MONOTONIC nanoseconds

	PID, TGID int // of the process it happened to; of a Fork, the new one

	// ParentPID and ParentTGID are the parent of the new process, and for a new thread the parent of its process, not
	// the thread that made it. Only a Fork has them.
	ParentPID, ParentTGID int

	// Status is the thread's wait status, man wait(2). Only an Exit has it.
	Status uint32
}

// Layout of a message: netlink header, struct cn_msg (Linux include/uapi/linux/connector.h), struct proc_event.
const (
	connectorHeader = 20 // sizeof(struct cn_msg)
	eventHeader     = 16 // up to event_data
)

// parseEvent reads a message of the proc connector. It knows the ids of a Fork, an Exec and an Exit, and of any other
// kind only where and when.
func parseEvent(b []byte) (Event, error) {
	_, body, err := payload(b)
	if err != nil {
		return Event{}, err
	}
	if len(body) < connectorHeader+eventHeader {
		return Event{}, fmt.Errorf("connector message of %d bytes holds no event", len(body))
	}
	if index, value := native.Uint32(body), native.Uint32(body[4:]); index != connectorIndex || value != connectorValue {
		return Event{}, fmt.Errorf("connector message of channel %d.%d is none of a process", index, value)
	}
	event := body[connectorHeader:]
	e := Event{
		Kind: Kind(native.Uint32(event)),
		CPU:  native.Uint32(event[4:]),
		Seq:  native.Uint32(body[8:]),
		Time: int64(native.Uint64(event[8:])),
	}
	return e, e.parseData(event[eventHeader:])
}

// parseData reads the part of struct proc_event that differs from kind to kind.
func (e *Event) parseData(data []byte) error {
	id := func(word int) int { return int(int32(native.Uint32(data[4*word:]))) }
	if want := dataSize(e.Kind); len(data) < want {
		return fmt.Errorf("connector event %#x has %d bytes of data, want %d", e.Kind, len(data), want)
	}
	switch e.Kind {
	case Fork:
		e.ParentPID, e.ParentTGID, e.PID, e.TGID = id(0), id(1), id(2), id(3)
	case Exec:
		e.PID, e.TGID = id(0), id(1)
	case Exit:
		e.PID, e.TGID, e.Status = id(0), id(1), native.Uint32(data[8:])
	}
	return nil
}

// dataSize is how many bytes of data an event of a kind has at least.
func dataSize(k Kind) int {
	switch k {
	case Fork, Exit:
		return 16
	case Exec:
		return 8
	}
	return 0
}

// Identifiers of the proc connector, Linux include/uapi/linux/connector.h and cn_proc.h.
const (
	connectorIndex = 1 // CN_IDX_PROC, also the multicast group
	connectorValue = 1 // CN_VAL_PROC
	opListen       = 1 // PROC_CN_MCAST_LISTEN
)
