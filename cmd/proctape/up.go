package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"runtime/debug"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/producer"
	"github.com/proctape/proctape/producer/lifecycle"
	"github.com/proctape/proctape/producer/scrub"
	"github.com/proctape/proctape/projector"
	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/lockfile"
)

// sampling are the flags of whatever samples.
type sampling struct {
	host          string
	interval      time.Duration
	argv          string
	scrubWords    []string
	kernelThreads bool
	events        string
	rules         []string
	syscalls      bool
	traceJobs     []string
	nvidiaSMI     string
}

func (f *sampling) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.host, "host", "", "`name` to record under (default: this machine's)")
	cmd.Flags().DurationVar(&f.interval, "interval", 5*time.Second, "time between samples")
	cmd.Flags().StringVar(&f.argv, "argv", string(scrub.Scrubbed), "command lines: full, scrubbed (secrets masked) or none (program name only)")
	cmd.Flags().StringSliceVar(&f.scrubWords, "scrub-word", nil, "further `word` that marks a secret; may be repeated")
	cmd.Flags().BoolVar(&f.kernelThreads, "kernel-threads", false, "record kernel threads too")
	cmd.Flags().StringVar(&f.events, "events", "auto", "how to see starts and ends of processes: auto, or one of taskstats, connector, pidfd, proc-diff")
	cmd.Flags().StringSliceVar(&f.rules, "job-rule", nil, "whose a process is: cgroup:PATTERN=JOB or command:PATTERN=JOB; may be repeated")
	cmd.Flags().BoolVar(&f.syscalls, "syscalls", false, `allow "proctape trace", which slows a process down 60 to 200 times for seconds`)
	cmd.Flags().StringSliceVar(&f.traceJobs, "trace-job", nil, "with --syscalls: now and then trace the busiest process of the jobs of this name, or `pattern`; may be repeated")
	cmd.Flags().StringVar(&f.nvidiaSMI, "nvidia-smi", "nvidia-smi", "`program` that reads NVIDIA's GPUs")
}

func (f *sampling) config(s *settings, cmd *cobra.Command) (producer.Config, error) {
	mode, err := scrub.ParseMode(f.argv)
	if err != nil {
		return producer.Config{}, misuse("--argv: %w", err)
	}
	if f.interval < 100*time.Millisecond {
		return producer.Config{}, hinted(misuse("--interval %s is too short", f.interval), "the shortest is 100ms")
	}
	if f.host != "" && !schema.ValidHost(f.host) {
		return producer.Config{}, hinted(misuse("--host %q cannot be a host's name", f.host), "use 1 to 64 of A-Z a-z 0-9 _ -; for example %s", schema.HostToken(f.host))
	}
	cfg := producer.Config{Host: f.host, Interval: f.interval, Argv: mode, ScrubWords: f.scrubWords, KernelThreads: f.kernelThreads,
		NvidiaSMI: f.nvidiaSMI, Syscalls: f.syscalls, TraceJobs: f.traceJobs, Log: s.logger(cmd)}
	if f.events != "auto" {
		rung := lifecycle.Rung("events-" + f.events)
		if !slices.Contains(lifecycle.Rungs, rung) {
			return cfg, hinted(misuse("--events %q is no way to see processes", f.events), "the ways are auto, taskstats, connector, pidfd and proc-diff")
		}
		cfg.Events = []lifecycle.Rung{rung}
	}
	for _, text := range f.rules {
		rule, err := producer.ParseRule(text)
		if err != nil {
			return cfg, hinted(misuse("--job-rule: %w", err), `for example "cgroup:/actions/*=ci-$1" or "command:/work/build-7=build-7"`)
		}
		cfg.Rules = append(cfg.Rules, rule)
	}
	for _, pattern := range f.traceJobs {
		if _, err := path.Match(pattern, ""); err != nil {
			return cfg, misuse("--trace-job %q: %w", pattern, err)
		}
	}
	if len(f.traceJobs) > 0 && !f.syscalls {
		return cfg, misuse("--trace-job without --syscalls")
	}
	return cfg, nil
}

// upFlags are the flags of up alone.
type upFlags struct {
	sampling
	listen        string
	cert, key     string
	retention     retentionFlags
	fileLimit     int64
	noNDJSON      bool
	memoryLimitMB int64
}

func upCommand(s *settings) *cobra.Command {
	f := new(upFlags)
	cmd := &cobra.Command{
		Use: "up", Short: "Record this machine", Args: noArgs,
		Long: `Record this machine: sample its processes, keep the log, and fold it into a database, all in one
process. Ctrl-C stops it in order.

Nothing listens on the network unless --listen asks for it. Other recorders can then send their
samples here with "proctape sample --server", signing in with a key from the data folder.`,
		Example: `  proctape up
  proctape up --data ~/tape --interval 1s
  proctape up --listen 127.0.0.1:4222`,
		RunE: func(cmd *cobra.Command, _ []string) error { return up(cmd, s, f) },
	}
	f.register(cmd)
	cmd.Flags().StringVar(&f.listen, "listen", "", "take samples from others on this `host:port`; they need a key")
	cmd.Flags().StringVar(&f.cert, "tls-cert", "", "certificate `file` for --listen")
	cmd.Flags().StringVar(&f.key, "tls-key", "", "key `file` for --listen")
	f.retention.register(cmd)
	cmd.Flags().Int64Var(&f.fileLimit, "ndjson-limit", ndjsonLimit, "`bytes` from which monitor.jsonl is rotated")
	cmd.Flags().BoolVar(&f.noNDJSON, "no-ndjson", false, "write no monitor.jsonl and events.jsonl")
	cmd.Flags().Int64Var(&f.memoryLimitMB, "memory-limit-mb", 512, "memory in `MiB` from which the garbage collector works harder; 0 for no limit")
	return cmd
}

