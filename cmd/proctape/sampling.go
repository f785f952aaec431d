package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/producer"
	"github.com/proctape/proctape/producer/bpf"
	"github.com/proctape/proctape/producer/jobs"
	"github.com/proctape/proctape/producer/lifecycle"
	"github.com/proctape/proctape/producer/publish"
	"github.com/proctape/proctape/producer/scrub"
)

// samplingFlags are the flags of the commands that sample.
type samplingFlags struct {
	host          string
	interval      time.Duration
	argv          string
	scrubWords    []string
	kernelThreads bool
	events        string
	bpf           string
	jobEnv        []string
	rules         []string
	syscalls      bool
	traceJobs     []string
	nvidiaSMI     string
	proc, sys     string
	spoolMB       int64
	spoolHours    int64
}

func (f *samplingFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.host, "host", "", "`name` under which this machine is recorded (default: its host name)")
	cmd.Flags().DurationVar(&f.interval, "interval", 5*time.Second, "time between samples")
	cmd.Flags().StringVar(&f.argv, "argv", string(scrub.Scrubbed), "how command lines are recorded: full, scrubbed (secrets masked) or none (program name only)")
	cmd.Flags().StringSliceVar(&f.scrubWords, "scrub-word", nil, "another `word` that marks a secret; may be repeated")
	cmd.Flags().BoolVar(&f.kernelThreads, "kernel-threads", false, "record kernel threads too")
	cmd.Flags().StringVar(&f.events, "events", "auto", "how starts and ends of processes are seen: auto, bpf, taskstats, connector, pidfd or proc-diff")
	cmd.Flags().StringVar(&f.bpf, "bpf", string(bpf.Off), "read processes by programs in the kernel, which costs a fraction: off, auto (where that is possible) or on (docs/bpf.md)")
	cmd.Flags().StringSliceVar(&f.jobEnv, "job-env", nil, "`system` whose variables name jobs, or a variable of your own, or a name with ${VARIABLE} in it; all, none; may be repeated (default: all)")
	cmd.Flags().StringSliceVar(&f.rules, "job-rule", nil, "`rule` that gives processes to a job: cgroup:PATTERN=JOB or command:PATTERN=JOB; may be repeated")
	cmd.Flags().BoolVar(&f.syscalls, "syscalls", false, `allow system calls to be watched: with --bpf they are counted of whoever asks ("run --syscalls", --trace-job, "trace"); without, strace makes one process 60 to 200 times slower for two seconds`)
	cmd.Flags().StringSliceVar(&f.traceJobs, "trace-job", nil, "with --syscalls: watch the system calls of the jobs whose name matches `pattern`: with --bpf of all their processes, without of the busiest, from time to time; may be repeated")
	cmd.Flags().Int64Var(&f.spoolMB, "spool-mb", publish.DefaultSpool>>20, "most `MiB` that wait on disk while the log cannot be reached; then the oldest goes; 0 keeps nothing on disk")
	cmd.Flags().Int64Var(&f.spoolHours, "spool-hours", int64(publish.DefaultSpoolAge/time.Hour), "`hours` after which what waits on disk goes")
	f.registerMounts(cmd)
	cmd.Flags().StringVar(&f.nvidiaSMI, "nvidia-smi", "nvidia-smi", "`program` that reads NVIDIA's GPUs")
}

// registerMounts adds the flags that say where the machine is seen.
func (f *samplingFlags) registerMounts(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.proc, "proc", "/proc", "`folder` at which the /proc of the machine is mounted, in a container")
	cmd.Flags().StringVar(&f.sys, "sys", "/sys", "`folder` at which its /sys is mounted")
}

// checkMounts checks those.
func (f *samplingFlags) checkMounts() error {
	for _, m := range []struct{ flag, dir, file, mount string }{
		{"proc", f.proc, "stat", "--volume /proc:/host/proc:ro"}, {"sys", f.sys, "class", "--volume /sys:/host/sys:ro"},
	} {
		if m.dir == "" { // of doctor's defaults
			continue
		}
		if _, err := os.Stat(filepath.Join(m.dir, m.file)); err != nil {
			return hinted(misuse("--%s %s is not the /%s of a machine: %w", m.flag, m.dir, m.flag, err), "mount it there, for example with %s of podman or docker", m.mount)
		}
	}
	return nil
}

