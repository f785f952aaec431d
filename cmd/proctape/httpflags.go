package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/health"
	"github.com/proctape/proctape/query/web"
)

// httpFlags say where and how the record is served over HTTP.
type httpFlags struct {
	address, cert, key, tokenFile string
	names, processes              []string
}

// register adds the flags but the address.
func (f *httpFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.cert, "http-cert", "", "certificate `file` for --http; needed where other machines reach the address")
	cmd.Flags().StringVar(&f.key, "http-key", "", "key `file` of --http-cert")
	cmd.Flags().StringSliceVar(&f.names, "http-name", nil, "a `name` by which requests may address --http, beside localhost and its address")
	cmd.Flags().StringSliceVar(&f.processes, "metrics-process-names", nil, "have /metrics tell of processes by these `names` of programs, such as nginx or post*, as process-exporter does")
	cmd.Flags().StringVar(&f.tokenFile, "token-file", "", "`file` with the token that requests carry (default creds/http.token in the data folder; made when it is not there)")
}

// tokenPath is the file with the token.
func (f *httpFlags) tokenPath(s *settings) string {
	if f.tokenFile != "" {
		return f.tokenFile
	}
	return filepath.Join(s.data, "creds", "http.token")
}

// readToken reads the token, and makes one where there is none, with its folder where that is of the data folder: a database that was copied comes without.
func (f *httpFlags) readToken(s *settings) (string, error) {
	path := f.tokenPath(s)
	if f.tokenFile == "" {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return "", err
		}
	}
	return web.ReadToken(path)
}

// httpServer listens, and is then run.
type httpServer struct {
	server   *web.Server
	listener net.Listener
	db       *query.DB
	url      string
	token    string
}

// open listens, and makes a server of the database; js is the log, nil when there is none. The caller runs or closes it.
func (f *httpFlags) open(ctx context.Context, cmd *cobra.Command, s *settings, js jetstream.JetStream) (*httpServer, error) {
	certificate, err := f.tls()
	if err != nil {
		return nil, err
	}
	for _, pattern := range f.processes {
		if _, err := path.Match(pattern, ""); err != nil {
			return nil, hinted(misuse("--metrics-process-names %q: %w", pattern, err), "name programs as a shell does files: nginx, post*, python3.[0-9]*")
		}
	}
	token, err := f.readToken(s)
	if err != nil {
		return nil, fmt.Errorf("--token-file: %w", err)
	}
	l, err := web.Listen(f.address, certificate != nil)
	if errors.Is(err, web.ErrNeedsTLS) {
		return nil, hinted(misuse("--http: %w", err), "name one with --http-cert and --http-key, or use 127.0.0.1")
	}
	if err != nil {
		return nil, hinted(fmt.Errorf("--http: %w", err), "name an address of this machine and a free port, such as 127.0.0.1:7448; port 0 is one that is free")
	}
	h := &httpServer{listener: l, url: "http://" + l.Addr().String(), token: token}
	if certificate != nil {
		h.listener, h.url = tls.NewListener(l, certificate), "https://"+l.Addr().String()
	}
	if h.db, err = query.Open(ctx, s.db); err == nil {
		h.server, err = web.New(web.Config{DB: h.db, Log: js, Token: token, TokenFile: f.tokenPath(s), Hosts: f.names, ProcessNames: f.processes, Logger: s.logger(cmd), Status: func(ctx context.Context) (*health.Status, error) { return statusNow(ctx, s) },
			ParseTime: func(text string, now time.Time) (time.Time, error) { return parseTime(text, now) }})
	}
	if err != nil {
		return nil, errors.Join(explainDatabase(err, s.db), h.close())
	}
	return h, nil
}

// httpStage is the stage of a recorder that answers over HTTP; none when nobody asked for it.
type httpStage struct {
	stages []stage
	text   string
}

// stage opens the server when an address is named.
func (f *httpFlags) stage(ctx context.Context, cmd *cobra.Command, s *settings, js jetstream.JetStream, d *watchdog) (*httpStage, error) {
	if f.address == "" {
		return &httpStage{}, nil
	}
	h, err := f.open(ctx, cmd, s, js)
	if err != nil {
		return nil, err
	}
	return &httpStage{h.stages(d), fmt.Sprintf("The page is at  %s\nQuestions are answered on %s/api/v1/; the token is in %s.\n", h.link(cmd.OutOrStdout(), f.tokenPath(s)), h.url, f.tokenPath(s))}, nil
}

// stages are those of a server: it answers, and asks itself whether it does.
func (h *httpServer) stages(d *watchdog) []stage {
	beat := d.part("answering", 0)
	return []stage{{"http", h.run}, {"http watch", func(ctx context.Context) error { return watchAnswers(ctx, h.server.Handler(), beat, d.timeout/3) }}}
}

// link is the address of the page for a browser, which takes the token from it. What is not a terminal may be kept and read by others: there, a shell
// puts the token in.
func (h *httpServer) link(w io.Writer, tokenPath string) string {
	if isTerminal(w) {
		return h.url + "/#token=" + h.token
	}
	return fmt.Sprintf(`"%s/#token=$(cat %s)"`, h.url, tokenPath)
}

// print says where questions are answered.
func (h *httpStage) print(w io.Writer) { fmt.Fprint(w, h.text) }

// run answers requests until ctx ends.
func (h *httpServer) run(ctx context.Context) error {
	return errors.Join(h.server.Serve(ctx, h.listener), h.db.Close())
}

// close closes a server that was not run.
func (h *httpServer) close() error {
	err := h.listener.Close()
	if h.db != nil {
		err = errors.Join(err, h.db.Close())
	}
	return err
}

// tls reads the certificate; nil without one.
func (f *httpFlags) tls() (*tls.Config, error) {
	if f.cert == "" && f.key == "" {
		return nil, nil
	}
	if f.cert == "" || f.key == "" {
		return nil, misuse("--http-cert and --http-key must be given together")
	}
	return readCertificate("--http-cert", f.cert, "--http-key", f.key)
}
