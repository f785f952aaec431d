package simulate

// Host is one host that does not exist.
type Host struct {
	machine
	output

	zombies   []int   // places whose processes wait to be reaped
	jobsBegun int     // jobs so far
	credit    float64 // processes that are due to be replaced
	perStep   float64 // what a step adds to it
}

// Name is the host's token.
func (h *Host) Name() string { return h.name }
