// Package estimate says what a next run of a job will use, by what the runs before it used; and how the hosts are on which it may run.
package estimate

import "github.com/proctape/proctape/query"

// Estimate is what a next run of a job will use, if it is like those before it that ended well.
type Estimate struct {
	JobID  string `json:"job_id"`
	Host   string `json:"host"`      // whose runs they are; empty for those of all hosts and of the fleet
	Runs   int    `json:"runs"`      // that ended well: the figures are of these
	Failed int    `json:"failed"`    // of the time of these: they do not count, for they ended before their work was done
	Other  int    `json:"uncounted"` // how these ended is not known: they do not count
	// Figures are of a whole run, and Steps of its steps. Each has its own number of runs of which it is known.
	Figures []Figure `json:"figures"`
	Steps   []Step   `json:"steps"`
	// The keys that older readers know. The memory and the CPU time are those that the next run does not exceed with the chance that Confidence is:
	// the surest that the number of runs allows, at most 0.95. All are nil where nothing is known.
	Memory     *float64 `json:"estimated_peak_memory_mb"`
	MemoryOf   Name     `json:"estimated_peak_of"` // group_peak, of all at one time; else peak_rss, of the largest process; empty for none
	CPUSeconds *float64 `json:"estimated_cpu_seconds"`
	Confidence *float64 `json:"confidence"`
	// Context is how the hosts are now.
	Context  []Context        `json:"resource_context"`
	Notes    []string         `json:"notes"`
	Coverage []query.Coverage `json:"coverage"`
}

// Step is a step (sheet) of a next run.
type Step struct {
	Sheet   int64    `json:"sheet_num"`
	Figures []Figure `json:"figures"`
}

// Name is that of a figure.
type Name string

// Figure is one figure of a next run. A quantile is a value that the next run does not exceed with at least that chance, whatever the figure's distribution, if
// runs go on as before; it is nil where there are too few runs to say so: 9 are needed for P90, 19 for P95.
type Figure struct {
	Name Name     `json:"name"` // duration, cpu, peak_rss or group_peak
	Unit string   `json:"unit"` // s or MiB
	N    int      `json:"sample_size"`
	P50  *float64 `json:"p50"`
	P90  *float64 `json:"p90"`
	P95  *float64 `json:"p95"`
	Most *float64 `json:"max"`            // that was seen
	Sure *float64 `json:"max_confidence"` // the chance that the next run does not exceed Most
}

// Context is how a host is, and what the job uses on it. Its keys are those that conductors know.
type Context struct {
	Host      string   `json:"host"`
	Timestamp float64  `json:"timestamp"`         // of its newest snapshot, Unix seconds
	Age       float64  `json:"age_seconds"`       // of that snapshot
	RSS       float64  `json:"rss_mb"`            // of the processes of the job together, MiB
	CPU       *float64 `json:"cpu_pct"`           // of them together, 100 for a processor; nil where none of it is known
	Hotspot   *string  `json:"syscall_hotspot"`   // the system call that took most of the time of those that are traced, such as "futex 40%"
	Anomalies []string `json:"anomalies_active"`  // types of the episodes of the job and of the host that go on, by name
	Processes int      `json:"job_process_count"` // of the job
	DaemonRSS float64  `json:"daemon_rss_mb"`
	Pressure  string   `json:"pressure_level"` // none, low, medium, high or critical
	Jobs      int64    `json:"running_jobs"`
	Steps     int64    `json:"active_sheets"`
	Available *float64 `json:"system_memory_available_mb"` // nil where it is not known
	Total     *float64 `json:"system_memory_total_mb"`
}
