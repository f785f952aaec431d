package store

import (
	"fmt"

	"github.com/proctape/proctape/schema"
)

// HostMinute names a minute of a host by its start, in Unix nanoseconds.
type HostMinute struct{ HostID, Minute int64 }

// HostFigures are what snapshots add to a minute of a host.
type HostFigures struct {
	Samples     int64 // snapshots
	CPU, Memory Figure
	MemoryTotal schema.Opt[int64] // KiB
}

// Figure is what values add up to, of those snapshots that know one.
type Figure struct {
	Samples, Sum int64
	Max          schema.Opt[int64]
}

// Add takes in a value.
func (f *Figure) Add(v int64) {
	f.Samples++
	f.Sum = schema.AddSaturated(f.Sum, v)
	schema.Raise(&f.Max, schema.Some(v))
}

// LifeCounts are how many processes started and ended, and of these how many by a signal.
type LifeCounts struct{ Starts, Ends, Deaths int64 }

// StepMinute names a minute of a step of a job on a host. The job's ID is empty for what belongs to none, Sheet is -1 for no step.
type StepMinute struct {
	HostMinute
	Job   schema.JobKey
	Sheet int64
}

// ProgramMinute names a minute of a program in a step.
type ProgramMinute struct {
	StepMinute
	Program string
}

// LifeFigures are what events add to a minute.
type LifeFigures struct {
	LifeCounts
	CPUMillis int64
	Largest   schema.Opt[int64] // KiB
	Longest   schema.Opt[int64] // ms
}

// Entry is the value of a key, which is made when there is none.
func Entry[K comparable, V any](m map[K]*V, key K) *V {
	v := m[key]
	if v == nil {
		v = new(V)
		m[key] = v
	}
	return v
}

// Add takes in other figures.
func (f *LifeFigures) Add(o *LifeFigures) {
	f.Starts, f.Ends, f.Deaths = f.Starts+o.Starts, f.Ends+o.Ends, f.Deaths+o.Deaths
	f.CPUMillis = schema.AddSaturated(f.CPUMillis, o.CPUMillis)
	schema.Raise(&f.Largest, o.Largest)
	schema.Raise(&f.Longest, o.Longest)
}

var (
	addHostFigures = `INSERT INTO host_minutes(timestamp, host_id, samples, cpu_samples, cpu_sum, cpu_max, memory_samples, memory_sum, memory_max,
		memory_total_kib) VALUES (?,?,?,?,?,?,?,?,?,?) ON CONFLICT(timestamp, host_id) DO UPDATE SET samples=samples+excluded.samples,
		cpu_samples=cpu_samples+excluded.cpu_samples, ` + addUp("cpu_sum") + `, ` + raisePeak("cpu_max") + `,
		memory_samples=memory_samples+excluded.memory_samples, ` + addUp("memory_sum") + `, ` + raisePeak("memory_max") + `, ` + raisePeak("memory_total_kib")
	addHostLives = `INSERT INTO host_minutes(timestamp, host_id, starts, ends, deaths) VALUES (?,?,?,?,?)
		ON CONFLICT(timestamp, host_id) DO UPDATE SET ` + addLives
	addStepCPU = `INSERT INTO step_minutes(timestamp, host_id, job_id, fleet, sheet_num, cpu_ms) VALUES (?,?,?,?,?,?)
		ON CONFLICT DO UPDATE SET ` + addUp("cpu_ms")
	addStepLives = `INSERT INTO step_minutes(timestamp, host_id, job_id, fleet, sheet_num, starts, ends, deaths, exit_cpu_ms, largest_kib, longest_ms)
		VALUES (?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET ` + addLives + `, ` + addUp("exit_cpu_ms") + `, ` + raisePeak("largest_kib") + `, ` + raisePeak("longest_ms")
	addProgramLives = `INSERT INTO program_minutes(timestamp, host_id, job_id, fleet, sheet_num, program, starts, ends, deaths, cpu_ms, largest_kib, longest_ms)
		VALUES (?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET ` + addLives + `, ` + addUp("cpu_ms") + `, ` + raisePeak("largest_kib") + `, ` + raisePeak("longest_ms")
)

const addLives = `starts=starts+excluded.starts, ends=ends+excluded.ends, deaths=deaths+excluded.deaths`

// writeHostMinutes adds what snapshots and events tell of minutes of hosts to their rows.
func writeHostMinutes(tx *Tx, hosts map[HostMinute]*HostFigures, lives map[HostMinute]*LifeCounts) error {
	for at, f := range hosts {
		if _, err := tx.Exec(addHostFigures, schema.Timestamp(at.Minute), at.HostID, f.Samples, f.CPU.Samples, f.CPU.Sum, optional(f.CPU.Max),
			f.Memory.Samples, f.Memory.Sum, optional(f.Memory.Max), optional(f.MemoryTotal)); err != nil {
			return fmt.Errorf("store a minute of a host: %w", err)
		}
	}
	for at, c := range lives {
		if _, err := tx.Exec(addHostLives, schema.Timestamp(at.Minute), at.HostID, c.Starts, c.Ends, c.Deaths); err != nil {
			return fmt.Errorf("store a minute of a host: %w", err)
		}
	}
	return nil
}

// writeStepMinutes adds what is told of minutes of steps and programs to their rows.
func writeStepMinutes(tx *Tx, cpus map[StepMinute]int64, steps map[StepMinute]*LifeFigures, programs map[ProgramMinute]*LifeFigures) error {
	for at, cpu := range cpus {
		if _, err := tx.Exec(addStepCPU, append(at.values(), cpu)...); err != nil {
			return fmt.Errorf("store a minute of job %q: %w", at.Job.ID, err)
		}
	}
	for at, f := range steps {
		if _, err := tx.Exec(addStepLives, append(at.values(), f.values()...)...); err != nil {
			return fmt.Errorf("store a minute of job %q: %w", at.Job.ID, err)
		}
	}
	for at, f := range programs {
		if _, err := tx.Exec(addProgramLives, append(append(at.values(), at.Program), f.values()...)...); err != nil {
			return fmt.Errorf("store a minute of program %q: %w", at.Program, err)
		}
	}
	return nil
}

func (s *StepMinute) values() []any {
	return []any{schema.Timestamp(s.Minute), s.HostID, s.Job.ID, s.Job.Fleet, s.Sheet}
}

func (f *LifeFigures) values() []any {
	return []any{f.Starts, f.Ends, f.Deaths, f.CPUMillis, optional(f.Largest), optional(f.Longest)}
}
