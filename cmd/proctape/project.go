package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/proctape/proctape/projector"
	"github.com/proctape/proctape/schema"
)

// projectFlags are the flags of project.
type projectFlags struct {
	files     fileFlags
	retention retentionFlags
	rules     ruleFlags
	notify    notifyFlags
	replicas  int
	hosts     []string
}

func projectCommand(s *settings) *cobra.Command {
	f := &projectFlags{replicas: 1}
	cmd := &cobra.Command{
		Use: "project", Short: "Project a log into a database of its own", Args: noArgs,
		Long: `Project the log of a NATS server, or of the recorder on this machine, into a database, and go on as the
log grows. Any number of databases can follow one log; each has its own checkpoints. With --hosts a new
database is of some hosts; it says so, and goes on with them when it is started again.

On a server of NATS it makes the streams of the log where they are not there yet; in a cluster --replicas says on how
many servers each is kept.`,
		Example: `  proctape project --server nats://127.0.0.1:4222 --creds projector.nk --db second.db
  proctape project --db second.db --ndjson ./files
  proctape project --db builds.db --hosts 'build*'`,
		RunE: untilStopped(func(cmd *cobra.Command, _ []string) error {
			cfg, err := f.config(s)
			if err != nil {
				return err
			}
			if s.checksOnly {
				return checkServer(s)
			}
			return f.follow(cmd, s, cfg)
		}),
	}
	registerHosts(cmd, &f.hosts)
	f.files.register(cmd)
	f.retention.register(cmd)
	f.rules.register(cmd)
	f.notify.register(cmd)
	cmd.Flags().IntVar(&f.replicas, "replicas", f.replicas, "`number` of servers of a cluster that keep each stream that is made now; \"proctape log replicas\" changes it later")
	return cmd
}

// config checks the flags and makes a projector's settings of them.
func (f *projectFlags) config(s *settings) (projector.Config, error) {
	cfg := projector.Config{DB: s.db}
	f.files.into(&cfg)
	keep, err := f.retention.config()
	if err == nil {
		err = f.files.check()
	}
	if err == nil {
		cfg.Retention = &keep
		cfg.Rules, err = f.rules.compile()
	}
	if err == nil {
		err = f.notify.read()
	}
	if err == nil {
		cfg.Hosts, err = checkHosts(f.hosts)
	}
	if err == nil {
		_, err = parseReplicas(strconv.Itoa(f.replicas))
	}
	return cfg, err
}

// follow projects the log until the command is stopped.
func (f *projectFlags) follow(cmd *cobra.Command, s *settings, cfg projector.Config) error {
	nc, err := awaitServer(s, cmd)
	if err != nil {
		return err
	}
	defer nc.Close()
	if cfg.NDJSON, err = f.files.folder(); err != nil {
		return err
	}
	w := newWorking(cmd, s)
	cfg.Memory, cfg.Beat, cfg.Log, cfg.Trouble = w.memory.projector(), w.watched.part("the projector", 0), w.log, w.trouble
	return withRefusals(cmd.Context(), nc, s.creds, func(ctx context.Context) error {
		if err := makeLog(ctx, s, nc, cfg.Retention.Policy, f.replicas); err != nil {
			return err
		}
		return f.project(ctx, cmd, s, nc, cfg, w)
	})
}

// makeLog makes the streams on the server that --server names.
func makeLog(ctx context.Context, s *settings, nc *nats.Conn, policy schema.Policy, replicas int) error {
	if s.server == "" {
		return nil
	}
	return declareStreams(ctx, nc, s.domain, policy, replicas)
}

// project projects the log of a connection until ctx ends.
func (f *projectFlags) project(ctx context.Context, cmd *cobra.Command, s *settings, nc *nats.Conn, cfg projector.Config, w *working) error {
	js, err := schema.JetStream(nc, s.domain)
	if err != nil {
		return err
	}
	p, err := projector.Open(ctx, js, cfg)
	if err != nil {
		return explainDatabase(err, s.db)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "proctape is projecting the log into %s. Ctrl-C stops it.\n", s.db)
	notices, err := f.notify.stages(s, js, w)
	if err != nil {
		return errors.Join(err, p.Close())
	}
	w.projects.Store(p)
	defer s.reloads(cmd.ErrOrStderr(), w.notify, &f.files, w.reopenFiles(&f.files), f.notify.reload)()
	defer w.ready(ctx)()
	err = runStages(ctx, append([]stage{{"watchdog", w.watched.run}, {"state", w.keeper(s.db).Run}, otherServers(nc, w.trouble), {"projector", p.Run}}, notices...)...)
	st := p.Stats()
	fmt.Fprintf(cmd.OutOrStdout(), "\nStopped. This run stored %d snapshots with %d process samples and %d events.\n",
		st.Snapshots, st.Processes, st.Events)
	return explainDatabase(err, filepath.Clean(s.db))
}
