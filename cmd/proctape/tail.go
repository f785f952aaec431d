package main

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/live"
	"github.com/proctape/proctape/query/term"
	"github.com/proctape/proctape/schema"
)

func tailCommand(s *settings) *cobra.Command {
	var since timeText
	var host string
	cmd := &cobra.Command{
		Use: "tail [snapshots|events]", Short: "Follow snapshots or events as they happen",
		Long: `Print snapshots or events as they happen, as JSON, one object a line. "tail events" also prints execs and gaps.
With --since, print those that the log has since then first. Any number of readers can follow at the
same time; none delays another.`,
		Example: `  proctape tail events
  proctape tail snapshots --since -10m | jq -c '[.timestamp, .load_avg_1]'`,
		ValidArgs: []string{"snapshots", "events"},
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && args[0] != "snapshots" && args[0] != "events" {
				return hinted(misuse("cannot follow %q", args[0]), "%sfollow snapshots or events", didYouMean("", args[0], cmd.ValidArgs))
			}
			return oneArgAtMost(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			filter := live.Filter{Stream: schema.StreamSnapshots, Host: host, Direct: s.server != ""} // a reader's key may no more
			if len(args) == 1 && args[0] == "events" {
				filter.Stream = schema.StreamEvents
			}
			var err error
			if filter.Since, err = timeFlag("since", string(since), time.Now()); err != nil {
				return err
			}
			if err := checkHostName(host); err != nil {
				return err
			}
			if s.url != "" {
				return tailElsewhere(cmd, s, filter.Stream, host, filter.Since)
			}
			return tail(cmd, s, filter)
		},
	}
	cmd.Flags().Var(&since, "since", "begin at this `time`")
	cmd.Flags().StringVar(&host, "host", "", "only this `host`")
	completeHosts(cmd, s)
	return cmd
}

func tail(cmd *cobra.Command, s *settings, filter live.Filter) error {
	nc, err := s.connect()
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := schema.JetStream(nc, s.domain)
	if err != nil {
		return err
	}
	return withRefusals(cmd.Context(), nc, s.creds, func(ctx context.Context) error {
		if err := checkLogHost(ctx, js, filter.Host); err != nil {
			return err
		}
		return follow(ctx, cmd, js, filter)
	})
}

// checkLogHost reports a host of which the log has nothing.
func checkLogHost(ctx context.Context, js jetstream.JetStream, host string) error {
	if host == "" {
		return nil
	}
	hosts, err := live.Hosts(ctx, js)
	if err != nil {
		return err
	}
	return unknownHost(host, hosts, "the log")
}

// follow prints what the filter picks, until ctx ends.
func follow(ctx context.Context, cmd *cobra.Command, js jetstream.JetStream, filter live.Filter) error {
	enc := newJSON(cmd.OutOrStdout())
	return live.Follow(ctx, js, filter, func(m *schema.Message, _ uint64) error {
		if m.Snapshot != nil {
			return enc.Encode(query.SnapshotFromMessage(m))
		}
		for _, e := range query.EventsFromMessage(m) {
			if err := enc.Encode(e); err != nil {
				return err
			}
		}
		for _, e := range query.ExecsFromMessage(m) {
			if err := enc.Encode(e); err != nil {
				return err
			}
		}
		for _, g := range query.GapsFromMessage(m) {
			if err := enc.Encode(g); err != nil {
				return err
			}
		}
		return nil
	}, func(subject string, err error) {
		fmt.Fprintf(cmd.ErrOrStderr(), "proctape: note: a message on %s was skipped: %s\n", term.Safe(subject), term.Safe(err.Error()))
	})
}
