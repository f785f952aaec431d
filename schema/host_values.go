package schema

import (
	"errors"
	"slices"
)

// HostValues are what a snapshot says of its host beside the numbers that the contract names, and which of those it does not
// know.
type HostValues struct {
	Unknown      []HostValue `json:"unknown,omitempty"`  // of the snapshot's own numbers, those that are not known; they are 0
	HugetlbTotal Opt[int64]  `json:"hugetlb_total_kib"`  // memory reserved in huge pages of all sizes: Hugetlb of proc_meminfo(5)
	HugetlbFree  Opt[int64]  `json:"hugetlb_free_kib"`   // of it what nobody uses, in pages of the default size
	GroupLimit   Opt[int64]  `json:"group_limit_kib"`    // memory that the sampler's control group and all above it may have; unknown for no limit
	GroupUsed    Opt[int64]  `json:"group_used_kib"`     // memory that the group of that limit has, but for cached files that can be dropped
	GroupCPU     Opt[int64]  `json:"group_cpu_permille"` // processors that the group may use, in thousandths of one; unknown for no limit
	Forks        Opt[int64]  `json:"forks,omitzero"`     // processes and threads that were started since boot: processes of proc_stat(5)
}

// KnowsMemoryUsed reports whether it is known how much memory the host uses.
func (v *HostValues) KnowsMemoryUsed() bool {
	return v.Knows(HostMemoryTotal) && v.Knows(HostMemoryAvail)
}

// UnknownKeys are the keys of the contract that hold its default in a line or an answer, because the number is not known.
func (v *HostValues) UnknownKeys() []string {
	var keys []string
	if len(v.Unknown) == 0 {
		return nil
	}
	for _, number := range hostValueKeys {
		if !v.Knows(number.value) {
			keys = append(keys, number.keys...)
		}
	}
	if !v.KnowsMemoryUsed() {
		keys = append(keys, "system_memory_used_mb")
	}
	return keys
}

var hostValueKeys = []struct {
	value HostValue
	keys  []string
}{
	{HostMemoryTotal, []string{"system_memory_total_mb"}},
	{HostMemoryAvail, []string{"system_memory_available_mb"}},
	{HostLoad, []string{"load_avg_1", "load_avg_5", "load_avg_15"}},
	{HostCPUs, []string{"cpus"}},
}

func (v *HostValues) validate() error {
	err := eachOf("unknown value", v.Unknown, maxList, func(name *HostValue) error { return text("name", string(*name), MaxName) })
	return errors.Join(err, boundKiB.checkOpt("hugetlb_total_kib", v.HugetlbTotal), boundKiB.checkOpt("hugetlb_free_kib", v.HugetlbFree),
		boundKiB.checkOpt("group_limit_kib", v.GroupLimit), boundKiB.checkOpt("group_used_kib", v.GroupUsed),
		boundCPUShare.checkOpt("group_cpu_permille", v.GroupCPU), boundGrowing.checkOpt("forks", v.Forks))
}

// HostValue names a number of a snapshot that may be unknown, by its key in JSON.
type HostValue string

// The numbers of a host that may be unknown. Of a [Pressure] each is unknown by itself.
const (
	HostMemoryTotal HostValue = "memory_total_kib"
	HostMemoryAvail HostValue = "memory_available_kib"
	HostLoad        HostValue = "load_x100"
	HostCPUs        HostValue = "cpus"
)

// IsZero reports whether there is nothing to say: then a message has none.
func (v HostValues) IsZero() bool {
	return len(v.Unknown) == 0 && !v.HugetlbTotal.Known && !v.HugetlbFree.Known && !v.GroupLimit.Known && !v.GroupUsed.Known && !v.GroupCPU.Known && !v.Forks.Known
}

// Knows reports whether a number of the host is known.
func (v *HostValues) Knows(name HostValue) bool { return !slices.Contains(v.Unknown, name) }
