package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/schema"
)

// mostReplicas is what JetStream allows.
const mostReplicas = 5

// logCommand is the group of commands on the log's streams.
func logCommand(s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use: "log", Short: "Say on how many servers of a cluster the log is kept",
		Long:    `Say on how many servers of a NATS cluster the streams of the log are kept.`,
		Example: `  proctape log replicas 3 --context prod`,
	}
	onlyCommands(cmd)
	cmd.AddCommand(logReplicasCommand(s))
	return cmd
}

func logReplicasCommand(s *settings) *cobra.Command {
	l := new(listing)
	cmd := &cobra.Command{
		Use: "replicas [N]", Short: "Show on how many servers each stream is kept, or change it", Args: oneArgAtMost,
		Long: `Show on how many servers of the cluster each stream of the log is kept, which of them leads, and how far the
others are. With N, have all streams kept on so many servers, 1, 3 or 5, while the log is in use, and wait until they have
all of it. The key needs an admin's rights.

With more than one server a message is acknowledged when most of them have it. They write it to disk after that: what
is acknowledged outlives the loss of one server of three, and not a power cut of most of them at once (docs/fleet.md).`,
		Example: `  proctape log replicas --context prod
  proctape log replicas 3 --server nats://a:4222,nats://b:4222,nats://c:4222 --creds admin.creds`,
		RunE: func(cmd *cobra.Command, args []string) error {
			n := 0
			if len(args) > 0 {
				var err error
				if n, err = parseReplicas(args[0]); err != nil {
					return err
				}
			}
			return withRunningLog(s, cmd, func(ctx context.Context, js jetstream.JetStream) error {
				if n > 0 {
					if err := changeReplicas(ctx, cmd, js, n); err != nil {
						return err
					}
				}
				list, err := embeddednats.Replicas(ctx, js)
				if err != nil {
					return err
				}
				return printReplicas(cmd.OutOrStdout(), list, l.json)
			})
		},
	}
	l.registerJSON(cmd)
	return cmd
}

// withRunningLog calls f with the log of a server that runs.
func withRunningLog(s *settings, cmd *cobra.Command, f func(context.Context, jetstream.JetStream) error) error {
	nc, err := s.connect()
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := schema.JetStream(nc, s.domain)
	if err != nil {
		return err
	}
	return withRefusals(cmd.Context(), nc, s.creds, func(ctx context.Context) error { return f(ctx, js) })
}

// parseReplicas reads a number of servers.
func parseReplicas(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > mostReplicas {
		return 0, hinted(misuse("%q is no number of replicas", text), "1, 3 or 5 servers; with 2 or 4 the loss of one is survived no better than with 1 or 3")
	}
	return n, nil
}

func changeReplicas(ctx context.Context, cmd *cobra.Command, js jetstream.JetStream, n int) error {
	last, err := 0, cmd.ErrOrStderr()
	return explainPlacement(embeddednats.SetReplicas(ctx, js, n, func(list []embeddednats.StreamReplicas) {
		settled := 0
		for i := range list {
			if list[i].Settled() {
				settled++
			}
		}
		if settled != last && isTerminal(err) {
			fmt.Fprintf(err, "proctape: %d of %d streams are on all their servers\n", settled, len(list))
		}
		last = settled
	}))
}

// replicasLine is a stream as JSON.
type replicasLine struct {
	Stream   string              `json:"stream"`
	Replicas int                 `json:"replicas"`
	Leader   string              `json:"leader"`
	Peers    []embeddednats.Peer `json:"peers"`
	Bytes    uint64              `json:"bytes"`
	Settled  bool                `json:"settled"`
}

func printReplicas(out io.Writer, list []embeddednats.StreamReplicas, asJSON bool) error {
	if asJSON {
		lines := make([]replicasLine, len(list))
		for i := range list {
			s := &list[i]
			lines[i] = replicasLine{s.Stream, s.Replicas, s.Leader, s.Peers, s.Bytes, s.Settled()}
		}
		return printJSON(out, lines)
	}
	t := newTable(out, "STREAM\tREPLICAS\tLEADER\tOTHERS\tMiB")
	for i := range list {
		s := &list[i]
		var others []string
		for _, p := range s.Peers {
			others = append(others, peerText(p))
		}
		leader, rest := s.Leader, strings.Join(others, ", ")
		if leader == "" {
			leader = "-"
		}
		if rest == "" {
			rest = "-"
		}
		t.row("%s\t%d\t%s\t%s\t%.1f", s.Stream, s.Replicas, printable(leader), printable(rest), float64(s.Bytes)/(1<<20))
	}
	return t.flush()
}

func peerText(p embeddednats.Peer) string {
	switch {
	case p.Offline:
		return p.Name + " (away)"
	case !p.Current:
		return fmt.Sprintf("%s (%d behind)", p.Name, p.Lag)
	}
	return p.Name
}
