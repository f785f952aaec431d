package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
)

// listing is the flags that all listings share.
type listing struct {
	view
	since, until timeText
	limit        int
	newest       bool
	reverse      bool
	joins        bool // lines may be of several items, so that fewer lines than the limit do not mean that there is no more
	host         string
	hosts        map[string]bool // of which the answer is; empty for all
}

// register adds the flags. limit is the most that is listed by default.
func (l *listing) register(cmd *cobra.Command, s *settings, limit int) {
	cmd.Flags().Var(&l.since, "since", "begin at this `time`, for example -15m or \"2026-11-23 03:10\"")
	cmd.Flags().Var(&l.until, "until", "end before this `time`")
	cmd.Flags().IntVar(&l.limit, "limit", limit, "list at most this `many`; 0 for all")
	cmd.Flags().BoolVar(&l.newest, "newest", false, "with --since: when there are more than the limit, list the newest and not the oldest")
	cmd.Flags().StringVar(&l.host, "host", "", "only this `host`")
	completeHosts(cmd, s)
}

// registerRange adds the flags of a listing of all that is in a range.
func registerRange(l *listing, cmd *cobra.Command, s *settings) {
	cmd.Flags().Var(&l.since, "since", "begin at this `time`, for example -30d")
	cmd.Flags().Var(&l.until, "until", "end before this `time`")
	cmd.Flags().StringVar(&l.host, "host", "", "only this `host`")
	completeHosts(cmd, s)
}

// registerList adds the flags of a listing that is printed as it is read.
func registerList[T any](l *listing, cmd *cobra.Command, s *settings, columns []column[T]) {
	l.register(cmd, s, 100)
	registerView(&l.view, cmd, columns)
	cmd.Flags().BoolVar(&l.reverse, "reverse", false, "list the newest first")
}

func (l *listing) registerJSON(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&l.json, "json", false, "print JSON, one object a line")
}

// timeRange is the range that the flags ask for. Its limit is one higher, so that the caller can tell whether there is more.
func (l *listing) timeRange() (query.Range, error) {
	now := time.Now()
	r := query.Range{Newest: l.newest || l.since == "", Reverse: l.reverse, Host: l.host}
	if l.limit < 0 {
		return r, hinted(misuse("--limit %d is negative", l.limit), "0 lists all")
	}
	if l.limit > 0 {
		r.Limit = l.limit + 1
	}
	since, err := timeFlag("since", string(l.since), now)
	if err != nil {
		return r, err
	}
	until, err := timeFlag("until", string(l.until), now)
	if err != nil {
		return r, err
	}
	r.Since, r.Until = timestamp(since), timestamp(until)
	return r, checkOrder("since", since, until)
}

// timestamp is a time in Unix seconds, as the database has it; 0 for the zero time.
func timestamp(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixNano()) / 1e9
}

// withinLimit drops what is beyond the limit, and says that it did.
func withinLimit[T any](cmd *cobra.Command, l *listing, r query.Range, items []T) []T {
	if l.limit == 0 || len(items) <= l.limit {
		return items
	}
	if r.Newest {
		fmt.Fprintf(cmd.ErrOrStderr(), "proctape: note: these are the newest %d; there are older ones (--limit, --since)\n", l.limit)
		return items[len(items)-l.limit:]
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "proctape: note: these are the oldest %d; there are newer ones (--limit, --newest)\n", l.limit)
	return items[:l.limit]
}

// withDatabase calls f with the database open, after it has checked that the database has the host that --host names.
func (l *listing) withDatabase(cmd *cobra.Command, s *settings, f func(*query.DB) error) error {
	return s.withDatabase(cmd, func(db *query.DB) error {
		if err := l.checkHost(cmd, db); err != nil {
			return err
		}
		return f(db)
	})
}

// checkHost reports a --host that the database does not have.
func (l *listing) checkHost(cmd *cobra.Command, db *query.DB) error {
	if l.host == "" {
		return nil
	}
	hosts, err := query.HostNames(cmd.Context(), db)
	if err != nil {
		return err
	}
	return unknownHost(l.host, hosts, "the recording")
}

// unknownHost reports a host that is not among those that a place has, and names these.
func unknownHost(host string, hosts []string, place string) error {
	if slices.Contains(hosts, host) {
		return nil
	}
	err := fmt.Errorf("no host %q is in %s", host, place)
	if len(hosts) == 0 {
		return err
	}
	return hinted(err, "%sits hosts are %s", didYouMean("", host, hosts), hostList(hosts))
}
