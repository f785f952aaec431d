package schema

import (
	"time"
)

// The subjects of a host beside its kinds. No stream keeps them. What is in the way of a host's key: it hears what is
// asked of the host, publishes the answers, and asks the recorder for what it may not read in the log itself.

// ControlSubject returns where a host's sampler is asked for something, such as "trace". The request's reply subject is
// one of [AnswerSubject], or the sampler does not answer.
func ControlSubject(host, what string) string { return SubjectPrefix + host + ".control." + what }

// AnswerSubject returns where a host's sampler answers, with a token that whoever asked has drawn.
func AnswerSubject(host, token string) string { return SubjectPrefix + host + ".answer." + token }

// SubjectState is where the recorder of a log is asked how it is. A request is empty, the answer a state.Process in JSON. No host
// has the name.
const SubjectState = "proctape.recorder.state"

// BacklogSubject returns where a recorder is asked for the job events of a host that the log has. A request is a
// [BacklogRequest] in JSON, the answer a [BacklogPage].
func BacklogSubject(host string) string { return SubjectPrefix + host + ".ask.jobs" }

// SamplerSubject returns where a recorder is asked whether a sampler records a host. A request is empty, the answer a
// [SamplerState] in JSON.
func SamplerSubject(host string) string { return SubjectPrefix + host + ".ask.sampler" }

// BacklogRequest asks for one page of a host's job events, or of the fleet's.
type BacklogRequest struct {
	Fleet bool      `json:"fleet,omitzero"` // those of the fleet, and not those of the host
	Since time.Time `json:"since"`          // messages that the log stored before are left out; counts in the first request alone
	From  uint64    `json:"from"`           // sequence in the stream from which to read; 0 in the first request
}

// BacklogPage is some of a host's job events, in the order of the log.
type BacklogPage struct {
	Host     string           `json:"host,omitempty"` // whose they are; [Fleet] for the fleet's
	Messages []BacklogMessage `json:"messages"`
	Next     uint64           `json:"next"`            // where the next page begins; 0 when there is none
	Error    string           `json:"error,omitempty"` // why there is no page; empty when there is one
}

// BacklogMessage is a message as the log has it.
type BacklogMessage struct {
	Type     string `json:"type,omitempty"`     // its [HeaderType]
	Encoding string `json:"encoding,omitempty"` // its [HeaderEncoding]
	Payload  []byte `json:"payload"`
}

// SamplerState says what the newest snapshot of a host says of its sampler.
type SamplerState struct {
	Lives   bool   `json:"lives"`    // it took a snapshot not long ago
	SeesAll bool   `json:"sees_all"` // it sees every start and end of a process
	Counts  bool   `json:"counts"`   // it counts the system calls of whoever asks for it
	Error   string `json:"error,omitempty"`
}

// SamplerStateOf judges by the newest snapshot of a host, which the log stored at a time.
func SamplerStateOf(newest *Snapshot, stored time.Time) SamplerState {
	if newest == nil || time.Since(stored) > 3*time.Duration(newest.Interval)+2*time.Second {
		return SamplerState{}
	}
	state := SamplerState{Lives: true}
	for _, c := range newest.Capabilities {
		info, _ := c.Info()
		state.SeesAll = state.SeesAll || info.SeesAll
		state.Counts = state.Counts || c == CapSyscallCounts
	}
	return state
}
