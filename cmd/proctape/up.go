package main

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/producer"
	"github.com/proctape/proctape/producer/run"
	"github.com/proctape/proctape/projector"
	"github.com/proctape/proctape/projector/anomaly"
	"github.com/proctape/proctape/projector/retention"
	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/state"
)

// upFlags are the flags of up alone.
type upFlags struct {
	samplingFlags
	listen        string
	group         string
	cert, key     string
	http          httpFlags
	retention     retentionFlags
	rules         ruleFlags
	notify        notifyFlags
	files         fileFlags
	noNDJSON      bool
	memoryLimitMB int64
	certificate   atomic.Pointer[tls.Certificate] // that the listener shows
}

func upCommand(s *settings) *cobra.Command {
	f := new(upFlags)
	cmd := &cobra.Command{
		Use: "up", Short: "Record this machine", Args: noArgs,
		Long: `Record this machine: sample its processes, keep the log, and project it into a database, all in one
process. Ctrl-C stops it in order: what was sampled is still stored.

Nothing listens on the network unless --listen asks for it. Other machines can then send their samples
here with "proctape sample --server"; "proctape hosts add NAME" makes the key that each of them needs.`,
		Example: `  proctape up
  proctape up --data ~/tape --interval 1s
  proctape up --listen 127.0.0.1:4222`,
		RunE: untilStopped(func(cmd *cobra.Command, _ []string) error { return up(cmd, s, f) }),
	}
	f.register(cmd)
	cmd.Flags().StringVar(&f.group, "group", "", "`group` of users who may read the recording and record jobs of theirs; from then on the data folder is shared with it")
	cmd.Flags().StringVar(&f.listen, "listen", "", "take samples of other machines on this `host:port`; each needs a key (proctape hosts add)")
	cmd.Flags().StringVar(&f.cert, "tls-cert", "", "certificate `file` for --listen")
	cmd.Flags().StringVar(&f.key, "tls-key", "", "key `file` for --listen")
	cmd.Flags().StringVar(&f.http.address, "http", "", "answer questions over HTTP on this `host:port`, such as 127.0.0.1:7447 (proctape serve --help)")
	f.http.register(cmd)
	f.retention.register(cmd)
	f.rules.register(cmd)
	f.notify.register(cmd)
	f.files.registerUp(cmd)
	cmd.Flags().BoolVar(&f.noNDJSON, "no-ndjson", false, "write no monitor.jsonl and events.jsonl")
	cmd.Flags().Int64Var(&f.memoryLimitMB, "memory-limit-mb", mostMemory>>20, "memory in `MiB` above which the garbage collector works harder; 0 for no limit; by default less where the control group or the machine has less")
	return cmd
}

// up starts the server and runs the recorder on it.
func up(cmd *cobra.Command, s *settings, f *upFlags) error {
	ctx := cmd.Context()
	cfg, err := f.config(cmd, s)
	if err != nil {
		return err
	}
	if s.server != "" {
		return hinted(misuse("up runs a server of its own, and --server names another"), `use "proctape sample" and "proctape project" with --server`)
	}
	tlsConfig, err := f.tls()
	if err != nil {
		return err
	}
	keep, err := f.retention.config()
	if err != nil {
		return err
	}
	watch, err := f.rules.compile()
	if err != nil {
		return err
	}
	if err := f.notify.read(); err != nil {
		return err
	}
	if err := f.files.check(); err != nil {
		return err
	}
	if f.memoryLimitMB < 0 {
		return hinted(misuse("--memory-limit-mb %d is negative", f.memoryLimitMB), "0 means no limit")
	}
	if cmd.Flags().Changed("memory-limit-mb") {
		s.memory = readMemory(f.memoryLimitMB << 20).set()
	}
	if s.checksOnly {
		_, err := f.http.tls()
		return err
	}
	if err := shareData(s, f.group); err != nil {
		return err
	}
	w := newWorking(cmd, s)
	state := w.keeper(s.db)
	server, err := embeddednats.Start(ctx, embeddednats.Config{Dir: s.data, Host: recordedHost(f.host), Listen: f.listen, TLS: tlsConfig,
		Streams: schema.Streams(keep.Policy, 1), Beat: w.watched.part("the log's server", 0), Log: w.log, Trouble: w.trouble, State: state.JSON})
	if err != nil {
		return explainStart(err, s)
	}
	defer s.reloads(cmd.ErrOrStderr(), w.notify, &f.files, f.reloadCertificate, w.reopenFiles(&f.files), f.notify.reload)()
	err = runRecorder(cmd, s, f, cfg, keep, watch, server, w, state)
	return errors.Join(err, server.Close())
}

// recordedHost is the name under which a sampler records this machine.
func recordedHost(flag string) string {
	if flag != "" {
		return flag
	}
	name, _ := os.Hostname() // an empty name becomes a token too
	return schema.HostToken(name)
}

