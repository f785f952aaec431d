package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/producer/jobs"
	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/producer/publish"
	"github.com/proctape/proctape/schema"
)

func jobCommand(s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use: "job", Short: "Report what happens to a job (for programs that run jobs)",
		Long: `Report to the recorder when jobs and their steps (sheets) begin and end. From then on, the process that
--pid names and its descendants belong to the job. "proctape run" does all this for one command.
"declare" prints the id of the run that it begins; who has it in PROCTAPE_RUN tells of that run, and else
of the one that was declared last. docs/jobs.md shows how programs in other languages publish the same messages without these commands.

A job belongs to its host. With --fleet it is one job on all hosts: on each, processes of the user who
declared it and of root belong to it when their environment or a rule names it. That needs a
conductor's or an admin's key, or the recorder on this machine.`,
		Example: `  proctape job declare build-7 --pid $$ --total-sheets 3
  proctape job start-sheet build-7 1
  proctape job end-sheet build-7 1 --exit-code 0
  proctape job progress build-7 --last-completed 1
  proctape job end build-7`,
	}
	onlyCommands(cmd)
	for _, c := range []struct {
		use, short string
		kind       schema.JobEventType
		sheet      bool
	}{
		{"declare JOB", "Report that a job has begun", schema.JobDeclared, false},
		{"start-sheet JOB N", "Report that a step (sheet) has begun", schema.JobSheetStarted, true},
		{"end-sheet JOB N", "Report that a step (sheet) has ended", schema.JobSheetEnded, true},
		{"progress JOB", "Report how far a job has come", schema.JobProgressed, false},
		{"end JOB", "Report that a job has ended", schema.JobEnded, false},
	} {
		cmd.AddCommand(jobEventCommand(s, c.use, c.short, c.kind, c.sheet))
	}
	return cmd
}

// jobEventFlags are what can be reported of a job. Not every event uses all of them.
type jobEventFlags struct {
	jobFlags
	pid, total, last, exitCode int64
	uid                        int64
	supervisor                 bool
	status, command, details   string
	fleet                      bool
	run                        string
}

func jobEventCommand(s *settings, use, short string, kind schema.JobEventType, withSheet bool) *cobra.Command {
	f := new(jobEventFlags)
	want, needed := 1, "one argument, the job"
	if withSheet {
		want, needed = 2, "two arguments, the job and the number of the step"
	}
	cmd := &cobra.Command{
		Use: use, Short: short,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != want {
				return needs(cmd, needed)
			}
			return checkJob(args[0])
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := f.event(cmd, kind, args)
			if err != nil {
				return err
			}
			host, err := f.scope(cmd, s)
			if err != nil {
				return err
			}
			err = tellJob(cmd, s, host, e)
			if err == nil && kind == schema.JobDeclared {
				_, err = fmt.Fprintln(cmd.OutOrStdout(), e.Run)
			}
			return err
		},
	}
	f.register(cmd, kind)
	return cmd
}

// tellJob publishes an event of a job, and waits until the log has it. While the recorder on the data folder does not answer, it leaves the event for
// that on disk, and says so; and while others wait there, for events of a job are to be taken up in their order.
func tellJob(cmd *cobra.Command, s *settings, host string, e *schema.JobEvent) error {
	m := jobs.JobMessage(host, e)
	waits := func(why string) {
		fmt.Fprintf(cmd.ErrOrStderr(), "proctape: note: this is not recorded yet: %s. It waits on disk, and the recorder records it once it answers\n", why)
	}
	if publish.Waits(livesIn(s.data), host) && recordsHere(s, host) {
		err := publish.Leave(livesIn(s.data), "", m)
		if err == nil {
			waits("what was told before waits on disk")
		}
		return err
	}
	err := publishJob(cmd, s, m)
	if err == nil || cmd.Context().Err() != nil || !isTakenUpLater(s, host, err) {
		return err
	}
	if lost := publish.Leave(livesIn(s.data), "", m); lost != nil {
		return errors.Join(err, lost)
	}
	waits(oneLine(err.Error()))
	return nil
}

// publishJob publishes an event of a job, and waits until the log has it.
func publishJob(cmd *cobra.Command, s *settings, m *schema.Message) error {
	nc, err := s.connectForRun()
	if err != nil {
		return err
	}
	defer nc.Close()
	ctx, cancel := context.WithTimeout(cmd.Context(), 10*time.Second)
	defer cancel()
	return withRefusals(ctx, nc, s.creds, func(ctx context.Context) error {
		if err := jobs.PublishJobMessage(ctx, nc, m); err != nil {
			return fmt.Errorf("report job %s to the log: %w", printable(m.Jobs[0].JobID), err)
		}
		return nil
	})
}

