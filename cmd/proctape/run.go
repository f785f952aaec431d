package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/producer"
	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/producer/run"
	"github.com/proctape/proctape/producer/scrub"
	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema"
)

// inheritedUmask is the mask with which we were started; a command that we run has it.
var inheritedUmask int

// jobFlags name a job, and the host it runs on.
type jobFlags struct {
	job   string
	sheet int64
	host  string
}

func (f *jobFlags) registerHost(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.host, "host", "", "`name` under which this machine is recorded (default: this machine's)")
}

// hostToken is the host of the flags, or this machine: by the name that the recorder here has for it, else its own.
func (f *jobFlags) hostToken(ctx context.Context, s *settings) (string, error) {
	if f.host == "" {
		if s.server == "" {
			if name := recordedName(ctx, s.db); name != "" {
				return name, nil
			}
		}
		name, _ := os.Hostname() // an empty name becomes a token too
		return schema.HostToken(name), nil
	}
	if !schema.ValidHost(f.host) {
		return "", hinted(misuse("--host %q cannot be a host's name", f.host), "use 1 to 64 of A-Z a-z 0-9 _ -; for example %s", schema.HostToken(f.host))
	}
	return f.host, nil
}

// recordedName is the name that a database has for this machine; empty when it has none.
func recordedName(ctx context.Context, path string) string {
	fs := procfs.New("")
	defer fs.Close()
	boot, err := fs.BootID()
	if err != nil {
		return ""
	}
	db, err := query.Open(ctx, path)
	if err != nil {
		return ""
	}
	defer db.Close()
	name, err := db.HostOfBoot(ctx, boot)
	if err != nil {
		return ""
	}
	return name
}

// step is the step of the flags; unknown when the flag was not given.
func (f *jobFlags) step(cmd *cobra.Command) (schema.Opt[int64], error) {
	if !cmd.Flags().Changed("sheet") {
		return schema.Opt[int64]{}, nil
	}
	if f.sheet < 0 || f.sheet > 1<<31-1 {
		return schema.Opt[int64]{}, misuse("--sheet %d is out of range: want 0 to %d", f.sheet, 1<<31-1)
	}
	return schema.Some(f.sheet), nil
}

func checkJob(name string) error {
	if name == "" || len(name) > schema.MaxName {
		return misuse("a job's name has 1 to %d bytes", schema.MaxName)
	}
	return nil
}

func runCommand(s *settings) *cobra.Command {
	f := new(jobFlags)
	var quiet bool
	argv := string(scrub.Scrubbed)
	cmd := &cobra.Command{
		Use: "run --job JOB [--sheet N] -- COMMAND [ARG...]", Short: "Run a command as a job, or a step of one",
		Long: `Run a command, record it and all that it starts as a job's, and say at its end what it used. The command
has this terminal, its signals, its environment and its exit code, as under env(1). It gets a control
group of its own where that is possible.

Where no recorder runs the command runs all the same; only the last line then tells of it. Its
processes find the job in PROCTAPE_JOB_ID, and the step in PROCTAPE_SHEET.`,
		Example: `  proctape run --job build-7 -- make -j8
  proctape run --job nightly --sheet 2 -- ./step-2.sh
  proctape report build-7`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return hinted(misuse("%s wants a command", cmd.CommandPath()), "for example: proctape run --job build-7 -- make -j8")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.runJob(cmd, f, args, scrub.Mode(argv), quiet)
		},
	}
	cmd.Flags().SetInterspersed(false) // what follows the command is its own
	cmd.Flags().StringVar(&f.job, "job", os.Getenv(producer.EnvJob), "`name` of the job (default: $PROCTAPE_JOB_ID)")
	cmd.Flags().Int64Var(&f.sheet, "sheet", 0, "`number` of the step (sheet) that the command is")
	cmd.Flags().BoolVar(&quiet, "quiet", false, "say nothing at the end")
	cmd.Flags().StringVar(&argv, "argv", argv, "command lines: full, scrubbed (secrets masked) or none (program name only)")
	f.registerHost(cmd)
	return cmd
}

// exitWith ends the program with a command's exit code; all is said already.
type exitWith struct{ code int }

func (e *exitWith) Error() string { return "exit " + strconv.Itoa(e.code) }

// runJob runs the command. What goes wrong with recording it is said, and does not keep it from running.
func (s *settings) runJob(cmd *cobra.Command, f *jobFlags, args []string, argv scrub.Mode, quiet bool) error {
	if f.job == "" {
		return hinted(misuse("no --job"), "name the job that the command belongs to")
	}
	if err := checkJob(f.job); err != nil {
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
	say := func(format string, a ...any) {
		if !quiet {
			fmt.Fprintf(cmd.ErrOrStderr(), "proctape: note: "+format+"\n", a...)
		}
	}
	nc, err := s.connectOnce()
	if err != nil {
		say("job %s is not recorded: %v", command(f.job), err)
	} else {
		defer nc.Close()
	}
	ctx := context.WithoutCancel(cmd.Context()) // signals are the command's
	companion, err := producer.NewCompanion(ctx, nc, producer.CompanionConfig{
		Host: host, Job: f.job, Sheet: sheet, Args: args, Argv: argv, Log: s.logger(cmd)})
	if err != nil {
		say("job %s is not recorded in full: %v", command(f.job), err)
	}
	result, err := accompany(ctx, companion, run.Config{Args: args, Env: environment(f.job, sheet), Cgroup: f.job})
	if err != nil {
		if lost := companion.End(run.ExitCode(err)); lost != nil {
			say("%v", lost)
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "proctape: error: %v\n", errors.Join(err, companion.Close()))
		return &exitWith{run.ExitCode(err)}
	}
	if err := errors.Join(companion.End(result.ExitCode), companion.Close()); err != nil {
		say("job %s is not recorded in full: %v", command(f.job), err)
	}
	if peak := companion.PeakRSS(); peak.Known && uint64(peak.V) > result.MaxRSSKiB.V {
		result.MaxRSSKiB = schema.Some(uint64(peak.V))
	}
	if !quiet {
		fmt.Fprintln(cmd.ErrOrStderr(), run.Summary(result, run.About{Job: f.job, Sheet: sheet, Processes: companion.Processes(),
			Colour: isTerminal(os.Stderr) && os.Getenv("NO_COLOR") == ""}))
	}
	return &exitWith{result.ExitCode}
}

// accompany runs the command while the companion watches.
func accompany(ctx context.Context, companion *producer.Companion, cfg run.Config) (run.Result, error) {
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
	signal.Reset() // a second Ctrl-C ends us, whatever is left to tell
	return result, err
}

// environment is what the command finds of its job.
func environment(job string, sheet schema.Opt[int64]) []string {
	env := []string{producer.EnvJob + "=" + job}
	if sheet.Known {
		env = append(env, producer.EnvSheet+"="+strconv.FormatInt(sheet.V, 10))
	}
	return env
}

// connectOnce connects without trying for long: a command waits.
func (s *settings) connectOnce() (*nats.Conn, error) {
	type connected struct {
		nc  *nats.Conn
		err error
	}
	done := make(chan connected, 1)
	go func() {
		nc, err := s.connect()
		done <- connected{nc, err}
	}()
	select {
	case c := <-done:
		return c.nc, c.err
	case <-time.After(5 * time.Second):
		go func() {
			if c := <-done; c.nc != nil {
				c.nc.Close()
			}
		}()
		return nil, errors.New("the log does not answer")
	}
}
