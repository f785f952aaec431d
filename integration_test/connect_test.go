package integration_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/schema"
)

// authority is a private certificate authority, and what it certified.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t, dir: t.TempDir(), pool: x509.NewCertPool()}
	a.key = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der := must(x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key))(t)
	a.cert = must(x509.ParseCertificate(der))(t)
	a.pool.AddCert(a.cert)
	a.write("ca.pem", "CERTIFICATE", der)
	return a
}

// certify makes a certificate for a name, as NAME.pem and NAME.key in the authority's folder.
func (a *authority) certify(name string, hosts ...string) tls.Certificate {
	a.t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(a.t)
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		DNSNames: hosts, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der := must(x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key))(a.t)
	a.write(name+".pem", "CERTIFICATE", der)
	a.write(name+".key", "EC PRIVATE KEY", must(x509.MarshalECPrivateKey(key))(a.t))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func (a *authority) write(name, kind string, der []byte) {
	a.t.Helper()
	if err := os.WriteFile(a.path(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

func (a *authority) path(name string) string { return filepath.Join(a.dir, name) }

// startNATS starts a NATS server with a log, and returns its port.
func startNATS(t *testing.T, opts *server.Options) int {
	t.Helper()
	opts.Host, opts.JetStream, opts.StoreDir, opts.NoSigs, opts.NoLog = "127.0.0.1", true, t.TempDir(), true, true
	if opts.Port == 0 {
		opts.Port = server.RANDOM_PORT
	}
	s := must(server.NewServer(opts))(t)
	go s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(patience) {
		t.Fatal("the server does not start")
	}
	return s.Addr().(*net.TCPAddr).Port
}

// asked runs simulate against a server, with variables in its environment, and returns what it says and its exit code.
func asked(t *testing.T, env []string, args ...string) (said string, code int) {
	t.Helper()
	cmd := exec.Command(proctape, append([]string{"simulate", "--hosts", "1", "--processes", "3", "--duration", "5s", "--rate", "fast"}, args...)...)
	cmd.Env = append(cmd.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// A server with a certificate of a private authority, one that wants certificates of its clients too, and a context of the nats command
// line that says all that: each is reached when it is named right, and when not the error says which flag is missing.
func TestConnect_TLS(t *testing.T) {
	long(t)
	t.Parallel()
	a := newAuthority(t)
	config := func(verify tls.ClientAuthType) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{a.certify("server", "localhost")}, ClientCAs: a.pool, ClientAuth: verify, MinVersion: tls.VersionTLS12}
	}
	a.certify("client")
	other := newAuthority(t)
	other.certify("client")
	private := startNATS(t, &server.Options{TLSConfig: config(tls.NoClientCert), TLSTimeout: 5})
	mutual := startNATS(t, &server.Options{TLSConfig: config(tls.RequireAndVerifyClientCert), TLSTimeout: 5, TLSVerify: true})
	plain := startNATS(t, &server.Options{})
	at := func(host string, port int) string { return fmt.Sprintf("tls://%s:%d", host, port) }
	ca, client := []string{"--tls-ca", a.path("ca.pem")}, []string{"--tls-cert", a.path("client.pem"), "--tls-key", a.path("client.key")}
	for name, c := range map[string]struct {
		args []string
		want string // in what is said; empty for an exit code of 0
	}{
		"private authority":             {append(ca, "--server", at("localhost", private)), ""},
		"authority not named":           {[]string{"--server", at("localhost", private)}, "hint: name the file with the certificate of its authority with --tls-ca"},
		"another authority":             {[]string{"--server", at("localhost", private), "--tls-ca", other.path("ca.pem")}, "name the right file with --tls-ca"},
		"another name":                  {append(ca, "--server", at("127.0.0.1", private)), "hint: connect by a name or an address that is in its certificate"},
		"client certificate":            {append(append(ca, client...), "--server", at("localhost", mutual)), ""},
		"no client certificate":         {append(ca, "--server", at("localhost", mutual)), "hint: the server wants a certificate of its clients: name its files with --tls-cert and --tls-key"},
		"client of another":             {append(ca, "--server", at("localhost", mutual), "--tls-cert", other.path("client.pem"), "--tls-key", other.path("client.key")), "hint: the server does not accept this client's certificate"},
		"key without a certificate":     {append(ca, "--server", at("localhost", mutual), "--tls-key", a.path("client.key")), "--tls-cert and --tls-key must be given together"},
		"no TLS there":                  {append(ca, "--server", at("localhost", plain)), "hint: the server does not use TLS"},
		"a file that is no certificate": {[]string{"--server", at("localhost", private), "--tls-ca", a.path("client.key")}, "client.key"},
		"an authority without a server": {ca, "--tls-ca without --server"},
	} {
		t.Run(name, func(t *testing.T) {
			said, code := asked(t, nil, append(c.args, "--data", filepath.Join(t.TempDir(), "none"))...)
			if (code == 0) != (c.want == "") || !strings.Contains(said, c.want) {
				t.Errorf("exit code %d, and it says\n%s\nwant %q", code, said, c.want)
			}
		})
	}
}

// A context of the nats command line is taken by its name or its file; its secrets are printed nowhere.
func TestConnect_Context(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	folder := filepath.Join(home, "nats", "context")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	port := startNATS(t, &server.Options{Username: "u", Password: "very-secret"})
	url := fmt.Sprintf("nats://127.0.0.1:%d", port)
	for name, c := range map[string]map[string]any{
		"prod":  {"url": url, "user": "u", "password": "very-secret", "inbox_prefix": "_INBOX.mine"},
		"wrong": {"url": url, "user": "u", "password": "other-secret"},
		"nsc":   {"url": url, "nsc": "nsc://o/a/u"},
	} {
		if err := os.WriteFile(filepath.Join(folder, name+".json"), must(json.Marshal(c))(t), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := []string{"XDG_CONFIG_HOME=" + home}
	for name, c := range map[string]struct {
		env  []string
		args []string
		want string
	}{
		"by name":           {env, []string{"--context", "prod"}, ""},
		"by its file":       {nil, []string{"--context", filepath.Join(folder, "prod.json")}, ""},
		"by the variable":   {append(env, "PROCTAPE_CONTEXT=prod"), nil, ""},
		"wrong password":    {env, []string{"--context", "wrong"}, "Authorization Violation"},
		"no such":           {env, []string{"--context", "prid"}, "hint: did you mean prod? the contexts are: nsc, prod, wrong"},
		"not supported":     {env, []string{"--context", "nsc"}, "nsc in " + filepath.Join(folder, "nsc.json") + " is not supported"},
		"with a server":     {env, []string{"--context", "prod", "--server", url}, "--context and --server cannot be combined"},
		"of the nats tools": {[]string{fmt.Sprintf("NATS_URL=nats://u:very-secret@127.0.0.1:%d", port)}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			said, code := asked(t, append([]string{"HOME=" + t.TempDir()}, c.env...), c.args...)
			if (code == 0) != (c.want == "") || !strings.Contains(said, c.want) || strings.Contains(said, "-secret") {
				t.Errorf("exit code %d, and it says\n%s\nwant %q and no secret", code, said, c.want)
			}
		})
	}
}

// A sampler whose server does not answer yet waits for it and says so once; a wrong key ends it at once.
func TestConnect_ServerComesLater(t *testing.T) {
	t.Parallel()
	reserved := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	port := reserved.Addr().(*net.TCPAddr).Port
	reserved.Close()
	url := fmt.Sprintf("nats://127.0.0.1:%d", port)
	sampler := start(t, "sample", "--server", url, "--host", "late", "--data", t.TempDir())
	await(t, "a word that it waits", func() bool { return strings.Contains(sampler.stderr(), "trying again until it answers") })
	startNATS(t, &server.Options{Port: port})
	if said, code := asked(t, nil, "--server", url); code != 0 { // it makes the streams
		t.Fatal(said)
	}
	sampler.awaitLine("is sampling late")
	sampler.stop()
	if said := sampler.stderr(); strings.Count(said, "trying again") != 1 || !strings.Contains(said, url+" answers after") {
		t.Errorf("it says %q, want that it waits once, and that the server answers", said)
	}
	closed := startNATS(t, &server.Options{Username: "u", Password: "p"})
	if said, code := exitOf(t, "sample", "--server", fmt.Sprintf("nats://127.0.0.1:%d", closed), "--host", "late", "--data", t.TempDir()); code != 1 || !strings.Contains(said, "--creds") {
		t.Errorf("exit code %d, and it says %s, want that a key is missing", code, said)
	}
}

// Who looks at the server with the nats command line sees what each stream holds and whose each durable is.
func TestConnect_DurablesSayWhose(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	recorder := record(t, proctape, dir)
	nc := must(embeddednats.Connect(dir, embeddednats.RoleReader))(t)
	defer nc.Close()
	js := must(jetstream.New(nc))(t)
	host := must(os.Hostname())(t)
	for _, name := range append([]string{schema.StreamOps}, schema.DataStreams...) {
		stream := must(js.Stream(t.Context(), name))(t)
		if said := stream.CachedInfo().Config.Description; !strings.HasPrefix(said, "proctape: ") {
			t.Errorf("stream %s is described as %q", name, said)
		}
		await(t, "a durable on "+name, func() bool {
			for range stream.ConsumerNames(t.Context()).Name() {
				return true
			}
			return false
		})
		for info := range stream.ListConsumers(t.Context()).Info() {
			if said := info.Config.Description; !strings.Contains(said, filepath.Join(dir, "monitor.db")) || !strings.Contains(said, host) {
				t.Errorf("durable %s of %s is described as %q, want the database and the host", info.Name, name, said)
			}
		}
	}
	recorder.stop()
}