// register adds the flags that an event of a type uses.
func (f *jobEventFlags) register(cmd *cobra.Command, kind schema.JobEventType) {
	flags := cmd.Flags()
	switch kind {
	case schema.JobDeclared, schema.JobSheetStarted:
		flags.Int64Var(&f.pid, "pid", 0, "`process` that belongs to the job, with all its descendants")
		flags.BoolVar(&f.supervisor, "supervisor", false, "--pid is the parent of the job's processes and does not itself belong to the job")
		if kind == schema.JobDeclared {
			flags.Int64Var(&f.uid, "uid", 0, "with --fleet: `user` whose processes may join the job by its name on every host, beside root's (default: yours)")
		}
	case schema.JobSheetEnded, schema.JobEnded:
		flags.Int64Var(&f.exitCode, "exit-code", 0, "exit `code`")
	}
	flags.Int64Var(&f.total, "total-sheets", 0, "`number` of steps (sheets) that the job has")
	flags.Int64Var(&f.last, "last-completed", 0, "`number` of the last step (sheet) that is done")
	flags.StringVar(&f.status, "status", "", "the job's status in a `word`, such as running or failed")
	flags.StringVar(&f.command, "command", "", "what the job runs, as `text` for people")
	flags.StringVar(&f.run, "run", "", "`id` of the run (default: $PROCTAPE_RUN, or else the run that was declared last)")
	flags.StringVar(&f.details, "details", "", "further `text` for people")
	f.registerHost(cmd)
	flags.BoolVar(&f.fleet, "fleet", false, "the job is one for all hosts, and not this one's")
}

// scope is under which host the event is published: that of --host, this one, or the fleet.
func (f *jobEventFlags) scope(cmd *cobra.Command, s *settings) (string, error) {
	switch {
	case !f.fleet:
		return f.hostToken(cmd.Context(), s)
	case f.host != "" && !s.fromElsewhere["host"]:
		return "", hinted(misuse("--fleet and --host cannot be combined"), "a job is one host's, or all hosts'")
	}
	return schema.Fleet, nil
}

// runID is the run that the event is about. Who declares a run draws an id for it.
func (f *jobEventFlags) runID(kind schema.JobEventType, job string) (schema.RunID, error) {
	switch {
	case f.run != "":
		run, err := schema.ParseRunID(f.run)
		if err != nil {
			return run, hinted(misuse("--run %s is no run's id", printable(f.run)), `an id has 32 hexadecimal digits, as "proctape job declare" prints`)
		}
		return run, nil
	case kind == schema.JobDeclared:
		return schema.NewRunID(), nil
	}
	return runOfEnvironment(job), nil
}

// event is the job event that the command line describes.
func (f *jobEventFlags) event(cmd *cobra.Command, kind schema.JobEventType, args []string) (*schema.JobEvent, error) {
	run, err := f.runID(kind, args[0])
	if err != nil {
		return nil, err
	}
	e := &schema.JobEvent{Run: run, Type: kind, Wall: time.Now().UnixNano(), JobID: args[0], Status: f.status, Command: f.command,
		Details: f.details, Supervisor: f.supervisor}
	for _, v := range []struct {
		flag  string
		value int64
		dst   *schema.Opt[int64]
		most  int64
	}{{"total-sheets", f.total, &e.TotalSheets, 1 << 31}, {"last-completed", f.last, &e.LastCompleted, 1 << 31},
		{"exit-code", f.exitCode, &e.ExitCode, 255}} {
		if !cmd.Flags().Changed(v.flag) {
			continue
		}
		if v.value < 0 || v.value > v.most {
			return nil, misuse("--%s %d is out of range: want 0 to %d", v.flag, v.value, v.most)
		}
		*v.dst = schema.Some(v.value)
	}
	if kind == schema.JobDeclared && f.fleet {
		if !cmd.Flags().Changed("uid") {
			f.uid = int64(os.Getuid())
		}
		if f.uid < 0 || f.uid > 1<<32-1 {
			return nil, misuse("--uid %d is out of range: want 0 to %d", f.uid, int64(1<<32-1))
		}
		e.UID = schema.Some(f.uid)
	} else if cmd.Flags().Changed("uid") {
		return nil, hinted(misuse("--uid needs --fleet"), "a job of this host belongs to the user of the process that --pid names")
	}
	if len(args) == 2 {
		var n int64
		if _, err := fmt.Sscanf(args[1]+" ", "%d ", &n); err != nil || n < 0 || fmt.Sprint(n) != args[1] {
			return nil, hinted(misuse("%q is not a step number", args[1]), "a step (sheet) is a whole number, 0 or more")
		}
		e.Sheet = schema.Some(n)
	}
	if err := checkPID(cmd, f.pid); err != nil {
		return nil, err
	}
	if cmd.Flags().Changed("pid") {
		fs := procfs.New("")
		defer fs.Close()
		p, err := fs.Process(int(f.pid), procfs.Options{KernelThreads: true})
		if err != nil {
			return nil, hinted(fmt.Errorf("--pid %d: %w", f.pid, err), "name a process that runs on this machine")
		}
		e.PID, e.StartTicks = schema.Some(f.pid), p.StartTicks
	}
	return e, nil
}
