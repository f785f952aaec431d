package lifecycle

import "github.com/proctape/proctape/schema"

// Scan is the process table at one moment. Processes is sorted by pid.
type Scan struct {
	Wall      int64 // Unix nanoseconds
	Boot      int64 // CLOCK_BOOTTIME nanoseconds
	Processes []schema.Process
}
