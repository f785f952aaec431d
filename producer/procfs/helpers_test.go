package procfs

import "fmt"

// statLine returns a line of /proc/PID/stat of a user process that started at start.
func statLine(pid int, comm string, state byte, start uint64) string {
	return fmt.Sprintf("%d (%s) %c 1 %d %d 0 -1 4194560 150 0 2 0 7 5 0 0 20 0 3 0 %d 8192000 700 "+
		"18446744073709551615 94000 95000 140700 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
		pid, comm, state, pid, pid, start)
}
