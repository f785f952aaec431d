package schema

import (
	"fmt"
	"time"

	"github.com/proctape/proctape/schema/metric"
)

// bound is the least and the largest number that a machine can have in a field. A message with a number outside is refused
// whole, with the field's name. Those of a snapshot's processes are in [metric.Table].
type bound struct{ low, high int64 }

const (
	maxLife   = int64(50 * 365 * 24 * time.Hour)             // of a machine since its boot, and of whatever runs on it
	minWall   = 946_684_800 * int64(time.Second)             // 2000: a machine without a clock says 1970
	maxWall   = 4_102_444_800 * int64(time.Second)           // 2100
	maxCPUs   = 8192                                         // NR_CPUS of the largest kernel, arch/x86/Kconfig
	aheadMax  = int64(10 * 365 * 24 * time.Hour)             // how far a clock may be ahead of the log's
	knownPast = 1_767_225_600 * int64(time.Second)           // 2026: a log that says it is earlier has no clock
	period    = int64(30 * 24 * time.Hour)                   // between two snapshots
	minuteOf  = int64(time.Minute) / int64(time.Microsecond) // snapshots in a minute
)

// The bounds, by what a number is.
var (
	boundWall     = bound{1, maxWall} // [Message.CheckTimes] has the rest
	boundMinute   = bound{minWall, maxWall}
	boundAnyWall  = bound{0, maxWall} // 0 is unknown
	boundBoot     = bound{0, maxLife} // 0: the producer does not tell its boot clock
	boundTicks    = boundOf(metric.StartTicks)
	boundMillis   = bound{0, maxLife / int64(time.Millisecond)}
	boundPID      = boundOf(metric.PID)
	boundUID      = boundOf(metric.UID)
	boundStep     = boundOf(metric.Sheet)
	boundKiB      = boundOf(metric.RSS)
	boundGrowing  = boundOf(metric.CPUMillis)
	boundCount    = bound{0, maxNumber}        // numbers of messages, and losses
	boundExit     = bound{0, 255}              // wait(2)
	boundJobExit  = bound{-1 << 31, 1<<32 - 1} // some conductors write a signal as a negative number, others a status of wait(2) or of Windows
	boundSignal   = bound{0, 128}              // _NSIG of MIPS, which has the most
	boundLoad     = bound{0, 100 << 22}        // hundredths: no more tasks than pids
	boundPressure = bound{0, 100_00}           // hundredths of a percent
	boundShare    = bound{0, 100_00}           // hundredths of a percent
	boundCPUs     = bound{0, maxCPUs}
	boundCPUShare = bound{0, maxCPUs * 1000} // thousandths of a processor
	boundPeriod   = bound{0, period}         // 0: the producer has none
	boundGPU      = bound{0, maxList}        // number of a GPU
	boundBusy     = bound{0, 10_000}         // tenths of a percent; some drivers count each engine
	boundHeat     = bound{-2732, 20_000}     // tenths of a degree, from absolute zero
	boundSamples  = bound{0, minuteOf}       // of a minute
	boundSum      = bound{-maxSum, maxSum}   // of a minute's values
	boundValue    = bound{-1 << 50, 1 << 50} // of a minute: memory in use is negative where more is available than there is
)

// boundOf is the bound of a process's metric.
func boundOf(id metric.ID) bound { return bound{0, metric.Table[id].Limit} }

// check refuses a number outside the bound.
func (b bound) check(name string, v int64) error {
	if v < b.low || v > b.high {
		return fmt.Errorf("%s %d is out of range: want %d to %d", name, v, b.low, b.high)
	}
	return nil
}

func (b bound) checkUnsigned(name string, v uint64) error {
	if v > uint64(b.high) {
		return fmt.Errorf("%s %d is out of range: want %d to %d", name, v, b.low, b.high)
	}
	return nil
}

func (b bound) checkOpt(name string, v Opt[int64]) error {
	if !v.Known {
		return nil
	}
	return b.check(name, v.V)
}

// MaxNumber is the largest number of an item.
const MaxNumber = maxNumber

// checkCPU refuses processes that used more CPU than all processors of the largest machine since its boot, and a day for
// a boot clock that is read before the counters.
func checkCPU(ps *Processes, boot int64) error {
	if boot == 0 {
		return nil
	}
	limit := (boot/int64(time.Millisecond) + 24*60*60*1000) * maxCPUs
	for row, v := range ps.numbers[metric.CPUMillis] {
		if v > limit {
			return fmt.Errorf("process %d, pid %d: cpu_ms %d is more than a machine can have that runs for %s", row, ps.PID(row), v,
				time.Duration(boot).Round(time.Second))
		}
	}
	return nil
}
