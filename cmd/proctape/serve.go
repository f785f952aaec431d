package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query/web"
	"github.com/proctape/proctape/schema"
)

// httpAddress is where serve listens when nobody says.
const httpAddress = "127.0.0.1:7447"

func serveCommand(s *settings) *cobra.Command {
	f := new(httpFlags)
	cmd := &cobra.Command{
		Use: "serve", Short: "Show the record as a page, and answer questions over HTTP", Args: noArgs,
		Long: `Show the record as a page for browsers, at the link that is printed: it holds the token. Answer over HTTP, as JSON, what the commands answer, and stream what happens as Server-Sent Events. It only
reads. It answers from a database that is recorded into, or was once; with a recorder it streams too.

Each request for data carries a token: the header "Authorization: Bearer TOKEN". The token is in creds/http.token
of the data folder. Other machines need a certificate: without one only an address of this machine will do.
/api/v1/openapi.json describes all questions.`,
		Example: `  proctape serve
  curl -H "Authorization: Bearer $(cat tape/creds/http.token)" 'http://127.0.0.1:7447/api/v1/events?since=-15m'
  proctape token rotate`,
		RunE: untilStopped(func(cmd *cobra.Command, _ []string) error { return serve(cmd, s, f) }),
	}
	cmd.Flags().StringVar(&f.address, "http", httpAddress, "listen on this `host:port`")
	f.register(cmd)
	return cmd
}

// serve answers until it is interrupted.
func serve(cmd *cobra.Command, s *settings, f *httpFlags) error {
	if s.checksOnly {
		_, err := f.tls()
		return err
	}
	if err := s.checkDatabase(cmd); err != nil {
		return err
	}
	var js jetstream.JetStream
	streams := "what happens is not streamed: no recorder runs here"
	if nc, err := s.connect(); err == nil {
		defer nc.Close()
		if js, err = schema.JetStream(nc, s.domain); err != nil {
			return err
		}
		streams = "what happens is streamed"
	}
	h, err := f.open(cmd.Context(), cmd, s, js)
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "proctape answers on %s/api/v1/ from %s; %s. Ctrl-C stops it.\nThe page is at  %s\nThe token is in %s.\n",
		h.url, s.db, streams, h.link(cmd.OutOrStdout(), f.tokenPath(s)), f.tokenPath(s))
	w := newWorking(cmd, s)
	defer s.reloads(cmd.ErrOrStderr(), w.notify, nil)()
	defer w.ready(cmd.Context())()
	return runStages(cmd.Context(), append([]stage{{"watchdog", w.watched.run}}, h.stages(w.watched)...)...)
}

func tokenCommand(s *settings) *cobra.Command {
	cmd := &cobra.Command{Use: "token", Short: "Manage the token of requests over HTTP"}
	f := new(httpFlags)
	rotate := &cobra.Command{
		Use: "rotate", Short: "Make a new token", Args: noArgs,
		Long:    "Make a new token in place of the old one. A server that runs takes it at once: it refuses the old one from then on, and ends\nthe streams that were opened with it.",
		Example: `  proctape token rotate`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path := f.tokenPath(s)
			if _, err := web.RotateToken(path); err != nil {
				if errors.Is(err, fs.ErrNotExist) {
					return hinted(err, "start a recording with this data folder first, or name --token-file")
				}
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "A new token is in %s. A server that runs with this file takes it at once, and refuses the old one.\n", path)
			return nil
		},
	}
	rotate.Flags().StringVar(&f.tokenFile, "token-file", "", "`file` with the token (default creds/http.token in the data folder)")
	cmd.AddCommand(rotate)
	return cmd
}
