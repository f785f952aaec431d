package ndjson

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/proctape/proctape/schema"
)

// hostNumbers are the numbers of the column host_values, and the unit of the message in theirs.
func hostNumbers(h *schema.HostValues) []hostNumber {
	return []hostNumber{
		{"hugetlb_total_mb", &h.HugetlbTotal, 1024}, {"hugetlb_free_mb", &h.HugetlbFree, 1024},
		{"group_memory_limit_mb", &h.GroupLimit, 1024}, {"group_memory_used_mb", &h.GroupUsed, 1024}, {"group_cpus", &h.GroupCPU, 1000},
		{"forks", &h.Forks, 1},
	}
}

type hostNumber struct {
	key   string
	value *schema.Opt[int64]
	per   float64
}

// AppendHostValues appends what a snapshot says of its host beside the contract's numbers, as a JSON object.
func AppendHostValues(b []byte, h *schema.HostValues) []byte {
	o := object{b: b}
	o.open()
	if len(h.Unknown) > 0 {
		o.key("unknown")
		o.b = appendStrings(o.b, h.Unknown)
	}
	for _, n := range hostNumbers(h) {
		if n.value.Known {
			o.float(n.key, float64(n.value.V)/n.per)
		}
	}
	o.close()
	return o.b
}

// ParseHostValues reads what [AppendHostValues] wrote.
func ParseHostValues(b []byte) (h schema.HostValues, err error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(b, &members); err != nil {
		return h, fmt.Errorf("read the host's values: %w", err)
	}
	if unknown, ok := members["unknown"]; ok {
		if err := json.Unmarshal(unknown, &h.Unknown); err != nil {
			return h, fmt.Errorf("read the host's unknown values: %w", err)
		}
	}
	for _, n := range hostNumbers(&h) {
		raw, ok := members[n.key]
		if !ok {
			continue
		}
		var v float64
		if err := json.Unmarshal(raw, &v); err != nil {
			return h, fmt.Errorf("read the host's %s: %w", n.key, err)
		}
		*n.value = schema.Some(int64(math.Round(v * n.per)))
	}
	return h, nil
}
