package schema

// Syscall is what a tracer counted of one system call in its interval.
type Syscall struct {
	Name     string `json:"name"`
	Calls    uint64 `json:"count"`
	TimeX100 uint64 `json:"time_pct_x100"` // share of the traced time, in hundredths of a percent
}
