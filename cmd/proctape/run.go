package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/producer/jobs"
	"github.com/proctape/proctape/producer/publish"
	"github.com/proctape/proctape/producer/run"
	"github.com/proctape/proctape/producer/scrub"
	"github.com/proctape/proctape/schema"
)

// inheritedUmask is the file mode mask with which we were started. A command that we run gets it.
var inheritedUmask int

func runCommand(s *settings) *cobra.Command {
	f := new(jobFlags)
	var quiet, syscalls bool
	argv := string(scrub.Scrubbed)
	cmd := &cobra.Command{
		Use: "run --job JOB [--sheet N] -- COMMAND [ARG...]", Short: "Run a command as a job, or a step of one",
		Long: `Run a command, record it and everything that it starts as a job, and say at the end what the job used. The
command gets this terminal, its signals and its environment, and proctape exits with its exit code, as
env(1) does. The command gets a control group of its own where that is possible.

When no recorder runs, the command runs all the same; only the last line then says what it used. Where
a recorder was and only does not answer now, what is known of the job waits on disk for it. The command's
processes find the job in PROCTAPE_JOB_ID and the step (sheet) in PROCTAPE_SHEET.`,
		Example: `  proctape run --job build-7 -- make -j8
  proctape run --job nightly --sheet 2 -- ./step-2.sh
  proctape report build-7`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return hinted(misuse("%s needs a command", cmd.CommandPath()), "for example: proctape run --job build-7 -- make -j8")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return runJob(cmd, s, f, args, scrub.Mode(argv), quiet, syscalls)
		},
	}
	cmd.Flags().SetInterspersed(false) // what follows the command is its own
	cmd.Flags().StringVar(&f.job, "job", os.Getenv(jobs.EnvJob), "`name` of the job (default: $PROCTAPE_JOB_ID)")
	cmd.Flags().Int64Var(&f.sheet, "sheet", 0, "`number` of the step (sheet) that the command is")
	cmd.Flags().BoolVar(&syscalls, "syscalls", false, "have the recorder count the system calls of the command and of all that it starts; it allows that with --syscalls and --bpf")
	cmd.Flags().BoolVar(&quiet, "quiet", false, "print nothing at the end")
	cmd.Flags().StringVar(&argv, "argv", argv, "how command lines are recorded: full, scrubbed (secrets masked) or none (program name only)")
	f.registerHost(cmd)
	return cmd
}

// maskedJob is the name under which a job is recorded; note tells when it is another.
func maskedJob(job string, note func(format string, a ...any)) string {
	name := jobs.Name(job)
	if name != job {
		note("the job is recorded as %s: what looks like a secret in its name is masked", printable(name))
	}
	return name
}

// checkRunJob checks the name of the job that run is told.
func checkRunJob(job string) error {
	if job == "" {
		return hinted(misuse("no --job"), "name the job that the command belongs to")
	}
	return checkJob(job)
}

// runJob runs the command. An error of recording it is printed, and does not keep it from running.
func runJob(cmd *cobra.Command, s *settings, f *jobFlags, args []string, argv scrub.Mode, quiet, syscalls bool) error {
	if err := checkRunJob(f.job); err != nil {
		return err
	}
	if _, err := scrub.ParseMode(string(argv)); err != nil {
		return misuse("--argv: %w", err)
	}
	sheet, err := f.step(cmd)
	if err != nil {
		return err
	}
	host, err := f.hostToken(cmd.Context(), s)
	if err != nil {
		return err
	}
	note := func(format string, a ...any) {
		if !quiet {
			fmt.Fprintf(cmd.ErrOrStderr(), "proctape: note: %s\n", oneLine(fmt.Sprintf(format, a...)))
		}
	}
	f.job = maskedJob(f.job, note)
	nc, away, err := connectOrWait(s, host)
	if err != nil {
		note("job %s is not recorded: %s", printable(f.job), withHint(err))
	} else {
		defer nc.Close()
	}
	id := runOfCommand(f.job, sheet)
	ctx := context.WithoutCancel(cmd.Context()) // signals are the command's
	about := run.CompanionConfig{Host: host, Job: f.job, Sheet: sheet, Run: id, Args: args, Argv: argv, Away: away != nil, Log: s.logger(cmd)}
	companion, err := run.NewCompanion(ctx, nc, withPlace(about, s))
	if err != nil {
		note("%s", undeclared(f.job, away, err))
	}
	result, err := runWatched(ctx, companion, run.Config{Args: args, Env: append(jobEnvironment(f.job, sheet, id), callsEnvironment(syscalls, companion, note)...), Cgroup: f.job})
	if err != nil {
		if lost := companion.End(run.ExitCode(err), 0, nil); lost != nil {
			note("%v", lost)
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "proctape: error: %s\n", oneLine(errors.Join(err, companion.Close()).Error()))
		return &exitCodeError{run.ExitCode(err)}
	}
	if err := errors.Join(companion.End(result.ExitCode, result.Signal, result.Totals(companion.PeakRSS(), companion.Processes())), companion.Close()); err != nil {
		note("%s", unrecorded(f.job, err))
	}
	if peak := companion.PeakRSS(); peak.Known && uint64(peak.V) > result.MaxRSSKiB.V {
		result.MaxRSSKiB = schema.Some(uint64(peak.V))
	}
	if !quiet {
		fmt.Fprintln(screen(cmd.ErrOrStderr()), run.Summary(result, run.About{Job: f.job, Sheet: sheet, Processes: companion.Processes(),
			Colour: isTerminal(cmd.ErrOrStderr()) && os.Getenv("NO_COLOR") == ""}))
	}
	return &exitCodeError{result.ExitCode}
}

