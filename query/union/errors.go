package union

import "fmt"

// HostError says that a host is in two of the databases, so their answer would have it twice.
type HostError struct{ Host, One, Other string }

func (e *HostError) Error() string {
	return fmt.Sprintf("the host %s is in %s and in %s", e.Host, e.One, e.Other)
}

// VersionError says that the databases do not have the same tables.
type VersionError struct {
	One, Other       string
	Version, Another int
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("%s has tables of version %d, and %s of version %d", e.One, e.Version, e.Other, e.Another)
}

// JobError says that two logs have a job of the fleet of one name, which are two jobs.
type JobError struct{ Job, One, Other string }

func (e *JobError) Error() string {
	return fmt.Sprintf("the fleet's job %q is in %s and in %s, which are of two logs", e.Job, e.One, e.Other)
}
