package schema

// Removed counts what one pass of retention took away from a database and its log, and the rollups that it made first. It
// is stored as JSON with the pass.
type Removed struct {
	RollupsMade    int64 `json:"rollups_made"`          // minutes, of snapshots that left full resolution
	Snapshots      int64 `json:"snapshots"`             // of which rollups stand in their place
	MinutesLost    int64 `json:"minutes_lost,omitzero"` // minutes of hosts whose snapshots went without a rollup, because none could be made
	Samples        int64 `json:"samples"`               // processes in those snapshots
	Events         int64 `json:"events"`                // starts and ends of processes
	Execs          int64 `json:"execs"`                 // programs that known processes began to execute
	JobEvents      int64 `json:"job_events"`            // what conductors told of jobs
	Anomalies      int64 `json:"anomalies,omitempty"`   // episodes
	Gaps           int64 `json:"gaps"`
	Quarantined    int64 `json:"quarantined"`      // messages in quarantine
	RollupsDeleted int64 `json:"rollups"`          // minutes that left the policy
	Minutes        int64 `json:"minutes,omitzero"` // minutes and hours of hosts, and minutes of steps and of programs on them
	Processes      int64 `json:"processes"`        // of which nothing else is left
	Jobs           int64 `json:"jobs"`
	Runs           int64 `json:"runs"`                  // of jobs
	Messages       int64 `json:"messages"`              // of the log
	Bytes          int64 `json:"bytes"`                 // of the database file, given back
	LeftBehind     int64 `json:"databases_left_behind"` // other databases that the log no longer waits for
}
