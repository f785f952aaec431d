package schema

import "github.com/proctape/proctape/schema/metric"

// TicksPerSecond is the unit of a process's start time: USER_HZ, 100 on every Linux that matters (time(7)).
const TicksPerSecond = 100

// AgeAt returns how long a process had run, in seconds, that started at a tick after boot, when the boot clock stood at
// boot.
func AgeAt(boot int64, startTicks uint64) float64 {
	return float64(boot-int64(startTicks)*(1e9/TicksPerSecond)) / 1e9
}

// SetNumber sets one of metric.Numbers.
func (p *Process) SetNumber(id metric.ID, v Opt[int64]) {
	one := []Process{*p}
	setNumbers(one, id, []int64{orUnknown(v)})
	*p = one[0]
}
