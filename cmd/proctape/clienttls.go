package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"

	"github.com/nats-io/nats.go"
)

// clientTLS is how a NATS server proves who it is, and how this client does.
type clientTLS struct {
	ca    string // file with the certificates of the authorities that count; empty for the machine's
	cert  string // file with this client's certificate
	key   string // and with its key
	first bool   // the server wants TLS before it says anything
}

// check checks that what belongs together is there.
func (c *clientTLS) check() error {
	if (c.cert == "") != (c.key == "") {
		return hinted(misuse("--tls-cert and --tls-key must be given together"), "both are files; --tls-ca alone is for a server that wants no certificate of its clients")
	}
	return nil
}

// options has a connection use it.
func (c *clientTLS) options() (opts []nats.Option, err error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if c.ca != "" {
		path, err := expandHome(c.ca)
		if err != nil {
			return nil, err
		}
		opts = append(opts, nats.RootCAs(path))
	}
	if c.cert != "" {
		pair, err := readKeyPair("--tls-cert", c.cert, "--tls-key", c.key)
		if err != nil {
			return nil, err
		}
		opts = append(opts, nats.Secure(&tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*pair}}))
	}
	if c.first {
		opts = append(opts, nats.TLSHandshakeFirst())
	}
	return opts, nil
}

// hintOfTLS says what mends an error of TLS with a server; empty for another error.
func hintOfTLS(err error, c *clientTLS) string {
	if err == nil {
		return ""
	}
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	_, name := errors.AsType[x509.HostnameError](err)
	_, notTLS := errors.AsType[tls.RecordHeaderError](err)
	_, invalid := errors.AsType[x509.CertificateInvalidError](err)
	alert, _ := errors.AsType[*net.OpError](err) // "remote error" in crypto/tls; ErrTLS where the server closed before the alert was read
	refused := alert != nil && alert.Op == "remote error" || errors.Is(err, nats.ErrTLS)
	switch {
	case unknown && c.ca == "":
		return "name the file with the certificate of its authority with --tls-ca"
	case unknown:
		return "the certificate is not of an authority in " + c.ca + ": name the right file with --tls-ca"
	case name:
		return "connect by a name or an address that is in its certificate"
	case invalid:
		return "its certificate has ended, or is not for servers: the server needs another one"
	case notTLS || errors.Is(err, nats.ErrSecureConnWanted):
		return "the server does not use TLS: write nats:// before its name, if the way to it is safe"
	case refused && c.cert == "":
		return "the server wants a certificate of its clients: name its files with --tls-cert and --tls-key"
	case refused:
		return "the server does not accept this client's certificate: name another with --tls-cert and --tls-key"
	}
	return ""
}
