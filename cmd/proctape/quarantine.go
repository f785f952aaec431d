package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/proctape/proctape/projector"
	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/term"
	"github.com/proctape/proctape/schema"
)

func quarantineCommand(s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use: "quarantine", Short: "Look at the messages that could not be read",
		Long: `A message that cannot be read, breaks a limit, or says it is another host's is put into quarantine with its
bytes, and the recording goes on. After an upgrade that can read it, replay publishes it again.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return hinted(misuse("unknown command %q", args[0]), "the commands are list, show, replay and drop")
			}
			return cmd.Help()
		},
		Args: cobra.ArbitraryArgs,
	}
	cmd.AddCommand(quarantineList(s), quarantineShow(s), quarantineReplay(s), quarantineDrop(s))
	return cmd
}

func quarantineList(s *settings) *cobra.Command {
	l := new(listing)
	cmd := &cobra.Command{
		Use: "list", Short: "List them, and count them by host and reason", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if l.limit < 0 {
				return misuse("--limit %d is negative", l.limit)
			}
			return s.withDatabase(cmd, func(db *query.DB) error {
				limit := l.limit
				if limit == 0 {
					limit = -1
				}
				list, err := db.Quarantine(cmd.Context(), limit, false)
				if err != nil {
					return err
				}
				if l.json {
					return printJSON(cmd.OutOrStdout(), list)
				}
				return printQuarantine(cmd, db, list)
			})
		},
	}
	cmd.Flags().IntVar(&l.limit, "limit", 100, "at most this `many`; 0 for all")
	l.registerJSON(cmd)
	return cmd
}

func printQuarantine(cmd *cobra.Command, db *query.DB, list []query.Quarantined) error {
	counts, err := db.QuarantineCounts(cmd.Context())
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	if len(counts) == 0 {
		fmt.Fprintln(out, "Nothing was ever put into quarantine.")
		return nil
	}
	if len(list) > 0 {
		t := newTable(out, "MESSAGE\tSTORED\tSUBJECT\tREASON\tBYTES\tERROR")
		for i := range list {
			q := &list[i]
			t.row("%s\t%s\t%s\t%s\t%d\t%s", q.ID(), localTime(q.Timestamp), printable(q.Subject), q.Reason, q.Size, printable(q.Error))
		}
		if err := t.flush(); err != nil {
			return err
		}
		fmt.Fprintln(out)
	}
	t := newTable(out, "HOST\tREASON\tEVER")
	for _, c := range counts {
		t.row("%s\t%s\t%d", printable(c.Host), c.Reason, c.Count)
	}
	return t.flush()
}

func quarantineShow(s *settings) *cobra.Command {
	l := new(listing)
	cmd := &cobra.Command{
		Use: "show MESSAGE", Short: "Show one with its bytes", Args: oneArg("message, as list names it"),
		Example: `  proctape quarantine show PROCTAPE_EVENTS/1/42`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkMessageName(args); err != nil {
				return err
			}
			return s.withDatabase(cmd, func(db *query.DB) error {
				q, err := findQuarantined(cmd, db, args[0])
				if err != nil {
					return err
				}
				out := cmd.OutOrStdout()
				if l.json {
					return printJSON(out, []*query.Quarantined{q})
				}
				fmt.Fprintf(out, "message  %s\nstored   %s\nsubject  %s\nreason   %s\nerror    %s\nsha256   %s\n", q.ID(), localTime(q.Timestamp),
					term.Safe(q.Subject), q.Reason, term.Safe(q.Error), q.SHA256)
				for k, v := range q.Headers {
					fmt.Fprintf(out, "header   %s: %s\n", term.Safe(k), term.Safe(fmt.Sprint(v)))
				}
				if !q.Kept {
					fmt.Fprintf(out, "its %d bytes were not kept\n", q.Size)
					return nil
				}
				fmt.Fprint(out, hex.Dump(q.Payload))
				return nil
			})
		},
	}
	l.registerJSON(cmd)
	return cmd
}

// checkMessageName checks that the argument, if there is one, can name a message.
func checkMessageName(args []string) error {
	if len(args) == 0 {
		return nil
	}
	if _, _, _, ok := schema.ParseReplayed(args[0]); !ok {
		return hinted(misuse("%q names no message", args[0]), `name it as "proctape quarantine list" does, for example PROCTAPE_EVENTS/1/42`)
	}
	return nil
}

// findQuarantined finds the message that a user names.
func findQuarantined(cmd *cobra.Command, db *query.DB, id string) (*query.Quarantined, error) {
	stream, epoch, seq, _ := schema.ParseReplayed(id)
	q, err := db.Quarantined(cmd.Context(), stream, epoch, seq)
	if errors.Is(err, query.ErrNotQuarantined) {
		return nil, hinted(fmt.Errorf("%s is not in quarantine", id), `"proctape quarantine list" lists what is`)
	}
	return q, err
}

func quarantineReplay(s *settings) *cobra.Command {
	return &cobra.Command{
		Use: "replay [MESSAGE]", Short: "Publish one again, or all, to be read by this version",
		Args: oneArgAtMost,
		Long: `Publish a message, or all of them, to the log again. What can be read now is folded into the recording in its
place and leaves the quarantine; what cannot stays.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkMessageName(args); err != nil {
				return err
			}
			return s.withDatabase(cmd, func(db *query.DB) error {
				var list []query.Quarantined
				if len(args) == 1 {
					q, err := findQuarantined(cmd, db, args[0])
					if err != nil {
						return err
					}
					list = append(list, *q)
				} else {
					var err error
					if list, err = db.Quarantine(cmd.Context(), -1, true); err != nil {
						return err
					}
				}
				nc, err := s.connect()
				if err != nil {
					return err
				}
				defer nc.Close()
				return republish(cmd, nc, list)
			})
		},
	}
}

