package lockfile

import "fmt"

// HeldError says that another process holds the lock.
type HeldError struct {
	Path    string
	PID     int    // 0 when the file does not tell
	Machine string // whose process it is, where that is another machine on the same storage: it has the lock until it releases it
}

func (e *HeldError) Error() string {
	switch {
	case e.Machine != "":
		return fmt.Sprintf("%s is held by the machine %s, which has not released it", e.Path, e.Machine)
	case e.PID == 0:
		return fmt.Sprintf("%s is held by another process", e.Path)
	}
	return fmt.Sprintf("%s is held by process %d", e.Path, e.PID)
}
