package main

import (
	"fmt"
	"os/user"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema"
)

// filterFlags are the flags that pick what a listing is about. A command registers those that mean something for it.
type filterFlags struct {
	job, run              string
	user, command, cgroup string
	step, pid, exitCode   int64
	types, states         []string
	signal                string
	failed                bool
}

// register adds flags by name.
func (f *filterFlags) register(cmd *cobra.Command, s *settings, names ...string) {
	flags := cmd.Flags()
	for _, name := range names {
		switch name {
		case "job":
			flags.StringVar(&f.job, name, "", "only of this `job`")
			jobs := completeJobs(s)
			completeFlag(cmd, name, func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
				return jobs(cmd, nil, typed)
			})
		case "run":
			flags.StringVar(&f.run, name, "", "with --job: only while this run of it went on, by its `number` or id")
		case "step":
			flags.Int64Var(&f.step, name, 0, "only of this `step` (sheet) of a job")
		case "pid":
			flags.Int64Var(&f.pid, name, 0, "only of this `pid`")
		case "user":
			flags.StringVar(&f.user, name, "", "only of this `user`, a name on this machine or a number")
		case "command":
			flags.StringVar(&f.command, name, "", "only where the command line has this `text` in it")
		case "cgroup":
			flags.StringVar(&f.cgroup, name, "", "only of this control `group`, and of those below it")
		case "state":
			flags.StringSliceVar(&f.states, name, nil, "only processes in these `states`: "+strings.Join(stateNames, ", "))
			mustComplete(cmd, name, stateNames)
		case "type":
			flags.StringSliceVar(&f.types, name, nil, "only events of these `types`: spawn, exit, signal, kill, oom")
			mustComplete(cmd, name, eventTypes())
		case "failed":
			flags.BoolVar(&f.failed, name, false, "only what a signal ended, or what had an exit code other than 0")
		case "exit-code":
			flags.Int64Var(&f.exitCode, name, 0, "only what ended with this exit `code`")
		case "signal":
			flags.StringVar(&f.signal, name, "", "only what this `signal` ended: SIGKILL, KILL or 9")
			mustComplete(cmd, name, signalNames())
		}
	}
}

var stateNames = []string{"R", "S", "D", "Z", "T", "t", "I", "X"}

func eventTypes() []string { return []string{"exit", "kill", "oom", "signal", "spawn"} }

func signalNames() (names []string) {
	for n := range unix.Signal(65) {
		if name := unix.SignalName(n); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// filter is what the flags pick within a range.
func (f *filterFlags) filter(cmd *cobra.Command, r query.Range) (query.Filter, error) {
	out := query.Filter{Range: r, Job: f.job, PID: f.pid, Command: f.command, Cgroup: f.cgroup, States: f.states, Types: f.types, Failed: f.failed}
	for _, name := range []string{"job", "user", "command", "cgroup", "signal"} {
		if flag := cmd.Flags().Lookup(name); flag != nil && flag.Changed && flag.Value.String() == "" {
			return out, hinted(misuse("--%s is empty", name), "leave it out for all")
		}
	}
	if err := checkPID(cmd, f.pid); err != nil {
		return out, err
	}
	for _, t := range f.types {
		if _, ok := schema.EventKinds[t]; !ok {
			return out, unknownValue("--type", t, "an event type", "the types are", eventTypes())
		}
	}
	for _, s := range f.states {
		if !slices.Contains(stateNames, s) {
			return out, unknownValue("--state", s, "a state", "the states are", stateNames)
		}
	}
	if cmd.Flags().Changed("step") {
		if f.step < 0 {
			return out, hinted(misuse("--step %d is negative", f.step), "steps are numbered from 0 or 1 on")
		}
		out.Step = &f.step
	}
	if cmd.Flags().Changed("exit-code") {
		if f.exitCode < 0 || f.exitCode > 255 {
			return out, hinted(misuse("--exit-code %d is not an exit code", f.exitCode), "an exit code is a whole number from 0 to 255")
		}
		out.ExitCode = &f.exitCode
	}
	var err error
	if f.user != "" {
		out.UID, err = userNamed(f.user)
	}
	if err == nil && f.signal != "" {
		out.Signal, err = signalNamed(f.signal)
	}
	return out, err
}

// ofJob says of which job and run something is; empty for any.
func (f *filterFlags) ofJob() string {
	switch {
	case f.job == "":
		return ""
	case f.run == "":
		return fmt.Sprintf(" as one of job %q", f.job)
	}
	return fmt.Sprintf(" as one of run %s of job %q", f.run, f.job)
}

// userNamed is the number of a user, whom a name or a number names.
func userNamed(name string) (*int64, error) {
	if n, err := strconv.ParseUint(name, 10, 32); err == nil {
		uid := int64(n)
		return &uid, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return nil, hinted(misuse("--user %q is not a user of this machine", name), "name users of other machines by number")
	}
	uid, err := strconv.ParseInt(u.Uid, 10, 64)
	return &uid, err
}

// userName is the name of a user on this machine, or the number.
func userName(uid int64) string {
	number := strconv.FormatInt(uid, 10)
	if name, ok := userNames[uid]; ok {
		return name
	}
	name := number
	if u, err := user.LookupId(number); err == nil {
		name = u.Username
	}
	userNames[uid] = name
	return name
}

var userNames = map[int64]string{}

// signalNamed is the number of a signal.
func signalNamed(name string) (*int64, error) {
	upper := strings.ToUpper(name)
	n, err := strconv.ParseInt(name, 10, 32)
	if err != nil {
		n = int64(unix.SignalNum(upper))
		if n == 0 {
			n = int64(unix.SignalNum("SIG" + upper))
		}
	}
	if n < 1 || n > 64 {
		return nil, unknownValue("--signal", upper, "a signal", "the signals are 1 to 64 and", signalNames())
	}
	return &n, nil
}
