package ndjson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"

	"github.com/proctape/proctape/schema"
)

// ParseGPUs reads what [AppendGPUs] wrote.
func ParseGPUs(b []byte) ([]schema.GPU, error) {
	var rows []struct {
		Index       int                 `json:"index"`
		Utilization schema.Opt[float64] `json:"utilization_pct"`
		Used        schema.Opt[float64] `json:"memory_used_mb"`
		Total       schema.Opt[float64] `json:"memory_total_mb"`
		Temperature schema.Opt[float64] `json:"temperature_c"`
	}
	if err := json.Unmarshal(b, &rows); err != nil {
		return nil, fmt.Errorf("read GPUs: %w", err)
	}
	scaled := func(v schema.Opt[float64], by float64) schema.Opt[int64] {
		return schema.Opt[int64]{V: int64(math.Round(v.V * by)), Known: v.Known}
	}
	var gpus []schema.GPU
	for _, r := range rows {
		gpus = append(gpus, schema.GPU{Index: r.Index, Utilization: scaled(r.Utilization, 10), MemoryUsed: scaled(r.Used, 1024),
			MemoryTotal: scaled(r.Total, 1024), Temperature: scaled(r.Temperature, 10)})
	}
	return gpus, nil
}

// ParseJobProgress reads what [AppendJobProgress] wrote: its keys are those of the message.
func ParseJobProgress(b []byte) ([]schema.JobProgress, error) {
	var jobs []schema.JobProgress
	if err := json.Unmarshal(b, &jobs); err != nil {
		return nil, fmt.Errorf("read the progress of jobs: %w", err)
	}
	return jobs, nil
}

// ParseSyscalls reads what [AppendSyscallCounts] and [AppendSyscallTimes] wrote, in the order in which they wrote it.
func ParseSyscalls(counts, times []byte) ([]schema.Syscall, error) {
	if len(counts) == 0 {
		return nil, nil
	}
	var calls []schema.Syscall
	if err := eachMember(counts, func(name string, v json.Number) error {
		n, err := v.Int64()
		calls = append(calls, schema.Syscall{Name: name, Calls: uint64(n)})
		return err
	}); err != nil {
		return nil, fmt.Errorf("read system calls: %w", err)
	}
	i := 0
	return calls, eachMember(times, func(_ string, v json.Number) error {
		pct, err := v.Float64()
		if i < len(calls) {
			calls[i].TimeX100 = uint64(math.Round(pct * 100))
		}
		i++
		return err
	})
}

// eachMember passes the members of an object of numbers on, in their order, which a map would lose.
func eachMember(b []byte, one func(name string, v json.Number) error) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if _, err := d.Token(); err != nil { // {
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var v json.Number
		if err := d.Decode(&v); err != nil {
			return err
		}
		if err := one(name.(string), v); err != nil {
			return err
		}
	}
	return nil
}
