package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/term"
)

// listing are the flags that all listings share.
type listing struct {
	since, until string
	limit        int
	newest       bool
	host         string
	json         bool
}

// register adds the flags. limit is the most that is listed by default.
func (l *listing) register(cmd *cobra.Command, s *settings, limit int) {
	cmd.Flags().StringVar(&l.since, "since", "", "from this `time` on, for example -15m or \"2026-11-23 03:10\"")
	cmd.Flags().StringVar(&l.until, "until", "", "up to this `time`")
	cmd.Flags().IntVar(&l.limit, "limit", limit, "at most this `many`; 0 for all")
	cmd.Flags().BoolVar(&l.newest, "newest", false, "the newest up to the limit; without it and with --since, the oldest")
	cmd.Flags().StringVar(&l.host, "host", "", "of this `host` only")
	s.offerHosts(cmd)
	l.registerJSON(cmd)
}

func (l *listing) registerJSON(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&l.json, "json", false, "print JSON, one object a line")
}

// span is what the flags ask for. It asks for one more than the limit, so that the caller can tell that there is more.
func (l *listing) span() (query.Range, error) {
	now := time.Now()
	r := query.Range{Newest: l.newest || l.since == "", Host: l.host}
	if l.limit < 0 {
		return r, misuse("--limit %d is negative", l.limit)
	}
	if l.limit > 0 {
		r.Limit = l.limit + 1
	}
	for _, f := range []struct {
		name, value string
		dst         *float64
	}{{"since", l.since, &r.Since}, {"until", l.until, &r.Until}} {
		if f.value == "" {
			continue
		}
		t, err := parseTime(f.value, now)
		if err != nil {
			return r, hinted(misuse("--%s: %w", f.name, err), "%s", hintOf(err))
		}
		*f.dst = float64(t.UnixNano()) / 1e9
	}
	if r.Until > 0 && r.Until <= r.Since {
		return r, misuse("--until is not after --since")
	}
	return r, nil
}

// cut drops what is beyond the limit and says so.
func cut[T any](cmd *cobra.Command, l *listing, r query.Range, items []T) []T {
	if l.limit == 0 || len(items) <= l.limit {
		return items
	}
	if r.Newest {
		fmt.Fprintf(cmd.ErrOrStderr(), "proctape: note: these are the newest %d, there are older ones (--limit, --since)\n", l.limit)
		return items[len(items)-l.limit:]
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "proctape: note: these are the oldest %d, there are newer ones (--limit, --newest)\n", l.limit)
	return items[:l.limit]
}

// printJSON writes one object a line, in letters that cannot steer a terminal.
func printJSON[T any](w io.Writer, items []T) error {
	enc := newJSON(w)
	for i := range items {
		if err := enc.Encode(&items[i]); err != nil {
			return err
		}
	}
	return nil
}

// newJSON is an encoder of one object a line.
func newJSON(w io.Writer) *json.Encoder {
	enc := json.NewEncoder(term.JSON{W: w})
	enc.SetEscapeHTML(false)
	return enc
}

// table writes rows in aligned columns.
type table struct {
	w *tabwriter.Writer
}

func newTable(w io.Writer, head string) *table {
	t := &table{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	fmt.Fprintln(t.w, head)
	return t
}

func (t *table) row(format string, args ...any) { fmt.Fprintf(t.w, format+"\n", args...) }

func (t *table) flush() error { return t.w.Flush() }

// clock shows a timestamp in local time.
func clock(timestamp float64) string {
	return time.Unix(0, int64(timestamp*1e9)).Local().Format("2006-01-02 15:04:05")
}

// command shows a command line so that it can neither steer the terminal nor fill it.
func command(s string) string { return term.Cut(term.Safe(s), 80) }

// openDatabase opens the database for reading.
func (s *settings) openDatabase(cmd *cobra.Command) (*query.DB, error) {
	db, err := query.Open(cmd.Context(), s.db)
	if err != nil {
		return nil, explainRead(err, s)
	}
	return db, nil
}

// reading runs f with the database open.
func (s *settings) reading(cmd *cobra.Command, f func(*query.DB) error) error {
	db, err := s.openDatabase(cmd)
	if err != nil {
		return err
	}
	defer db.Close()
	return explainRead(f(db), s)
}

// reading runs f with the database open, which has the host that is asked for.
func (l *listing) reading(cmd *cobra.Command, s *settings, f func(*query.DB) error) error {
	return s.reading(cmd, func(db *query.DB) error {
		if err := l.checkHost(cmd, db); err != nil {
			return err
		}
		return f(db)
	})
}

func (l *listing) checkHost(cmd *cobra.Command, db *query.DB) error {
	if l.host == "" {
		return nil
	}
	hosts, err := db.HostNames(cmd.Context())
	if err != nil || slices.Contains(hosts, l.host) {
		return err
	}
	err = fmt.Errorf("no host %q is in the recording", l.host)
	const most = 10
	switch n := len(hosts); {
	case n == 0:
		return err
	case n > most:
		return hinted(err, "there are %s and %d more", strings.Join(hosts[:most], ", "), n-most)
	default:
		return hinted(err, "there are %s", strings.Join(hosts, ", "))
	}
}
