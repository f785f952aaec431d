package query

import (
	"encoding/json"

	"github.com/proctape/proctape/schema"
)

// HostValues are what a snapshot says of its host beside the contract's numbers. What is not known, or not there, is nil.
type HostValues struct {
	Unknown      []string `json:"unknown,omitempty"`          // keys of the snapshot that hold a default because the number is not known
	HugetlbTotal *float64 `json:"hugetlb_total_mb,omitempty"` // memory reserved in huge pages, MiB
	HugetlbFree  *float64 `json:"hugetlb_free_mb,omitempty"`  // of it what nobody uses
	GroupLimit   *float64 `json:"group_memory_limit_mb,omitempty"`
	GroupUsed    *float64 `json:"group_memory_used_mb,omitempty"` // of that limit
	GroupCPUs    *float64 `json:"group_cpus,omitempty"`           // processors that the recorder's control group may use
	Forks        *float64 `json:"forks,omitempty"`                // processes and threads that were started since boot
}

// hostValuesFromMessage are those of a message.
func hostValuesFromMessage(h *schema.HostValues) HostValues {
	return HostValues{
		Unknown: h.UnknownKeys(), HugetlbTotal: scaled(h.HugetlbTotal, 1024), HugetlbFree: scaled(h.HugetlbFree, 1024),
		GroupLimit: scaled(h.GroupLimit, 1024), GroupUsed: scaled(h.GroupUsed, 1024), GroupCPUs: scaled(h.GroupCPU, 1000), Forks: scaled(h.Forks, 1),
	}
}

// setFromColumn reads the column host_values, whose list has the keys of the message.
func (v *HostValues) setFromColumn(column []byte) error {
	if err := json.Unmarshal(column, v); err != nil {
		return err
	}
	var h schema.HostValues
	for _, key := range v.Unknown {
		h.Unknown = append(h.Unknown, schema.HostValue(key))
	}
	v.Unknown = h.UnknownKeys()
	return nil
}
