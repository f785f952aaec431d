// Package remote asks a recorder elsewhere: the URL of its API goes in, and a database comes out that every function of query reads as
// if it were here. Nothing is told to a server, and nothing that it says is read, before it is known to be the one that is meant.
package remote

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/health"
)

// The limits of waiting for a server.
const (
	answerTime = 45 * time.Second // until an answer begins
	proofTime  = 10 * time.Second // for which a proof is told again
)

// ErrNeedsTLS is returned for a URL that would send the token over a network in clear.
var ErrNeedsTLS = errors.New("a token is sent in clear only to this machine: the URL must begin with https://")

// New returns a client of the server at a URL, such as http://127.0.0.1:7447 or https://central:7447, which answers to a token. With
// http:// the server must be on this machine, and run as root, as us, or as owner, the user id of who gave us the token.
func New(address, token string, owner uint32) (*Client, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("it is not the URL of a server: want http://127.0.0.1:7447 or https://host:7447")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Path != "" && u.Path != "/":
		return nil, errors.New("it has more than a host and a port in it")
	case u.Scheme == "http" && !isHere(u.Hostname()):
		return nil, ErrNeedsTLS
	}
	c := &Client{base: u.Scheme + "://" + u.Host, token: token}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, TLSHandshakeTimeout: connectTime, ResponseHeaderTimeout: answerTime,
		MaxIdleConnsPerHost: maxConns, DialContext: (&net.Dialer{Timeout: connectTime}).DialContext, MaxResponseHeaderBytes: 64 << 10,
	}
	if u.Scheme == "http" {
		transport.DialContext = (&neighbours{[]uint32{0, uint32(os.Geteuid()), owner}}).dial
	}
	c.http = http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return c, nil
}

// isHere reports whether a name is of this machine alone.
func isHere(name string) bool {
	ip := net.ParseIP(name)
	return name == "localhost" || ip != nil && ip.IsLoopback()
}

// Open opens the server's database. Close it.
func (c *Client) Open(ctx context.Context) (*query.DB, error) {
	db := sql.OpenDB(connector{c})
	db.SetMaxOpenConns(maxConns)
	return query.OpenElsewhere(ctx, query.Elsewhere{DB: db, Proof: c.proof, Close: c.http.CloseIdleConnections})
}

// maxConns is how many statements are asked at one time.
const maxConns = 4

// Status asks how the recording is.
func (c *Client) Status(ctx context.Context) (*health.Status, error) {
	s := new(health.Status)
	if err := c.value(ctx, "status", nil, s); err != nil {
		return nil, err
	}
	s.SetLevel()
	return s, nil
}

// proof asks how far the database is proven.
func (c *Client) proof(ctx context.Context) (now, noted query.Proven, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.noted.at) > proofTime {
		var told struct{ Now, Noted query.Proven }
		if err := c.value(ctx, "proof", nil, &told); err != nil {
			return now, noted, err
		}
		c.noted = provenAt{time.Now(), told.Now, told.Noted}
	}
	return c.noted.now, c.noted.noted, nil
}
