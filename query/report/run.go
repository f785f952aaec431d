package report

import "github.com/proctape/proctape/query"

// RunReport is what is known of one run of a job; of a job that nobody declared, of all of the job. Its run then has the number 0 and no id.
type RunReport struct {
	query.Run
	query.Together
	Newest  bool  `json:"newest_run"` // the job has no later run
	LastRun int64 `json:"last_run"`   // the number of the newest
	Runs    int   `json:"runs"`       // that the job has
	// AtOnce are the numbers of other runs of the job that went on at the same time. ToldApart says that their processes are not counted here:
	// those of this run are known by descent. Otherwise what processes tell is of all these runs.
	AtOnce    []int64          `json:"runs_at_the_same_time,omitempty"`
	ToldApart bool             `json:"told_apart,omitempty"`
	Seconds   *float64         `json:"wall_seconds"` // until now while it goes on
	Before    *Earlier         `json:"run_before"`   // the run before it, if it has ended; nil when there is none
	Steps     []Step           `json:"steps"`        // by number
	Spawns    int64            `json:"process_spawn_count"`
	Exits     int64            `json:"process_exit_count"`
	Failed    int64            `json:"failed_count"`   // that ended by a signal or with another exit code than 0
	IOKnown   int64            `json:"io_known_count"` // of how many exits I/O is known
	Cores     *float64         `json:"cores_used"`     // CPU seconds a second; nil when either is not known
	CPUs      int64            `json:"cpus"`           // that the host has; 0 when not known
	Samples   query.JobSamples `json:"samples"`
	// Resolution is that of [query.Profile], of a job that nobody declared; empty else.
	Resolution string             `json:"resolution,omitempty"`
	Largest    []query.JobProcess `json:"largest_processes"`
	// Deaths are the ends by a signal, for want of memory or with another exit code than 0, oldest first; of many, those that count most.
	Deaths     []Death        `json:"deaths"`
	MoreDeaths int64          `json:"more_deaths"` // that Deaths has not
	Left       []query.Orphan `json:"left"`        // processes of it that live though it has ended
	// Anomalies are what rules found of its job in its time, oldest first; the first of many.
	Anomalies []query.Anomaly `json:"anomalies,omitempty"`
	Advice    []Advice        `json:"advice"`
}

// Step is a step of a run.
type Step struct {
	query.RunStep
	query.Together
	Seconds *float64 `json:"wall_seconds"`
	Spawns  int64    `json:"process_spawn_count"`
	Failed  int64    `json:"failed_count"`
	OOMs    int64    `json:"oom_count"`
	Cores   *float64 `json:"cores_used"`
}

// Earlier is what a run is compared with.
type Earlier struct {
	Number  int64         `json:"run"`
	Outcome string        `json:"outcome"`
	Seconds float64       `json:"wall_seconds"`
	Steps   []EarlierStep `json:"steps"`
}

// EarlierStep is a step of the run before.
type EarlierStep struct {
	Sheet   int64    `json:"sheet_num"`
	Seconds *float64 `json:"wall_seconds"`
	PeakRSS *float64 `json:"peak_mb"` // of all at one time, by the best that is known
}

// Death is an end that was no success.
type Death struct {
	query.Event
	Shortage *query.Shortage `json:"shortage"` // who had memory; nil when it was not for want of memory
}

// OutOfMemory reports whether the kernel killed it for want of memory.
func (d *Death) OutOfMemory() bool { return d.Type == "oom" || d.Cause == "oom" }

// Advice is something that figures of a run suggest. It is never without them.
type Advice struct {
	Condition string         `json:"condition"` // a word for programs
	Text      string         `json:"text"`
	Evidence  map[string]any `json:"evidence"` // the figures
}
