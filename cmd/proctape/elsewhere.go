package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/remote"
	"github.com/proctape/proctape/schema"
)

// registerElsewhere adds the flags that name a recorder elsewhere to the commands that can ask one.
func registerElsewhere(root *cobra.Command, s *settings) {
	for _, cmd := range root.Commands() {
		if asksElsewhere(cmd) {
			cmd.Flags().StringVar(&s.url, "url", "", "ask the recorder that answers at this `URL` (up --http, serve), and not a database here")
			cmd.Flags().StringVar(&s.tokenFile, "token-file", "", "`file` with the token for --url (default creds/http.token in the data folder)")
		}
	}
}

// clientOf is who asks the recorder that --url names.
func clientOf(s *settings) (*remote.Client, error) {
	path := s.tokenFile
	if path == "" {
		path = filepath.Join(s.data, "creds", "http.token")
	}
	token, owner, err := remote.ReadToken(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, hinted(fmt.Errorf("--token-file: %w", err), "copy creds/http.token of the recorder's data folder here, with mode 0600, and name it")
	}
	if err != nil {
		return nil, fmt.Errorf("--token-file: %w", err)
	}
	c, err := remote.New(s.url, token, owner)
	if errors.Is(err, remote.ErrNeedsTLS) {
		return nil, hinted(misuse("--url %s: %w", maskURL(s.url), err), "or use a tunnel to an address of this machine")
	}
	if err != nil {
		return nil, misuse("--url %s: %w", maskURL(s.url), err)
	}
	return c, nil
}

// openRecording opens the database that is read: here, or elsewhere.
func openRecording(ctx context.Context, s *settings) (*query.DB, error) {
	if s.url == "" {
		return openHere(ctx, s)
	}
	c, err := clientOf(s)
	if err != nil {
		return nil, err
	}
	return c.Open(ctx)
}

// explainElsewhere adds to an error of asking a recorder elsewhere what to do about it.
func explainElsewhere(err error) error {
	var refused *remote.RefusedError
	var unreachable *remote.UnreachableError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &refused) && refused.Status == http.StatusUnauthorized:
		return hinted(err, "it has another token: --token-file names a copy of creds/http.token of its data folder")
	case errors.As(err, &refused) && refused.Status == http.StatusMisdirectedRequest:
		return hinted(err, "it was not started with this name: start it with --http-name")
	case errors.As(err, &refused) && refused.Hint != "":
		return hinted(err, "%s", refused.Hint)
	case errors.Is(err, remote.ErrStranger):
		return hinted(err, "nothing was sent to it; ask who runs it, or name the right port")
	case errors.As(err, &certificate):
		return hinted(err, "SSL_CERT_FILE names a file of certificates to trust beside the system's")
	case errors.As(err, &unreachable):
		return hinted(err, `check that a recorder runs there with --http, or "proctape serve", and that the address is right`)
	}
	return err
}

// tailElsewhere follows a recorder elsewhere, as tail follows a log.
func tailElsewhere(cmd *cobra.Command, s *settings, stream, host string, since time.Time) error {
	params := url.Values{"kinds": {"snapshot"}}
	if stream == schema.StreamEvents {
		params.Set("kinds", "event,exec,gap")
	}
	if host != "" {
		params.Set("host", host)
	}
	if !since.IsZero() {
		params.Set("since", since.Format(time.RFC3339Nano))
	}
	c, err := clientOf(s)
	if err != nil {
		return err
	}
	enc := newJSON(cmd.OutOrStdout())
	return explainElsewhere(c.Follow(cmd.Context(), params, func(e remote.Event) error {
		var missed struct{ Messages int64 }
		value, known := map[string]any{"snapshot": new(query.Snapshot), "event": new(query.Event), "exec": new(query.Exec), "gap": new(query.Gap), "missed": &missed}[e.Name]
		if !known {
			return nil // a newer server's
		}
		if err := json.Unmarshal(e.Data, value); err != nil {
			return fmt.Errorf("read an event of %s: %w", maskURL(s.url), err)
		}
		if e.Name == "missed" {
			fmt.Fprintf(cmd.ErrOrStderr(), "proctape: note: %d %s were no longer in the log\n", missed.Messages, plural(missed.Messages, "message", "messages"))
			return nil
		}
		return enc.Encode(value)
	}))
}
