package query

// Totals are what a run, or a step of one, used in all. Each figure that is known says where it is from: cgroup, wait4, exits or
// samples. Nil is not known.
type Totals struct {
	CPUSeconds *float64 `json:"total_cpu_seconds"`
	CPUSource  *string  `json:"cpu_source"`
	UserCPU    *float64 `json:"user_cpu_seconds"`   // of CPUSeconds, what its programs used themselves
	SystemCPU  *float64 `json:"system_cpu_seconds"` // and what the kernel used on their behalf; both nil when they are not known apart
	PeakRSS    *float64 `json:"peak_rss_mb"`        // of the largest process
	PeakSource *string  `json:"peak_source"`
	GroupPeak  *float64 `json:"group_peak_mb"` // of all processes at one time, page cache included, by the control group
	Read       *float64 `json:"read_mb"`       // from storage
	Write      *float64 `json:"write_mb"`
	IOSource   *string  `json:"io_source"`
	PIDsPeak   *int64   `json:"pids_peak"` // tasks at one time, threads included
	Processes  *int64   `json:"processes"`
}

// SetCPU sets the CPU time, where it is from, and how much of it the kernel used; each may be nil.
func (t *Totals) SetCPU(seconds *float64, source *string, system *float64) {
	t.CPUSeconds, t.CPUSource, t.UserCPU, t.SystemCPU = seconds, source, nil, nil
	if seconds != nil && system != nil {
		user := max(0, *seconds-*system)
		t.UserCPU, t.SystemCPU = &user, system
	}
}

// Run is one execution of a job.
type Run struct {
	JobID  string `json:"job_id"`
	Host   string `json:"host"` // whose job it is; empty for one of the fleet
	Fleet  bool   `json:"fleet"`
	Number int64  `json:"run"`    // within the job, from 1, in the order in which the recorder heard of the runs; it never changes
	ID     string `json:"run_id"` // 32 hexadecimal digits
	// Started and Ended are Unix seconds. Ended is nil while the run goes on. When nobody saw the end, it lies between EndedSince
	// and Ended.
	Started    float64  `json:"started"`
	Ended      *float64 `json:"ended"`
	EndedSince *float64 `json:"ended_since"`
	Inferred   bool     `json:"inferred"` // nobody saw the end; it was concluded
	// ExitCode and Signal are how it ended; both are nil when that is not known.
	ExitCode      *int64  `json:"exit_code"`
	Signal        *int64  `json:"signal_num"`
	Details       *string `json:"details"`
	Status        *string `json:"status"` // as its conductor said
	Command       *string `json:"command"`
	TotalSheets   *int64  `json:"total_sheets"`
	LastCompleted *int64  `json:"last_completed_sheet"`
	Totals
	// LowerBound says that some of its processes may not have been seen: figures from exits are at least what it used.
	LowerBound bool `json:"lower_bound"`
	// Steps, and Coverage, which says how much is known of the time of the run, are of one run alone: [FindRun].
	Steps    []RunStep  `json:"steps,omitempty"`
	Coverage []Coverage `json:"coverage,omitempty"`

	recordedSteps string // of a run of which a record tells: JSON
}

// RunStep is a step (sheet) of a run.
type RunStep struct {
	Sheet    int64    `json:"sheet_num"`
	Started  *float64 `json:"started"`
	Ended    *float64 `json:"ended"`
	ExitCode *int64   `json:"exit_code"`
	Signal   *int64   `json:"signal_num"`
	Status   *string  `json:"status"`
	Totals
}
