package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/proctape/proctape/producer/simulate"
)

// loadFlags are the flags of simulate.
type loadFlags struct {
	fleet    simulate.Config
	duration time.Duration
	rate     string
	fast     bool
	json     bool
}

// The values of --rate.
const (
	rateReal = "real"
	rateFast = "fast"
)

func simulateCommand(s *settings) *cobra.Command {
	f := new(loadFlags)
	cmd := &cobra.Command{
		Use: "simulate", Short: "Publish the load of simulated hosts", Args: noArgs,
		Long: `Publish the snapshots and events of hosts that do not exist, to find out what load a log and its databases
can take, or to have data to look at. The hosts are named sim-0001 and so on. The messages go to a
server, or into the log of a data folder: through the recorder that runs there, or else through a server
that runs meanwhile. The folder must be named: a thousand hosts soon push what was recorded out of it.

With --rate fast, the simulated time is the one of --duration that ends now, and the messages are published
as fast as the log takes them.`,
		Example: `  proctape simulate --data ~/try --hosts 1000 --processes 200 --duration 1h
  proctape simulate --data ~/try --hosts 10 --duration 24h --rate fast
  proctape simulate --data ~/try --hosts 1 --duration 20m --rate fast --trouble memory_spike
  proctape simulate --server nats://127.0.0.1:4222 --creds admin.nk --churn 0.5 --json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			load, err := f.load(cmd, s)
			if err != nil {
				return err
			}
			return s.withConnection(cmd, func(ctx context.Context, nc *nats.Conn) error { return f.run(ctx, cmd, nc, load) })
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&f.fleet.Hosts, "hosts", 10, "`number` of hosts")
	flags.IntVar(&f.fleet.Processes, "processes", 200, "`number` of processes that each host has at any time")
	flags.DurationVar(&f.fleet.Interval, "interval", 5*time.Second, "time between two snapshots of a host")
	flags.Float64Var(&f.fleet.Churn, "churn", 0.1, "`share` of the processes that is replaced each minute")
	flags.IntVar(&f.fleet.Jobs, "jobs", 2, "`number` of jobs on each host; by default fewer where a host has no room for them")
	flags.Uint64Var(&f.fleet.Seed, "seed", 1, "seed `number`: the same seed makes the same hosts")
	flags.StringVar(&f.fleet.Trouble, "trouble", "", "trouble that each host has once, five minutes after its first snapshot: the `kind` is the name of a rule that finds it")
	flags.DurationVar(&f.duration, "duration", 0, "time to simulate (default: until Ctrl-C)")
	flags.StringVar(&f.rate, "rate", rateReal, "real: each message when it is due; fast: as fast as the log takes them")
	flags.BoolVar(&f.fast, "fast", false, "the same as --rate fast")
	flags.BoolVar(&f.json, "json", false, "print the result as JSON")
	return cmd
}

// load is what the flags ask for.
func (f *loadFlags) load(cmd *cobra.Command, s *settings) (simulate.Load, error) {
	load := simulate.Load{Fleet: f.fleet, Duration: f.duration, Fast: f.fast || f.rate == rateFast, Domain: s.domain, Log: s.logger(cmd)}
	switch {
	case f.rate != rateReal && f.rate != rateFast:
		return load, hinted(misuse("--rate %q is not a rate", f.rate), "the rates are real and fast")
	case load.Fast && f.duration == 0:
		return load, hinted(misuse("--rate fast without --duration"), "name the time to simulate, for example --duration 24h")
	case s.server == "" && !cmd.Flags().Changed("data"):
		return load, hinted(misuse("simulate needs --data or --server"), "name where the messages go, for example --data ~/try")
	case !cmd.Flags().Changed("jobs"):
		load.Fleet.Jobs = min(load.Fleet.Jobs, simulate.MaxJobs(load.Fleet.Processes))
	}
	var bad *simulate.FieldError
	if err := load.Validate(); errors.As(err, &bad) {
		return load, misuse("--%w", err)
	} else if err != nil {
		return load, err
	}
	return load, nil
}

func (f *loadFlags) run(ctx context.Context, cmd *cobra.Command, nc *nats.Conn, load simulate.Load) error {
	out, progress := cmd.OutOrStdout(), cmd.ErrOrStderr()
	if !f.json {
		fmt.Fprintf(out, "Simulating %d hosts of %d processes every %s. Ctrl-C stops it.\n", load.Fleet.Hosts, load.Fleet.Processes, load.Fleet.Interval)
	}
	begin, end, screen := "proctape: ", "\n", screen(progress)
	if isTerminal(progress) { // each line over the one before
		begin, end = "\r\x1b[K", ""
	}
	load.Progress = func(r simulate.Report) { fmt.Fprint(screen, begin, progressLine(&r), end) }
	r, err := simulate.Run(ctx, nc, load)
	if isTerminal(progress) {
		fmt.Fprint(screen, begin)
	}
	if f.json {
		return errors.Join(printJSON(out, []simulate.Report{r}), err)
	}
	printLoad(out, &r)
	return err
}

func progressLine(r *simulate.Report) string {
	return fmt.Sprintf("%s: %d snapshots, %.0f rows/s, %.1f MB/s, acknowledged in %s (p99 %s), %d lost, %s",
		r.Elapsed.Round(time.Second), r.Snapshots, r.PerSecond(r.Rows), r.PerSecond(r.Bytes)/1e6, roundDuration(r.AckP50), roundDuration(r.AckP99),
		r.Drops, lagLine(r))
}

// lagLine says how many messages the database that is furthest behind has still to project.
func lagLine(r *simulate.Report) string {
	if !r.LagKnown {
		return "lag unknown"
	}
	if len(r.Lag) == 0 {
		return "no database follows the log"
	}
	var most uint64
	for _, l := range r.Lag {
		most = max(most, l.Messages)
	}
	return fmt.Sprintf("%d messages behind", most)
}

func printLoad(w io.Writer, r *simulate.Report) {
	fmt.Fprintf(w, "\nStopped after %s. %d hosts made %d snapshots with %d process samples, and %d events.\n",
		r.Elapsed.Round(time.Second), r.Hosts, r.Snapshots, r.Rows, r.Events)
	fmt.Fprintf(w, "  published     %.1f messages/s, %.0f process samples/s, %.2f MB/s\n",
		r.PerSecond(r.Messages), r.PerSecond(r.Rows), r.PerSecond(r.Bytes)/1e6)
	fmt.Fprintf(w, "  acknowledged  p50 %s, p99 %s, at most %s\n", roundDuration(r.AckP50), roundDuration(r.AckP99), roundDuration(r.AckMax))
	fmt.Fprintf(w, "  late          at most %s; making the messages took %.1f%% of a core\n",
		roundDuration(r.Late), 100*r.Making.Seconds()/max(r.Elapsed.Seconds(), 1e-9))
	fmt.Fprintf(w, "  lost          %d items, and %d that the log has not acknowledged\n", r.Drops, r.Unacknowledged)
	if !r.LagKnown || len(r.Lag) == 0 {
		fmt.Fprintf(w, "  projection    %s\n", lagLine(r))
	}
	for _, l := range r.Lag {
		fmt.Fprintf(w, "  projection    %s is %d messages behind; the most seen was %d\n", l.Consumer, l.Messages, r.LagMax)
	}
}

// roundDuration shows a duration in three digits or so.
func roundDuration(d time.Duration) string {
	switch {
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(time.Microsecond).String()
}
