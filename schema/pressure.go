package schema

// PressureLevels are the words of a snapshot's pressure level, the least first; a snapshot of a producer that does not judge has none.
var PressureLevels = [...]string{"", "none", "low", "medium", "high", "critical"}

// PressureSign is a number of a host from which its pressure level follows: the worst of all that are known counts. docs/pressure.md is made of them.
type PressureSign struct {
	Doc string // what it is
	Why string // what the limits mean
	// Limits are the values, in percent, from which on the level is low, medium, high and critical.
	Limits [4]float64
	of     func(*Snapshot) (percent float64, known bool)
}

// PressureSigns are all signs. They are of memory, for a host that is short of it kills; one that is short of processors or of disks is slow.
var PressureSigns = []PressureSign{
	{"memory of the host in use: what is not available", "the kernel takes cached files back before it kills; the last percents are its own", [4]float64{85, 90, 95, 98},
		func(s *Snapshot) (float64, bool) {
			if s.MemoryTotal == 0 || !s.HostValues.KnowsMemoryUsed() {
				return 0, false
			}
			return 100 - 100*float64(s.MemoryAvail)/float64(s.MemoryTotal), true
		}},
	{"memory of the control group that is nearest to its limit, in use, but for cached files that can be dropped", "the kernel kills in the group at 100 %, however much the host has", [4]float64{85, 90, 95, 98},
		func(s *Snapshot) (float64, bool) {
			limit, used := s.HostValues.GroupLimit, s.HostValues.GroupUsed
			return 100 * float64(used.V) / max(1, float64(limit.V)), limit.Known && used.Known
		}},
	{"share of the last ten seconds in which some tasks waited for memory (some avg10 of /proc/pressure/memory)", "time that tasks lose", [4]float64{1, 10, 30, 60},
		func(s *Snapshot) (float64, bool) {
			return stalled(s.Pressure, func(p *Pressure) Opt[int64] { return p.MemorySome })
		}},
	{"share of the last ten seconds in which all tasks waited for memory (full avg10)", "time in which nothing is done at all", [4]float64{0.5, 5, 15, 30},
		func(s *Snapshot) (float64, bool) {
			return stalled(s.Pressure, func(p *Pressure) Opt[int64] { return p.MemoryFull })
		}},
}

func stalled(p *Pressure, of func(*Pressure) Opt[int64]) (percent float64, known bool) {
	if p == nil {
		return 0, false
	}
	v := of(p)
	return float64(v.V) / 100, v.Known
}

// LevelOfPressure is the pressure level of a snapshot by its own numbers: the worst of [PressureSigns]; none where nothing is known.
func (s *Snapshot) LevelOfPressure() string {
	worst := 0
	for i := range PressureSigns {
		percent, known := PressureSigns[i].of(s)
		for level, limit := range PressureSigns[i].Limits {
			if known && percent >= limit {
				worst = max(worst, level+1)
			}
		}
	}
	return PressureLevels[1+worst]
}