// republish publishes messages as they were, with headers that say where they lay.
func republish(cmd *cobra.Command, nc *nats.Conn, list []query.Quarantined) error {
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	published, without := 0, 0
	for i := range list {
		q := &list[i]
		if !q.Kept {
			without++
			continue
		}
		msg := &nats.Msg{Subject: q.Subject, Header: nats.Header(q.Headers), Data: q.Payload}
		if msg.Header == nil {
			msg.Header = nats.Header{}
		}
		if id := msg.Header.Get(nats.MsgIdHdr); id != "" {
			msg.Header.Set(nats.MsgIdHdr, id+schema.ReplayedMark+strconv.FormatInt(time.Now().UnixNano(), 36))
		}
		msg.Header.Set(schema.HeaderReplayed, q.ID())
		if _, err := js.PublishMsg(cmd.Context(), msg); err != nil {
			return fmt.Errorf("publish %s again: %w", q.ID(), err)
		}
		published++
	}
	fmt.Fprintf(cmd.OutOrStdout(), "Published %d messages again", published)
	if without > 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "; of %d the bytes were not kept", without)
	}
	fmt.Fprintln(cmd.OutOrStdout(), `. "proctape quarantine list" shows which could still not be read.`)
	return nil
}

func quarantineDrop(s *settings) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: "drop MESSAGE", Short: "Forget one, or --all", Args: oneArgAtMost,
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) == 1) {
				return misuse("quarantine drop wants a message, or --all")
			}
			if err := checkMessageName(args); err != nil {
				return err
			}
			return s.withDatabase(cmd, func(db *query.DB) error {
				var q query.Quarantined
				if len(args) == 1 {
					found, err := findQuarantined(cmd, db, args[0])
					if err != nil {
						return err
					}
					q = *found
				}
				n, err := projector.DropQuarantined(cmd.Context(), db.Path(), q.Stream, q.Epoch, q.Seq)
				if err == nil {
					fmt.Fprintf(cmd.OutOrStdout(), "Dropped %d messages.\n", n)
				}
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "drop all of them")
	return cmd
}
