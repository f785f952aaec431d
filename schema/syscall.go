package schema

// Syscall is what a tracer counted of one system call in its interval.
type Syscall struct {
	Name     string `json:"name"`          // of the system call
	Calls    uint64 `json:"count"`         // calls
	TimeX100 uint64 `json:"time_pct_x100"` // share of the traced time, in hundredths of a percent
}
