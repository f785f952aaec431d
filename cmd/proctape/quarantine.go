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
		Use: "quarantine", Short: "Show the messages that could not be read",
		Long: `A message goes into quarantine with its bytes when it cannot be read, breaks a limit, or claims to come from
another host; the recording goes on. After an upgrade that can read it, "quarantine replay" publishes it
again.`,
		Example: `  proctape quarantine list --json
  proctape quarantine show PROCTAPE_EVENTS/1/42
  proctape quarantine replay
  proctape quarantine drop PROCTAPE_EVENTS/1/42`,
	}
	onlyCommands(cmd)
	cmd.AddCommand(quarantineList(s), quarantineShow(s), quarantineReplay(s), quarantineDrop(s))
	return cmd
}

func quarantineList(s *settings) *cobra.Command {
	l := new(listing)
	cmd := &cobra.Command{
		Use: "list", Short: "List the messages, and count them by host and reason", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if l.limit < 0 {
				return hinted(misuse("--limit %d is negative", l.limit), "0 lists all")
			}
			return s.withDatabase(cmd, func(db *query.DB) error {
				limit := l.limit
				if limit == 0 {
					limit = -1
				}
				list, err := query.Quarantine(cmd.Context(), db, limit, false)
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
	cmd.Flags().IntVar(&l.limit, "limit", 100, "list at most this `many`; 0 for all")
	l.registerJSON(cmd)
	return cmd
}

func printQuarantine(cmd *cobra.Command, db *query.DB, list []query.Quarantined) error {
	counts, err := query.QuarantineCounts(cmd.Context(), db)
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	if len(counts) == 0 {
		fmt.Fprintln(out, "No message was ever put into quarantine.")
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
		Use: "show MESSAGE", Short: "Show one message with its bytes", Args: oneArg("message, as list names it"),
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
					fmt.Fprintf(out, "payload  %d bytes, which were not kept\n", q.Size)
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
		return hinted(misuse("%q is not the name of a message", args[0]), `"proctape quarantine list" shows the names; one is, for example, PROCTAPE_EVENTS/1/42`)
	}
	return nil
}

// findQuarantined finds the message that a user names.
func findQuarantined(cmd *cobra.Command, db *query.DB, id string) (*query.Quarantined, error) {
	stream, epoch, seq, _ := schema.ParseReplayed(id)
	q, err := query.QuarantinedMessage(cmd.Context(), db, stream, epoch, seq)
	if errors.Is(err, query.ErrNotQuarantined) {
		return nil, hinted(fmt.Errorf("%s is not in quarantine", id), `"proctape quarantine list" lists what is`)
	}
	return q, err
}

func quarantineReplay(s *settings) *cobra.Command {
	return &cobra.Command{
		Use: "replay [MESSAGE]", Short: "Publish one message, or all, again",
		Args: oneArgAtMost,
		Long: `Publish one message, or all messages in quarantine, to the log again. What can be read now is projected into
the database in its place and leaves the quarantine. The rest stays.`,
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
					if list, err = query.Quarantine(cmd.Context(), db, -1, true); err != nil {
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

// republish publishes messages as they were, with a header that says where in the quarantine each was.
func republish(cmd *cobra.Command, nc *nats.Conn, list []query.Quarantined) error {
	js, err := jetstream.New(nc) // it publishes only
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
		fmt.Fprintf(cmd.OutOrStdout(), "; the bytes of %d were not kept", without)
	}
	fmt.Fprintln(cmd.OutOrStdout(), `. "proctape quarantine list" shows which still cannot be read.`)
	return nil
}

func quarantineDrop(s *settings) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: "drop MESSAGE", Short: "Delete one message from the quarantine, or all with --all", Args: oneArgAtMost,
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) == 1) {
				return misuse("quarantine drop needs a message, or --all")
			}
			if err := checkMessageName(args); err != nil {
				return err
			}
			return s.withDatabase(cmd, func(db *query.DB) error {
				var key *projector.QuarantineKey
				if len(args) == 1 {
					q, err := findQuarantined(cmd, db, args[0])
					if err != nil {
						return err
					}
					key = &projector.QuarantineKey{Stream: q.Stream, Epoch: q.Epoch, Seq: q.Seq}
				}
				n, err := projector.DropQuarantined(cmd.Context(), db.Path(), key)
				if err == nil {
					fmt.Fprintf(cmd.OutOrStdout(), "Dropped %d messages.\n", n)
				}
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "drop all messages")
	return cmd
}
