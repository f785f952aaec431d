package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/health"
	"github.com/proctape/proctape/query/term"
)

// status is what the command shows, and prints as JSON, with what it is judged by.
type status struct {
	health.Status

	figures health.Figures
}

// printStatus prints a status for people.
func printStatus(out io.Writer, st *status) error {
	_ = say(out, "%s", st.Line()) // what fails is told by what follows
	if st.Recorder != 0 {
		fmt.Fprintf(out, "A recorder runs on %s, process %d.\n", term.Safe(st.Data), st.Recorder)
	}
	if st.Memory != nil {
		fmt.Fprintf(out, "Memory %s\n", memory{limit: st.Memory.Limit, reason: st.Memory.Reason})
	}
	if st.SizeBytes > 0 {
		fmt.Fprintf(out, "Database %s, %.1f MiB\n", term.Safe(st.Database), float64(st.SizeBytes)/(1<<20))
	}
	if st.HostsHeld != "" {
		fmt.Fprintf(out, "It has the hosts %s of its log, and no other\n", term.Safe(st.HostsHeld))
	}
	if d := st.Spool; d != nil {
		fmt.Fprintf(out, "On disk for the log: %d items, %.1f MiB\n", d.Items, float64(d.Bytes)/(1<<20))
	}
	if p := st.Proof; p != nil && p.Until != nil {
		fmt.Fprintf(out, "Proven until %s, last full pass %s\n", localTime(*p.Until), localTime(*p.Full))
	} else if p != nil {
		fmt.Fprintln(out, "Not proven yet")
	}
	fmt.Fprintln(out)
	if err := printStreams(out, st.Streams); err != nil {
		return err
	}
	if err := printBooks(out, st.Hosts, st.Stopped); err != nil {
		return err
	}
	return printHostCapabilities(out, st.Hosts)
}

// printStreams says how far each stream is projected.
func printStreams(out io.Writer, streams []health.StreamStatus) error {
	t := newTable(out, "STREAM\tPROJECTED\tOF\tLAG\tLAST MESSAGE\tLOG MiB").leaving("LOG MiB", "OF", "LAST MESSAGE")
	for _, s := range streams {
		last, lag, size, when := "?", "?", "?", "-"
		if s.Last != nil {
			last, lag = fmt.Sprint(*s.Last), fmt.Sprint(max(0, int64(*s.Last)-s.Seq))
			size = fmt.Sprintf("%.1f", float64(*s.Bytes)/(1<<20))
		}
		if s.Gone {
			last, lag = "gone", "?"
		}
		if s.Time > 0 {
			when = localTime(s.Time)
		}
		t.row("%s\t%d\t%s\t%s\t%s\t%s", s.Stream, s.Seq, last, lag, when, size)
	}
	if err := t.flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(out)
	return err
}

// printBooks says what became of what each host produced.
func printBooks(out io.Writer, hosts []query.HostBalance, stopped []string) error {
	t := newTable(out, "HOST\tITEMS PRODUCED\t= STORED\t+ QUARANTINED\t+ MISSING\t+ IN FLIGHT\t+ WAITING\tDUPLICATES\tLAST SEEN\tSNAPSHOTS").leaving("SNAPSHOTS", "DUPLICATES", "ITEMS PRODUCED", "+ WAITING", "= STORED", "LAST SEEN", "+ IN FLIGHT", "+ QUARANTINED")
	for _, h := range hosts {
		flight := orUnknown(h.InFlight)
		if h.InFlight == nil && h.NotCome > 0 {
			flight = fmt.Sprintf("%d or lost", h.NotCome)
		}
		sum := func(key string, n int64) string { return atLeast(h.AtLeast, key, fmt.Sprint(n)) }
		seen := time.Since(time.Unix(0, int64(h.LastTime*1e9))).Round(time.Second).String() + " ago"
		if slices.Contains(stopped, h.Host) {
			seen += ", stopped"
		}
		t.row("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d", h.Host, sum("produced", h.Produced), sum("stored", h.Stored),
			sum("quarantined", h.Quarantined), sum("missing", h.Missing), flight, orUnknown(h.Waiting), sum("duplicates", h.Duplicates), seen, h.Snapshots)
	}
	return t.flush()
}

// orUnknown shows a number, or a question mark when it is not known.
func orUnknown(n *int64) string {
	if n == nil {
		return "?"
	}
	return fmt.Sprint(*n)
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
			if !slices.Contains(h.Capabilities, c) && !(c == "events-taskstats" && slices.Contains(h.Capabilities, "events-bpf")) {
				lacks = append(lacks, strings.TrimSuffix(c, "-taskstats"))
			}
		}
		t.row("%s\t%s\t%s", h.Host, printable(strings.Join(h.Capabilities, " ")), cmp.Or(strings.Join(lacks, " "), "-"))
	}
	return t.flush()
}