// runRecorder runs the projector and the sampler on a server that is up, until the command is interrupted.
func runRecorder(cmd *cobra.Command, s *settings, f *upFlags, cfg producer.Config, keep retention.Settings, watch *anomaly.Rules, server *embeddednats.Server, w *working, state *state.Keeper) error {
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
	project := projector.Config{DB: s.db, Retention: &keep, Rules: watch,
		Memory: w.memory.projector(), Beat: w.watched.part("the projector", 0), Log: w.log, Trouble: w.trouble}
	f.files.into(&project)
	if project.NDJSON, err = f.ndjsonFolder(s); err != nil {
		return err
	}
	proj, err := projector.Open(ctx, js, project)
	if err != nil {
		return explainDatabase(err, s.db)
	}
	w.projects.Store(proj)
	cfg.Gaps, cfg.Log, cfg.Trouble, cfg.MaxQueue = server.Gaps, w.log, w.trouble, w.memory.queue()
	w.watchProducer(&cfg)
	prod, err := producer.New(nc, cfg)
	if err != nil {
		return errors.Join(explainProducer(err), proj.Close())
	}
	stages := []stage{{"watchdog", w.watched.run}, {"state", state.Run}, {"log", server.Run}, {"projector", proj.Run}, {"control groups of runs", run.RemoveLeftGroups}, {"producer", prod.Run}}
	notices, err := f.notify.stages(s, js, w)
	if err != nil {
		return errors.Join(err, proj.Close())
	}
	stages = append(stages, notices...)
	web, err := f.http.stage(ctx, cmd, s, js, w.watched)
	if err != nil {
		return errors.Join(err, proj.Close())
	}
	w.sampler.Store(prod)
	printStart(out, s, project, prod, server)
	web.print(out)
	began := time.Now()
	defer w.ready(ctx)()
	err = runStages(ctx, append(stages, web.stages...)...)
	printEnd(out, s, prod, proj, time.Since(began))
	return explainDatabase(err, s.db)
}

// printStart says what is recorded, where, and what is not seen.
func printStart(w io.Writer, s *settings, project projector.Config, p *producer.Producer, server *embeddednats.Server) {
	here := os.Args[0]
	if s.data != defaultData() {
		here += " --data " + s.data
	}
	fmt.Fprintf(w, "proctape is recording %s every %s. Ctrl-C stops it.\n\n", p.Host(), p.Interval())
	files := "none"
	if project.NDJSON != "" {
		files = filepath.Join(project.NDJSON, project.FileName) + ", events.jsonl"
	}
	fmt.Fprintf(w, "  database  %s\n  files     %s\n  log       %s\n", s.db, files, filepath.Join(s.data, "jetstream"))
	fmt.Fprintf(w, "  memory    %s\n", s.memory)
	if url := server.URL(); url != "" {
		fmt.Fprintf(w, "  listening %s, for hosts that have a key: %s hosts add NAME makes one\n", url, here)
	}
	printCapabilities(w, p.Capabilities())
	printNext(w, here)
}

// printNext says what to type next.
func printNext(w io.Writer, here string) {
	fmt.Fprint(w, "\nIn another terminal:\n")
	for _, next := range [][2]string{
		{"who uses what", "top"}, {"what ran", "snapshots --since -1m"}, {"a command as a job", "run --job try -- make"}, {"what it used", "report try"}, {"is all well?", "status"},
	} {
		fmt.Fprintf(w, "  %-19s %s %s\n", next[0], here, next[1])
	}
}

// printEnd says what was recorded.
func printEnd(w io.Writer, s *settings, p *producer.Producer, proj *projector.Projector, took time.Duration) {
	made, stored := p.Stats(), proj.Stats()
	fmt.Fprintf(w, "\nStopped after %s. This run stored %d snapshots with %d process samples and %d events in %s.\n",
		took.Round(time.Second), stored.Snapshots, stored.Processes, stored.Events, s.db)
	if lost := made.Produced - made.Acked; lost > 0 {
		fmt.Fprintf(w, "Lost: %d items that the log did not store.\n", lost)
	}
	if stored.Quarantined > 0 {
		fmt.Fprintf(w, "In quarantine: %d messages that could not be read.\n", stored.Quarantined)
	}
}

// tls reads the certificate of the listener; nil without one.
func (f *upFlags) tls() (*tls.Config, error) {
	if f.cert == "" && f.key == "" {
		return nil, nil
	}
	if f.listen == "" || f.cert == "" || f.key == "" {
		return nil, misuse("--tls-cert, --tls-key and --listen must be given together")
	}
	if err := f.readCertificate(); err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS13, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		return f.certificate.Load(), nil
	}}, nil
}

// readCertificate reads the files of the listener's certificate.
func (f *upFlags) readCertificate() error {
	cert, err := readKeyPair("--tls-cert", f.cert, "--tls-key", f.key)
	if err == nil {
		f.certificate.Store(cert)
	}
	return err
}

// ndjsonFolder is the folder of the files; empty for none.
func (f *upFlags) ndjsonFolder(s *settings) (string, error) {
	if f.noNDJSON {
		return "", nil
	}
	dir, err := f.files.folder()
	return cmp.Or(dir, s.data), err
}

// reloadCertificate reads the listener's certificate again: new connections see the new one.
func (f *upFlags) reloadCertificate() (did string, err error) {
	if f.cert == "" {
		return "", nil
	}
	return "the certificate", f.readCertificate()
}
