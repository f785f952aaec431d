package live

import "time"

// Filter picks the messages that [Follow] delivers.
type Filter struct {
	Stream string    // schema.StreamSnapshots or schema.StreamEvents
	Since  time.Time // the first message is the first one that the log stored then or later; zero for what comes from now on
	From   uint64    // the first message is the one with this sequence, or the next that there is; 0 for none. Since is not asked then
	Host   string    // empty for all hosts
	// Direct reads message by message, and asks for what is new ten times a second. It needs no right to create a reader
	// on the server: who may create one may have the server write to any subject of the log. No message waits here for a handler
	// that is slow.
	Direct bool
}
