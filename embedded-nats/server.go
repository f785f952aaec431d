// Package embeddednats runs a JetStream server inside the process: a store folder goes in, connections come out.
//
// It does what the server leaves to its host. It locks the store, because two servers on one store lose messages without an
// error. It opens a unix socket, because the server has none and a TCP port is more than one machine needs. And it returns
// start errors, which the server only logs.
package embeddednats

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/schema/filecheck"

	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/lockfile"
	"github.com/proctape/proctape/schema/trouble"
)

// Config says where the store is and who may connect. The zero value of each field but Dir works.
type Config struct {
	Dir    string      // data folder; the store is its folder "jetstream", the socket its file "nats.sock"
	Listen string      // host:port of a TCP listener; empty for none. A listener asks for a key
	TLS    *tls.Config // for the listener; needed when Listen is not a loopback address
	// Host is the name under which this machine is recorded; the member's key publishes its job events. Empty when nobody records it.
	Host string
	// Streams are made by Start where they are missing, and by Run when they vanish under the running server. Nil leaves
	// that to others.
	Streams []jetstream.StreamConfig
	// CheckRate is how many bytes of the files of messages Run reads a second to check them; default 1 MiB, negative for no
	// check. CheckPause is at least between the beginnings of two passes over all files; default 10 minutes.
	CheckRate  int64
	CheckPause time.Duration
	// Beat is called every second while Run watches the server, and as the files are checked that a restart in place needs: as long as it is
	// called, the server is not stuck. Nil for nobody who wants to know.
	Beat    func()
	Log     *slog.Logger      // default slog.Default()
	Trouble *trouble.Reporter // is told of trouble; default one that reports to Log
	// State says how the process is, as JSON, to who asks on [schema.SubjectState]. Nil where nobody answers that.
	State func() []byte
}

// The files of a data folder.
const (
	lockName   = "jetstream.lock"
	closedName = "jetstream.closed" // there while the store is closed in order
	socketName = "nats.sock"
)

// SocketPath is where a recorder on this data folder listens for other processes of the same user.
func SocketPath(dir string) string { return filepath.Join(dir, socketName) }

// Owner is the pid of the process that runs a server on this data folder; ok is false when none does.
func Owner(dir string) (pid int, ok bool) { return lockfile.Owner(filepath.Join(dir, lockName)) }

