package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/projector"
	"github.com/proctape/proctape/schema"
)

func replayCommand(s *settings) *cobra.Command {
	var files fileFlags
	var from, until string
	cmd := &cobra.Command{
		Use: "replay --db NEW", Short: "Fold the whole log into a new database", Args: noArgs,
		Long: `Fold the whole log into a new database, beside a running recorder or from a data folder at rest. The same
log gives the same database. A replay that was interrupted goes on where it was; any other
database that exists is refused. --from and --until fold a part of the log, by the time at which
the log took a message.`,
		Example: `  proctape replay --db fresh.db
  proctape replay --data /mnt/backup/proctape --db fresh.db --ndjson ./files`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("db") {
				return hinted(misuse("replay wants --db, the database to make"), "for example: proctape replay --db fresh.db")
			}
			cfg, err := files.config(s, cmd)
			if err != nil {
				return err
			}
			cfg.Once = true
			return s.withLog(cmd, func(js jetstream.JetStream) error {
				if cfg.From, cfg.Until, err = span(cmd, js, from, until); err != nil {
					return err
				}
				return replay(cmd, s, js, cfg)
			})
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "begin at this `time`")
	cmd.Flags().StringVar(&until, "until", "", "end before this `time`")
	files.register(cmd)
	return cmd
}

// withLog calls f with the log: the server's, the running recorder's, or that of the data folder at rest, for which
// it runs a server meanwhile.
func (s *settings) withLog(cmd *cobra.Command, f func(jetstream.JetStream) error) error {
	ctx := cmd.Context()
	_, running := embeddednats.Owner(s.data)
	if s.server != "" || running {
		nc, err := s.connect()
		if err != nil {
			return err
		}
		defer nc.Close()
		js, err := jetStream(ctx, nc, schema.Policy{}, false)
		if err != nil {
			return err
		}
		return f(js)
	}
	if _, err := os.ReadDir(s.data); errors.Is(err, os.ErrPermission) {
		return hinted(err, "the recording is another user's")
	}
	if _, err := os.Stat(s.data + "/jetstream"); err != nil {
		return hinted(fmt.Errorf("there is no log in %s", s.data), "name a recorder's data folder with --data, or a server with --server")
	}
	server, err := embeddednats.Start(ctx, embeddednats.Config{Dir: s.data, Log: s.logger(cmd)})
	if err != nil {
		return explainStart(err, s)
	}
	nc, err := server.Connect(nats.ReconnectBufSize(-1))
	if err != nil {
		return errors.Join(err, server.Close())
	}
	js, err := jetstream.New(nc)
	if err == nil {
		err = f(js)
	}
	nc.Close()
	return errors.Join(err, server.Close())
}

// span turns the times of a replay into sequences of each stream.
func span(cmd *cobra.Command, js jetstream.JetStream, from, until string) (first, last map[string]uint64, err error) {
	if from == "" && until == "" {
		return nil, nil, nil
	}
	now := time.Now()
	if from != "" {
		t, err := parseTime(from, now)
		if err != nil {
			return nil, nil, hinted(misuse("--from: %w", err), "%s", hintOf(err))
		}
		if first, err = projector.SequencesAt(cmd.Context(), js, t); err != nil {
			return nil, nil, err
		}
	}
	t := now
	if until != "" {
		if t, err = parseTime(until, now); err != nil {
			return nil, nil, hinted(misuse("--until: %w", err), "%s", hintOf(err))
		}
	}
	if last, err = projector.SequencesAt(cmd.Context(), js, t); err != nil {
		return nil, nil, err
	}
	for name := range last {
		last[name]-- // the one before the first that is not wanted
	}
	return first, last, nil
}

func replay(cmd *cobra.Command, s *settings, js jetstream.JetStream, cfg projector.Config) error {
	p, err := projector.Open(cmd.Context(), js, cfg)
	if errors.Is(err, projector.ErrNotFresh) {
		return hinted(err, "name a file that does not exist")
	} else if err != nil {
		return explainDatabase(err, s.db)
	}
	began := time.Now()
	stop := showProgress(cmd.ErrOrStderr(), p)
	err = p.Run(cmd.Context())
	stop()
	st, took := p.Stats(), time.Since(began)
	switch {
	case errors.Is(err, context.Canceled):
		return hinted(fmt.Errorf("interrupted after %d messages", st.Messages), "the same command goes on from there")
	case err != nil:
		return explainDatabase(err, s.db)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "Folded %d messages into %s in %s: %d snapshots, %d process samples (%.0f a second), %d events.\n",
		st.Messages, s.db, took.Round(time.Millisecond), st.Snapshots, st.Processes, float64(st.Processes)/took.Seconds(), st.Events)
	if st.Quarantined > 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "%d messages could not be read and are in quarantine.\n", st.Quarantined)
	}
	return nil
}

// showProgress shows how far a replay is until stop is called: a bar on a terminal, a line now and then elsewhere.
func showProgress(w io.Writer, p *projector.Projector) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	show, finish := progressLines(w)
	if isTerminal(w) {
		show, finish = progressBar(w)
	}
	go func() {
		defer close(ended)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				show(progress(p))
			case <-done:
				show(progress(p))
				finish()
				return
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}

// progress is how many messages of the log have been folded, and how many there are.
func progress(p *projector.Projector) (folded, all int64) {
	for _, pos := range p.Positions() {
		folded += int64(pos.Folded)
		all += int64(pos.Last)
	}
	return folded, all
}

func progressBar(w io.Writer) (show func(folded, all int64), finish func()) {
	bars := mpb.New(mpb.WithOutput(w), mpb.WithWidth(60))
	bar := bars.AddBar(0, mpb.PrependDecorators(decor.Name("replay "), decor.CountersNoUnit("%d of %d messages")),
		mpb.AppendDecorators(decor.Percentage(), decor.Name(" "), decor.AverageSpeed(0, "%.0f/s"), decor.Name(", left "), decor.AverageETA(decor.ET_STYLE_GO)))
	return func(folded, all int64) {
			bar.SetTotal(all, false)
			bar.SetCurrent(folded)
		}, func() {
			bar.SetTotal(-1, true)
			bars.Wait()
		}
}

func progressLines(w io.Writer) (show func(folded, all int64), finish func()) {
	began, last := time.Now(), time.Now()
	return func(folded, all int64) {
		if time.Since(last) < 5*time.Second || folded == 0 {
			return
		}
		last = time.Now()
		rate := float64(folded) / time.Since(began).Seconds()
		left := time.Duration(float64(all-folded) / rate * float64(time.Second))
		fmt.Fprintf(w, "proctape: replay: %d of %d messages, %d%%, %.0f/s, left %s\n", folded, all, 100*folded/all, rate, left.Round(time.Second))
	}, func() {}
}
