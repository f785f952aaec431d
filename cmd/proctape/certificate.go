package main

import (
	"crypto/tls"
	"fmt"

	"github.com/proctape/proctape/schema/filecheck"
)

// maxSecretSize is more than a file with a key or credentials has, in bytes.
const maxSecretSize = 1 << 20

// readCertificate reads a certificate and its key from PEM files, which two flags name, for a server.
func readCertificate(certFlag, certFile, keyFlag, keyFile string) (*tls.Config, error) {
	cert, err := readKeyPair(certFlag, certFile, keyFlag, keyFile)
	if err != nil {
		return nil, err
	}
	return &tls.Config{Certificates: []tls.Certificate{*cert}, MinVersion: tls.VersionTLS13}, nil
}

// readKeyPair reads a certificate and its key from PEM files, which two flags name.
func readKeyPair(certFlag, certFile, keyFlag, keyFile string) (*tls.Certificate, error) {
	certificate, err := filecheck.Read(certFile, maxSecretSize)
	if err != nil {
		return nil, hinted(fmt.Errorf("%s: %w", certFlag, err), "name a PEM file with a certificate")
	}
	key, err := filecheck.ReadSecret(keyFile, maxSecretSize)
	if err != nil {
		return nil, hinted(fmt.Errorf("%s: %w", keyFlag, err), "name a PEM file with the certificate's key")
	}
	cert, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, hinted(fmt.Errorf("read the certificate: %w", err), "%s and %s name PEM files that belong together", certFlag, keyFlag)
	}
	return &cert, nil
}