// config checks the flags and makes a sampler's settings of them.
func (f *samplingFlags) config(cmd *cobra.Command, s *settings) (producer.Config, error) {
	mode, err := scrub.ParseMode(f.argv)
	if err != nil {
		return producer.Config{}, misuse("--argv: %w", err)
	}
	if f.interval < 100*time.Millisecond {
		return producer.Config{}, hinted(misuse("--interval %s is too short", f.interval), "the shortest is 100ms")
	}
	if err := checkHostName(f.host); err != nil {
		return producer.Config{}, err
	}
	if f.spoolMB < 0 || f.spoolHours < 1 {
		return producer.Config{}, hinted(misuse("--spool-mb %d, --spool-hours %d: out of range", f.spoolMB, f.spoolHours), "--spool-mb 0 keeps nothing on disk; --spool-hours is 1 or more")
	}
	if err := f.checkMounts(); err != nil {
		return producer.Config{}, err
	}
	cfg := producer.Config{Root: f.proc, Sys: f.sys, Host: f.host, Interval: f.interval, Argv: mode, ScrubWords: f.scrubWords, KernelThreads: f.kernelThreads,
		NvidiaSMI: f.nvidiaSMI, Syscalls: f.syscalls, TraceJobs: f.traceJobs, Lives: livesIn(s.data), Domain: s.domain, Into: servers(s.server).String(), Log: s.logger(cmd),
		Spool: cmp.Or(f.spoolMB<<20, -1), SpoolAge: time.Duration(f.spoolHours) * time.Hour}
	if f.events != "auto" {
		rung := lifecycle.SourceKind("events-" + f.events)
		if !slices.Contains(lifecycle.SourceKinds, rung) {
			return cfg, hinted(misuse("--events %q is not a source of events", f.events), "the sources are auto, bpf, taskstats, connector, pidfd and proc-diff")
		}
		cfg.Events = []lifecycle.SourceKind{rung}
	}
	if cfg.Presets, err = jobs.ParsePresets(f.jobEnv); err != nil {
		return cfg, hinted(misuse("--job-env: %w", err), `for example "slurm,gitlab", "none", or "nightly-${MY_BUILD_ID}"`)
	}
	for _, text := range f.rules {
		rule, err := jobs.ParseRule(text)
		if err != nil {
			return cfg, hinted(misuse("--job-rule: %w", err), `for example "cgroup:/actions/*=ci-$1" or "command:/work/build-7=build-7"`)
		}
		cfg.Rules = append(cfg.Rules, rule)
	}
	if cfg.BPF, err = bpf.ParseMode(f.bpf); err != nil {
		return cfg, misuse("--bpf: %w", err)
	}
	if f.events == "bpf" && cfg.BPF == bpf.Off {
		return cfg, hinted(misuse("--events bpf without programs in the kernel"), "add --bpf auto, or --bpf on")
	}
	for _, pattern := range f.traceJobs {
		if _, err := path.Match(pattern, ""); err != nil {
			return cfg, hinted(misuse("--trace-job %q is not a pattern", pattern), `for example "build-*"`)
		}
	}
	if len(f.traceJobs) > 0 && !f.syscalls {
		return cfg, misuse("--trace-job without --syscalls")
	}
	return cfg, nil
}

// explainProducer adds to an error of a producer what can be done.
func explainProducer(err error) error {
	var refused *producer.NoBPFError
	if errors.As(err, &refused) {
		return hinted(err, "%s; or use --bpf auto, which reads /proc where this is not possible", refused.Grant)
	}
	return err
}

// printCapabilities says what a sampler sees, what it does not see, and what to grant so that it can.
func printCapabilities(w io.Writer, caps []producer.Capability) {
	fmt.Fprintln(w, "\nRecorded:")
	for _, c := range caps {
		if c.Have {
			fmt.Fprintf(w, "  + %s\n", c.Detail)
		}
	}
	missing := false
	for _, c := range caps {
		if c.Have || c.Quiet {
			continue
		}
		if !missing {
			fmt.Fprintln(w, "Not seen in full:")
			missing = true
		}
		fmt.Fprintf(w, "  - %s\n", c.Detail)
		if c.Grant != "" {
			fmt.Fprintf(w, "    to see it: %s\n", c.Grant)
		}
	}
}