// up starts the server, the projector and the producer, sink first, and stops them from the source on.
func up(cmd *cobra.Command, s *settings, f *upFlags) error {
	ctx, log := cmd.Context(), s.logger(cmd)
	cfg, err := f.config(s, cmd)
	if err != nil {
		return err
	}
	if s.server != "" {
		return hinted(misuse("up runs a server of its own, --server names another"), `use "proctape sample" and "proctape project" with --server`)
	}
	tlsConfig, err := f.tls()
	if err != nil {
		return err
	}
	keep, err := f.retention.config()
	if err != nil {
		return err
	}
	if f.fileLimit < 1 {
		return misuse("--ndjson-limit %d is out of range: want 1 or more", f.fileLimit)
	}
	if f.memoryLimitMB > 0 {
		debug.SetMemoryLimit(f.memoryLimitMB << 20)
	}
	server, err := embeddednats.Start(ctx, embeddednats.Config{Dir: s.data, Listen: f.listen, TLS: tlsConfig, Log: log})
	if err != nil {
		return explainStart(err, s)
	}
	err = record(cmd, s, f, cfg, keep, server)
	return errors.Join(err, server.Close())
}

// record runs the pipeline on a server that is up.
func record(cmd *cobra.Command, s *settings, f *upFlags, cfg producer.Config, keep projector.Retention, server *embeddednats.Server) error {
	ctx, out := cmd.Context(), cmd.OutOrStdout()
	nc, err := server.Connect(nats.ReconnectBufSize(-1))
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	if err := embeddednats.Declare(ctx, js, schema.Streams(keep.Policy, 1), true); err != nil {
		return err
	}
	ndjsonDir := s.data
	if f.noNDJSON {
		ndjsonDir = ""
	}
	proj, err := projector.Open(ctx, js, projector.Config{DB: s.db, NDJSON: ndjsonDir, FileLimit: f.fileLimit, Retention: &keep, Log: s.logger(cmd)})
	if err != nil {
		return explainDatabase(err, s.db)
	}
	prod, err := producer.New(nc, cfg)
	if err != nil {
		return errors.Join(err, proj.Close())
	}
	announce(out, s, prod, server)
	began := time.Now()
	err = runStages(ctx, stage{"log", server.Run}, stage{"projector", proj.Run}, stage{"producer", prod.Run})
	farewell(out, s, prod, proj, time.Since(began))
	return explainDatabase(err, s.db)
}

// announce says in plain words what is recorded, where, and what is not seen.
func announce(w io.Writer, s *settings, p *producer.Producer, server *embeddednats.Server) {
	fmt.Fprintf(w, "proctape is recording %s every %s. Ctrl-C stops it.\n\n", p.Host(), p.Interval())
	fmt.Fprintf(w, "  database  %s\n  files     %s\n  log       %s\n", s.db, filepath.Join(s.data, "monitor.jsonl")+", events.jsonl", filepath.Join(s.data, "jetstream"))
	if url := server.URL(); url != "" {
		fmt.Fprintf(w, "  listening %s, for samplers with the key %s\n", url, filepath.Join(embeddednats.KeysDir(s.data), "sampler.nk"))
	}
	printCapabilities(w, p.Capabilities())
	here := os.Args[0]
	if s.data != defaultData() {
		here += " --data " + s.data
	}
	fmt.Fprintf(w, "\nIn another terminal: %s snapshots (or: tail snapshots, status)\n", here)
}

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

func farewell(w io.Writer, s *settings, p *producer.Producer, proj *projector.Projector, took time.Duration) {
	made, stored := p.Stats(), proj.Stats()
	fmt.Fprintf(w, "\nStopped after %s. This run stored %d snapshots with %d process samples and %d events in %s.\n",
		took.Round(time.Second), stored.Snapshots, stored.Processes, stored.Events, s.db)
	if lost := made.Produced - made.Acked; lost > 0 {
		fmt.Fprintf(w, "Lost: %d items that the log did not take.\n", lost)
	}
	if stored.Quarantined > 0 {
		fmt.Fprintf(w, "Put into quarantine: %d messages that could not be read.\n", stored.Quarantined)
	}
}

func (f *upFlags) tls() (*tls.Config, error) {
	if f.cert == "" && f.key == "" {
		return nil, nil
	}
	if f.listen == "" || f.cert == "" || f.key == "" {
		return nil, misuse("--tls-cert, --tls-key and --listen go together")
	}
	cert, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return nil, fmt.Errorf("read the certificate: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13}, nil
}

// explainStart adds to a start error what to do about it.
func explainStart(err error, s *settings) error {
	var held *lockfile.HeldError
	switch {
	case errors.As(err, &held):
		return hinted(fmt.Errorf("a recorder already runs on %s, process %d", s.data, held.PID),
			"stop it first, or record into another folder with --data")
	case errors.Is(err, os.ErrPermission):
		return hinted(err, "name a folder of your own with --data")
	case errors.Is(err, context.Canceled):
		return err
	}
	return err
}

// explainDatabase adds to an error of the database what to do about it.
func explainDatabase(err error, path string) error {
	var held *lockfile.HeldError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &held) && filepath.Base(held.Path) == "ndjson.lock":
		return hinted(fmt.Errorf("process %d already writes the files in %s", held.PID, filepath.Dir(held.Path)), "stop it first, or name another folder with --ndjson")
	case errors.As(err, &held):
		return hinted(fmt.Errorf("process %d already writes the database %s", held.PID, path), "stop it first, or name another database with --db")
	case isCorrupt(err):
		return hinted(err, `nothing was changed; move the file away and rebuild it from the log with "proctape replay --db %s"`, path)
	}
	return err
}
