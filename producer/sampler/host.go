package sampler

import (
	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/schema"
)

// setHost fills in what a reading says of the host.
func setHost(s *schema.Snapshot, h *procfs.Host) {
	s.CPUs, s.MemoryTotal, s.MemoryAvail = h.CPUs, h.Memory.TotalKiB, h.Memory.AvailableKiB
	s.Load = [3]int64{hundredths(h.Load1), hundredths(h.Load5), hundredths(h.Load15)}
	s.Pressure = convertPressure(&h.Pressure)
	for _, v := range []struct {
		known bool
		value schema.HostValue
	}{
		{h.Memory.TotalKiB > 0, schema.HostMemoryTotal}, {h.Memory.AvailableKnown, schema.HostMemoryAvail},
		{h.LoadKnown, schema.HostLoad}, {h.CPUs > 0, schema.HostCPUs},
	} {
		if !v.known {
			s.HostValues.Unknown = append(s.HostValues.Unknown, v.value)
		}
	}
	s.HostValues.HugetlbTotal = optUint(h.Memory.HugetlbKnown, h.Memory.HugetlbKiB)
	s.HostValues.Forks = optUint(h.Forks > 0, h.Forks)
	s.HostValues.HugetlbFree = optUint(h.Memory.HugetlbKnown, h.Memory.HugetlbFreeKiB)
}

// setGroup fills in the memory of the control group that is nearest to its limit, where there is one.
func setGroup(s *schema.Snapshot, read func() (limit, used int64, ok bool)) {
	if limit, used, ok := read(); ok {
		s.HostValues.GroupLimit, s.HostValues.GroupUsed = schema.Some(limit), schema.Some(used)
	}
}
