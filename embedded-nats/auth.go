package embeddednats

import (
	"encoding/base64"
	"errors"
	"io/fs"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"github.com/proctape/proctape/schema/trouble"
)

// authenticator says who a connection is. The server asks it at each connection, so a host that is added or removed is
// known at once. It implements server.Authentication.
type authenticator struct {
	dir  string
	keys *Keys
	host string // this machine; empty when it is not known
	// trouble is told of keys that cannot be read.
	trouble *trouble.Reporter

	mu    sync.Mutex // of making accounts
	ns    *server.Server
	ready chan struct{} // closed when the accounts of ns are joined, and hosts are answered
}

// begin takes a server that does not run yet. Nobody but an admin is let in before open.
func (a *authenticator) begin(ns *server.Server) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ns, a.ready = ns, make(chan struct{})
}

// open lets everybody in.
func (a *authenticator) open() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := joinAccounts(a.ns); err != nil {
		return err
	}
	close(a.ready)
	return nil
}

// Check lets a connection in when it signs the server's nonce with a key that has a role, and binds it to the role.
func (a *authenticator) Check(c server.ClientAuthentication) bool {
	public := c.GetOpts().Nkey
	if c.Kind() != server.CLIENT || !signed(public, c.GetOpts().Sig, c.GetNonce()) {
		return false
	}
	name, g, ok := a.grant(public)
	if !ok {
		return false
	}
	user := &server.User{Username: name, Permissions: g.permissions(public)}
	var err error
	if user.Account, err = a.account(g); err != nil {
		a.trouble.Note(trouble.Trouble{Kind: trouble.Unreadable, About: "key of " + name, Reason: "it cannot be let in: " + err.Error()})
		return false
	}
	c.RegisterUser(user)
	// A host that was removed meanwhile is not among the connections that were closed for it.
	_, _, ok = a.grant(public)
	return ok
}

// grant is what a key's owner is called and may do; ok is false for a key that is nobody's.
func (a *authenticator) grant(public string) (name string, g grant, ok bool) {
	if role, ok := a.keys.roleOf(public); ok {
		if role == RoleMember {
			return string(role), memberGrant(a.host), true
		}
		return string(role), grantOf(role), true
	}
	host, err := readHost(a.dir, public)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			a.trouble.Note(trouble.Trouble{Kind: trouble.Unreadable, About: "key of a host", Reason: err.Error()})
		}
		return "", grant{}, false
	}
	return host.Name, hostGrant(host.Name), true
}

// account is the account of a grant. It waits a little for a server that starts: clients give up at a second refusal.
func (a *authenticator) account(g grant) (*server.Account, error) {
	a.mu.Lock()
	ns, ready := a.ns, a.ready
	a.mu.Unlock()
	if g.account == "" {
		return ns.GlobalAccount(), nil
	}
	select {
	case <-ready:
	case <-time.After(readyTimeout):
		return nil, errors.New("the server is starting")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return accountOf(ns, g)
}

// readyTimeout is less than the time that the server gives a client to sign in, which is 2 s.
const readyTimeout = 1500 * time.Millisecond

// signed reports whether a signature is that of a public key's owner under the nonce.
func signed(public, signature string, nonce []byte) bool {
	if !nkeys.IsValidPublicUserKey(public) || len(nonce) == 0 {
		return false
	}
	sig, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil { // some clients pad it
		if sig, err = base64.StdEncoding.DecodeString(signature); err != nil {
			return false
		}
	}
	key, err := nkeys.FromPublicKey(public)
	return err == nil && key.Verify(nonce, sig) == nil
}
