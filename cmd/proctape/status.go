package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/term"
)

// readStatus is what the command shows, and prints as JSON.
type status struct {
	Data      string              `json:"data"`
	Recorder  int                 `json:"recorder_pid"` // 0: none runs
	Database  string              `json:"database"`
	SizeBytes int64               `json:"database_bytes"`
	Streams   []streamStatus      `json:"streams"`
	Hosts     []query.HostBalance `json:"hosts"`
}

type streamStatus struct {
	query.Checkpoint
	Last  *uint64 `json:"last_seq"` // of the stream; absent when the log cannot be reached
	Bytes *uint64 `json:"bytes"`
}

func statusCommand(s *settings) *cobra.Command {
	l := new(listing)
	cmd := &cobra.Command{
		Use: "status", Short: "Show what runs, how far the database is, and each host's balance", Args: noArgs,
		Long: `Show whether a recorder runs, how far each stream of the log has been projected, and the balance of each
host: what its samplers produced is what is stored, in quarantine, missing, or in flight between the
log and the database. Duplicates come on top and change nothing. The last table shows what each host's
sampler sees and what it does not see; "proctape up" says what to grant.`,
		Example: `  proctape status --json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.withDatabase(cmd, func(db *query.DB) error {
				st, err := readStatus(cmd.Context(), s, db)
				if err != nil {
					return err
				}
				if l.json {
					return printJSON(cmd.OutOrStdout(), []*status{st})
				}
				return printStatus(cmd, st)
			})
		},
	}
	l.registerJSON(cmd)
	return cmd
}

func readStatus(ctx context.Context, s *settings, db *query.DB) (*status, error) {
	st := &status{Data: s.data, Database: s.db}
	st.Recorder, _ = embeddednats.Owner(s.data)
	for _, file := range []string{s.db, s.db + "-wal"} {
		if info, err := os.Stat(file); err == nil {
			st.SizeBytes += info.Size()
		}
	}
	checkpoints, err := query.Checkpoints(ctx, db)
	if err != nil {
		return nil, err
	}
	for _, c := range checkpoints {
		st.Streams = append(st.Streams, streamStatus{Checkpoint: c})
	}
	if st.Hosts, err = query.Hosts(ctx, db); err != nil {
		return nil, err
	}
	if st.Recorder != 0 || s.server != "" {
		addLogState(ctx, s, st)
	}
	return st, err
}

// addLogState adds where the streams end, and what of each host is in them and not in the database yet. A log that does
// not answer leaves that unknown.
func addLogState(ctx context.Context, s *settings, st *status) {
	nc, err := s.connect()
	if err != nil {
		return
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return
	}
	for i := range st.Streams {
		if stream, err := js.Stream(ctx, st.Streams[i].Stream); err == nil {
			state := stream.CachedInfo().State
			st.Streams[i].Last, st.Streams[i].Bytes = &state.LastSeq, &state.Bytes
		}
	}
	for i := range st.Hosts {
		if err := query.InFlight(ctx, js, &st.Hosts[i]); err != nil {
			return
		}
	}
}

func printStatus(cmd *cobra.Command, st *status) error {
	out := cmd.OutOrStdout()
	if st.Recorder != 0 {
		fmt.Fprintf(out, "A recorder runs on %s, process %d.\n", term.Safe(st.Data), st.Recorder)
	} else {
		fmt.Fprintf(out, "No recorder runs on %s.\n", term.Safe(st.Data))
	}
	fmt.Fprintf(out, "Database %s, %.1f MiB\n\n", term.Safe(st.Database), float64(st.SizeBytes)/(1<<20))
	t := newTable(out, "STREAM\tPROJECTED\tOF\tLAG\tLAST MESSAGE\tLOG MiB")
	for _, s := range st.Streams {
		last, lag, size, when := "?", "?", "?", "-"
		if s.Last != nil {
			last, lag = fmt.Sprint(*s.Last), fmt.Sprint(max(0, int64(*s.Last)-s.Seq))
			size = fmt.Sprintf("%.1f", float64(*s.Bytes)/(1<<20))
		}
		if s.Time > 0 {
			when = localTime(s.Time)
		}
		t.row("%s\t%d\t%s\t%s\t%s\t%s", s.Stream, s.Seq, last, lag, when, size)
	}
	if err := t.flush(); err != nil {
		return err
	}
	fmt.Fprintln(out)
	t = newTable(out, "HOST\tITEMS PRODUCED\t= STORED\t+ QUARANTINED\t+ MISSING\t+ IN FLIGHT\tDUPLICATES\tLAST SEEN\tSNAPSHOTS")
	for _, h := range st.Hosts {
		flight := "?"
		switch {
		case h.InFlight != nil:
			flight = fmt.Sprint(*h.InFlight)
		case h.NotCome > 0:
			flight = fmt.Sprintf("%d or lost", h.NotCome)
		}
		sum := func(key string, n int64) string { return atLeast(h.AtLeast, key, fmt.Sprint(n)) }
		t.row("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s ago\t%d", h.Host, sum("produced", h.Produced), sum("stored", h.Stored),
			sum("quarantined", h.Quarantined), sum("missing", h.Missing), flight, sum("duplicates", h.Duplicates),
			time.Since(time.Unix(0, int64(h.LastTime*1e9))).Round(time.Second), h.Snapshots)
	}
	if err := t.flush(); err != nil {
		return err
	}
	return printHostCapabilities(out, st.Hosts)
}

// printHostCapabilities says what each host's sampler sees and what it does not see.
func printHostCapabilities(out io.Writer, hosts []query.HostBalance) error {
	t := newTable(out, "\nHOST\tSEES\tDOES NOT SEE")
	for _, h := range hosts {
		if len(h.Capabilities) == 0 {
			continue
		}
		var lacks []string
		for _, c := range []string{"processes", "io", "psi", "events-taskstats", "oom"} {
			if !slices.Contains(h.Capabilities, c) {
				lacks = append(lacks, strings.TrimSuffix(c, "-taskstats"))
			}
		}
		t.row("%s\t%s\t%s", h.Host, printable(strings.Join(h.Capabilities, " ")), cmp.Or(strings.Join(lacks, " "), "-"))
	}
	return t.flush()
}
