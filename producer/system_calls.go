package producer

import (
	"fmt"
	"log/slog"
	"path"
	"slices"

	"github.com/proctape/proctape/producer/bpf"
	"github.com/proctape/proctape/producer/jobs"
	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/producer/syscalls"
	"github.com/proctape/proctape/schema"
)

// systemCalls finds out which system calls processes make: by programs in the kernel, which count those of all processes that ask for it, or by strace, of
// one process at a time.
type systemCalls struct {
	wanted   []string // patterns of jobs, see [Config]
	profiler *syscalls.Profiler
	programs *bpf.Calls        // nil: strace
	counter  *syscalls.Counter // nil: strace
}

// openSystemCalls finds out how system calls can be watched, if somebody allowed it, and what to grant so that it could be better. In the mode [bpf.On] it is an error
// when programs in the kernel cannot do it.
func openSystemCalls(allowed bool, mode bpf.Mode, wanted []string, log *slog.Logger) (*systemCalls, Capability, error) {
	c := Capability{Name: schema.CapSyscalls, Have: allowed, Detail: doc(schema.CapSyscalls), Quiet: !allowed}
	s := &systemCalls{wanted: wanted}
	watch := syscalls.Config{Enabled: allowed, Log: log}
	if allowed && mode != bpf.Off {
		programs, err := bpf.OpenCalls()
		if err != nil && mode == bpf.On {
			return nil, c, &NoBPFError{err, grantOf(err)}
		}
		if err != nil {
			c.Detail = fmt.Sprintf("%s: programs in the kernel cannot count them: %v", c.Detail, err)
		} else {
			c.Name, c.Detail = schema.CapSyscallCounts, doc(schema.CapSyscallCounts)
			s.programs, s.counter = programs, syscalls.NewCounter(programs, log)
			watch.Tracer = s.counter
		}
	}
	s.profiler = syscalls.NewProfiler(watch)
	return s, c, nil
}

// close drops the programs.
func (s *systemCalls) close() error {
	if s.programs == nil {
		return nil
	}
	return s.programs.Close()
}

// begin reads what is to be in the next sample.
func (s *systemCalls) begin() {
	if s.counter != nil {
		s.counter.Read()
	}
}

// of are the system calls of a process of a job that are to be in its sample. It has them be counted from now on if the job, or the process, asks for that.
func (s *systemCalls) of(p *procfs.Process, job string) ([]schema.Syscall, bool) {
	calls, traced := s.profiler.Take(p.PID, p.StartTicks)
	if s.counter == nil {
		return calls, traced
	}
	if p.Env[jobs.EnvSyscalls] == "1" || job != "" && s.wants(job) {
		s.counter.Watch(p.PID, p.StartTicks)
	}
	counted := s.counter.Take(p.PID, p.StartTicks)
	if traced {
		return calls, true
	}
	return counted, len(counted) > 0
}

// wants reports whether a job is one whose system calls are wanted.
func (s *systemCalls) wants(job string) bool {
	return slices.ContainsFunc(s.wanted, func(pattern string) bool {
		ok, _ := path.Match(pattern, job) // the pattern was checked
		return ok
	})
}