// OwnedSince is when the process that runs a server on this data folder, or ran the last one, opened its log; the zero time when
// there is none.
func OwnedSince(dir string) time.Time {
	info, err := os.Stat(filepath.Join(dir, lockName))
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// MaxPayload is the largest message the server takes. It is above the server's default of 1 MiB so that a
// snapshot of a host with tens of thousands of processes passes.
const MaxPayload = 8 << 20

// startTimeout bounds the start of the server, which scans the whole store after a crash: about 5 s for each GB.
const startTimeout = 10 * time.Minute

// Server is a running server. Close it.
type Server struct {
	cfg    Config
	keys   *Keys
	auth   *authenticator
	lock   *lockfile.Lock
	check  *storeCheck
	ns     atomic.Pointer[server.Server]
	asked  *answers
	socket *socket
	own    *nats.Conn // to keep Streams; nil without
}

// Start locks the store, checks it, starts the server, and returns when it takes connections; after a crash that can take
// minutes, until ctx ends. What is damaged in the store is set aside first, and what that lost is logged and in Gaps. It makes the folder, its keys and the store where they are missing. A store that another process holds is
// a *[lockfile.HeldError]; a folder that is not ours alone is fs.ErrPermission.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	cfg.Log = cmp.Or(cfg.Log, slog.Default())
	if cfg.Trouble == nil {
		cfg.Trouble = trouble.NewReporter(cfg.Log)
	}
	if cfg.Beat == nil {
		cfg.Beat = func() {}
	}
	cfg.CheckRate, cfg.CheckPause = cmp.Or(cfg.CheckRate, 1<<20), cmp.Or(cfg.CheckPause, 10*time.Minute)
	if err := checkListen(cfg); err != nil {
		return nil, err
	}
	if err := prepareDir(cfg.Dir); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	lock, err := lockfile.Acquire(filepath.Join(cfg.Dir, lockName))
	if err != nil {
		return nil, fmt.Errorf("lock the store: %w", err)
	}
	s := &Server{cfg: cfg, lock: lock}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// prepareDir makes the folder. It refuses one that another user could put his own in place of, or whose log he could have
// made, with a *[filecheck.Error], and one whose path is too long for its socket.
func prepareDir(dir string) error {
	if n := len(SocketPath(dir)); n >= maxSocketPath {
		return fmt.Errorf("the path of its socket would have %d bytes, the system allows %d", n, maxSocketPath-1)
	}
	if err := filecheck.Folder(dir); err != nil { // before anything is made there
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return errors.Join(filecheck.Folder(dir), filecheck.Tree(filepath.Join(dir, storeName)))
}

// maxSocketPath is the size of sun_path in unix(7), the closing NUL included.
const maxSocketPath = 108

func (s *Server) start(ctx context.Context) (err error) {
	if s.keys, err = LoadKeys(KeysDir(s.cfg.Dir)); err != nil {
		return err
	}
	notes, err := openNotes(s.cfg.Dir)
	if err != nil {
		return err
	}
	s.check = &storeCheck{dir: s.cfg.Dir, aside: newAside(s.cfg.Dir), notes: notes, beat: s.cfg.Beat, log: s.cfg.Log}
	inOrder, err := takeClosedMark(s.cfg.Dir)
	if err != nil {
		return err
	}
	if err := s.check.run(ctx, inOrder); err != nil {
		return err
	}
	s.auth = &authenticator{dir: s.cfg.Dir, keys: s.keys, host: s.cfg.Host, trouble: s.cfg.Trouble}
	if err := s.startServer(ctx); err != nil {
		return err
	}
	if err := s.answerHosts(); err != nil {
		return err
	}
	if err := s.auth.open(); err != nil {
		return err
	}
	if s.socket, err = listen(SocketPath(s.cfg.Dir), s); err != nil || s.cfg.Streams == nil {
		return err
	}
	if s.own, err = s.Connect(); err != nil {
		return err
	}
	return s.declareStreams(ctx)
}

// answerHosts answers what hosts may not read themselves.
func (s *Server) answerHosts() error {
	nc, err := s.Connect(nats.Name("proctape answers"))
	if err != nil {
		return fmt.Errorf("connect to answer hosts: %w", err)
	}
	s.asked, err = startAnswers(nc, s.disconnectHost, s.cfg.State)
	return err
}

// takeClosedMark reports whether the store was closed in order, and takes the mark of that away.
func takeClosedMark(dir string) (inOrder bool, err error) {
	err = os.Remove(filepath.Join(dir, closedName))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	return true, syncDir(dir)
}

// declareStreams makes the streams of the configuration exist. It waits for each answer, also when ctx ends: a server that is
// shut down while it makes a stream leaves the stream's store open.
func (s *Server) declareStreams(ctx context.Context) error {
	js, err := jetstream.New(s.own)
	if err != nil {
		return err
	}
	return Declare(context.WithoutCancel(ctx), js, s.cfg.Streams, true)
}

// Gaps returns what checks of the store found lost and nobody has published yet. What one call returned is taken for
// published at the next, or when the server is closed: it is returned again only to who was killed in between.
func (s *Server) Gaps() []schema.Gap {
	gaps, err := s.check.notes.take()
	if err != nil {
		s.cfg.Log.Error("what the log lost is not noted", "err", err)
	}
	return gaps
}

// startServer starts one server and waits until it is ready, it fails, or ctx ends.
func (s *Server) startServer(ctx context.Context) error {
	opts, err := s.options()
	if err != nil {
		return err
	}
	ns, err := server.NewServer(opts)
	if err != nil {
		return fmt.Errorf("make the server: %w", err)
	}
	log := newLogger(s.cfg.Log)
	ns.SetLoggerV2(log, false, false, false)
	s.ns.Store(ns)
	s.auth.begin(ns)
	go ns.Start() // Shutdown and WaitForShutdown, in Close, end what it started

	began, said := time.Now(), false
	for !ns.ReadyForConnections(50 * time.Millisecond) {
		s.cfg.Beat()
		select {
		case reason := <-log.fatal:
			return fmt.Errorf("start the server: %s", reason)
		case <-ctx.Done():
			return fmt.Errorf("start the server: %w", context.Cause(ctx))
		default:
		}
		switch took := time.Since(began); {
		case took > startTimeout:
			return fmt.Errorf("start the server: not ready after %s", startTimeout)
		case took > quiet && !said:
			said = true
			s.cfg.Log.Warn("the log is being opened; after a crash the server reads all of it")
		}
	}
	return nil
}

func (s *Server) options() (*server.Options, error) {
	o := &server.Options{
		ServerName: "proctape", NoSigs: true, MaxPayload: MaxPayload,
		JetStream: true, StoreDir: s.cfg.Dir, SyncAlways: true, DisableJetStreamBanner: true,
		// The streams have limits of their own; one of the server would only keep them from being lowered.
		JetStreamMaxStore:  1 << 50,
		JetStreamMaxMemory: 64 << 20,
		// By default it remembers 10 000 connections that ended, which take 14 MB then; nobody asks for them.
		MaxClosedClients: 1,
		DontListen:       true,
		// A key signs the nonce; the authenticator knows the keys.
		AlwaysEnableNonce: true, CustomClientAuthentication: s.auth,
	}
	if s.cfg.Listen == "" {
		return o, nil
	}
	host, port, err := splitListen(s.cfg.Listen)
	if err != nil {
		return nil, err
	}
	o.DontListen, o.Host, o.Port = false, host, port
	o.AuthTimeout = shakeTime.Seconds()
	if s.cfg.TLS != nil {
		o.TLS, o.TLSConfig, o.TLSTimeout = true, s.cfg.TLS, shakeTime.Seconds()
	}
	return o, nil
}

// shakeTime is how long a client may take to say who it is. When thousands come at once, as after a restart, the server takes seconds to get to the last; by default it would
// have sent away all that wait for longer than two, and they would come again, all at once.
const shakeTime = 15 * time.Second

// InProcessConn is a connection to the server that runs now. It makes a Server what nats.InProcessServer takes: a client that
// reconnects after a restart in place finds the new server.
func (s *Server) InProcessConn() (net.Conn, error) { return s.ns.Load().InProcessConn() }

// Connect opens a client connection inside the process. Close it before the server.
func (s *Server) Connect(opts ...nats.Option) (*nats.Conn, error) {
	base := append(s.keys.Admin.Options(),
		nats.InProcessServer(s), nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond))
	return nats.Connect("", append(base, opts...)...)
}

// URL is where the TCP listener can be reached; empty without a listener.
func (s *Server) URL() string {
	if s.cfg.Listen == "" {
		return ""
	}
	u := url.URL{Scheme: "nats", Host: s.ns.Load().Addr().String()}
	if s.cfg.TLS != nil {
		u.Scheme = "tls"
	}
	return u.String()
}

// disconnectHost closes the connections of a host.
func (s *Server) disconnectHost(host string) error {
	ns := s.ns.Load()
	conns, err := ns.Connz(&server.ConnzOptions{Account: hostGrant(host).account, Limit: 1 << 20})
	if err != nil {
		return fmt.Errorf("list the connections of %s: %w", host, err)
	}
	for _, c := range conns.Conns {
		_ = ns.DisconnectClientByID(c.Cid) // it may have gone itself
	}
	return nil
}

// Close stops taking connections, shuts the server down, waits for it, and releases the store.
func (s *Server) Close() error {
	var errs []error
	if s.own != nil {
		s.own.Close()
	}
	if s.socket != nil {
		errs = append(errs, s.socket.Close())
	}
	if s.asked != nil {
		s.asked.close()
	}
	if ns := s.ns.Load(); ns != nil {
		ns.Shutdown()
		ns.WaitForShutdown()
		errs = append(errs, s.check.notes.crossOut(), writeSynced(filepath.Join(s.cfg.Dir, closedName), nil))
	}
	return errors.Join(append(errs, s.lock.Release())...)
}

// checkListen refuses an address that would carry messages in the clear to other machines.
func checkListen(cfg Config) error {
	if cfg.Listen == "" {
		return nil
	}
	host, _, err := splitListen(cfg.Listen)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); cfg.TLS == nil && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("listen on %s: other machines could read what is sent; give a TLS certificate, or a loopback address", cfg.Listen)
	}
	return nil
}

func splitListen(addr string) (host string, port int, err error) {
	host, p, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, fmt.Errorf("listen address %q: want host:port", addr)
	}
	port, err = strconv.Atoi(p)
	if err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("listen address %q: %q is no port", addr, p)
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	return host, port, nil
}
