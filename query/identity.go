package query

// Identity names a process. With the pid alone it names every process that had the pid.
type Identity struct {
	Host       string `json:"host"`    // empty for any
	BootID     string `json:"boot_id"` // empty for any
	PID        int64  `json:"pid"`
	StartTicks *int64 `json:"start_ticks"` // hundredths of a second after boot; nil for any
}

// conditions are those that rows of processes or of rollup_processes, in the alias p, meet.
func (of Identity) conditions() (on string, args []any) {
	on, args = `p.pid = ?`, []any{of.PID}
	if of.StartTicks != nil {
		on, args = on+` AND p.start_ticks = ?`, append(args, *of.StartTicks)
	}
	if of.BootID != "" {
		on, args = on+` AND p.boot_id = ?`, append(args, of.BootID)
	}
	return on, args
}
