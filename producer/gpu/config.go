package gpu

import (
	"cmp"
	"log/slog"
	"time"
)

// Config sets a Reader. The zero value of each field works.
type Config struct {
	NvidiaSMI string        // the program, by path or by name in PATH; default nvidia-smi
	Sys       string        // where sysfs is mounted; default /sys
	Interval  time.Duration // between readings, rounded up to whole seconds; default 5 s
	Log       *slog.Logger  // default slog.Default()

	timing timing // for tests
}

func (c Config) withDefaults() Config {
	c.NvidiaSMI = cmp.Or(c.NvidiaSMI, "nvidia-smi")
	c.Sys = cmp.Or(c.Sys, "/sys")
	c.Interval = max(c.Interval, 0)
	c.Interval = cmp.Or((c.Interval + time.Second - 1).Truncate(time.Second), 5*time.Second)
	c.Log = cmp.Or(c.Log, slog.Default())
	c.timing = c.timing.withDefaults(c.Interval)
	return c
}

// timing is how long a Reader waits for what.
type timing struct {
	stale       time.Duration // a value of this age is unknown
	dropAfter   time.Duration // a GPU that was not read for so long is not listed
	hang        time.Duration // a program that begins no new round of lines for so long hangs
	retry       time.Duration // before a program that ended is started again; doubles from try to try
	retryMax    time.Duration // but not beyond this
	retryHung   time.Duration // before one that hung is started again
	retryAbsent time.Duration // before looking again for a program or a driver that is not there
	stopTimeout time.Duration // Run waits so long for what does not end
}

func (t timing) withDefaults(interval time.Duration) timing {
	return timing{
		stale:       cmp.Or(t.stale, 3*interval),
		dropAfter:   cmp.Or(t.dropAfter, max(5*time.Minute, 6*interval)),
		hang:        cmp.Or(t.hang, max(3*interval, 5*time.Second)),
		retry:       cmp.Or(t.retry, time.Second),
		retryMax:    cmp.Or(t.retryMax, time.Minute),
		retryHung:   cmp.Or(t.retryHung, time.Minute),
		retryAbsent: cmp.Or(t.retryAbsent, 5*time.Minute),
		stopTimeout: cmp.Or(t.stopTimeout, 3*time.Second),
	}
}
