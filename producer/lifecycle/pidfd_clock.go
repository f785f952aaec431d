package lifecycle

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// twoClocks is one point of time on both clocks, in nanoseconds.
type twoClocks struct {
	wall int64 // since 1970
	boot int64 // CLOCK_BOOTTIME
}

func readTwoClocks() (twoClocks, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return twoClocks{}, fmt.Errorf("read CLOCK_BOOTTIME: %w", err)
	}
	return twoClocks{time.Now().UnixNano(), ts.Nano()}, nil
}

// movedTo is m moved to the boot time boot.
func (m twoClocks) movedTo(boot int64) twoClocks { return twoClocks{m.wall - (m.boot - boot), boot} }