// withPlace adds where the companion writes down what it has made. A member of the folder's group writes nothing there, and
// publishes the job alone.
func withPlace(cfg run.CompanionConfig, s *settings) run.CompanionConfig {
	cfg.Domain = s.domain
	if cfg.JobsAlone = isMember(s); !cfg.JobsAlone {
		cfg.Lives, cfg.Into = livesIn(s.data), servers(s.server).String()
	}
	return cfg
}

// runWatched runs the command while the companion watches.
func runWatched(ctx context.Context, companion *run.Companion, cfg run.Config) (run.Result, error) {
	watching, stop := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		companion.Watch(watching)
	}()
	defer func() {
		stop()
		<-watched
	}()
	mask := unix.Umask(inheritedUmask)
	started, err := run.Start(cfg)
	unix.Umask(mask)
	if err != nil {
		return run.Result{}, err
	}
	result, err := started.Wait()
	signal.Reset()             // from now on Ctrl-C ends us at once
	signal.Ignore(unix.SIGHUP) // and a terminal that goes away does not: what the command used is still to be recorded
	return result, err
}

// jobEnvironment is the environment by which the command finds its job, and the run.
func jobEnvironment(job string, sheet schema.Opt[int64], id schema.RunID) []string {
	env := []string{jobs.EnvJob + "=" + job, jobs.EnvRun + "="}
	if !id.IsZero() {
		env[1] += id.String()
	}
	if sheet.Known {
		env = append(env, jobs.EnvSheet+"="+strconv.FormatInt(sheet.V, 10))
	}
	return env
}

// callsEnvironment asks for system calls to be counted, if that is wanted, and notes when nobody does it.
func callsEnvironment(wanted bool, companion *run.Companion, note func(string, ...any)) []string {
	if !wanted {
		return nil
	}
	if sampler := companion.Sampler(); sampler.Lives && !sampler.Counts {
		note("system calls are not counted: start the recorder with --syscalls --bpf auto, where the kernel and its rights allow that")
	}
	return []string{jobs.EnvSyscalls + "=1"}
}

// runOfCommand is the run that a command is, or of which it is a step; zero for a step of the run that is open.
func runOfCommand(job string, sheet schema.Opt[int64]) schema.RunID {
	if sheet.Known {
		return runOfEnvironment(job)
	}
	return schema.NewRunID()
}

// runOfEnvironment is the run that PROCTAPE_RUN names; zero where it names none, or where the environment is another job's.
func runOfEnvironment(job string) schema.RunID {
	if of := os.Getenv(jobs.EnvJob); of != "" && of != job {
		return schema.RunID{}
	}
	id, err := schema.ParseRunID(os.Getenv(jobs.EnvRun))
	if err != nil {
		return schema.RunID{}
	}
	return id
}

// undeclared says what of a job is not recorded that is about to start, or not yet. away is why its recorder does not answer; nil where it may.
func undeclared(job string, away, err error) string {
	left, ok := errors.AsType[*publish.LeftError](err)
	if ok {
		err = cmp.Or(away, errNoAnswer)
	}
	if !ok || !left.Kept {
		return fmt.Sprintf("job %s is not recorded in full: %v", printable(job), err)
	}
	return fmt.Sprintf("job %s is not recorded yet: %v. What run knows of it waits on disk, and the recorder records it once it answers", printable(job), err)
}

// unrecorded says what of a job is not recorded, or not yet.
func unrecorded(job string, err error) string {
	if left, ok := errors.AsType[*publish.LeftError](err); ok && left.Kept {
		return fmt.Sprintf("the end of job %s is not recorded yet: the log does not answer. It waits on disk, and the next recorder or sampler of this host records it",
			printable(job))
	}
	return fmt.Sprintf("job %s is not recorded in full: %v", printable(job), err)
}
