package embeddednats

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/schema/filecheck"
)

// maxKeySize is more than a file with a key has, in bytes.
const maxKeySize = 64 << 10

// KeysDir is where the keys of a data folder are.
func KeysDir(dir string) string { return filepath.Join(dir, "creds") }

// RoleKeyPath is the file of a data folder's key for a role. Hosts have no such file: [AddHost] makes theirs.
func RoleKeyPath(dir string, role Role) string {
	return filepath.Join(KeysDir(dir), string(role)+".nk")
}

// AdminKeyPath is the file of a data folder's admin key.
func AdminKeyPath(dir string) string { return RoleKeyPath(dir, RoleAdmin) }

// Key is one nkey: an Ed25519 key of which the server knows only the public half. Its seed is a file of mode 0600.
type Key struct {
	Path   string
	Public string
	seed   []byte
}

// Keys are the keys of a data folder that are not a host's, one for each role.
type Keys struct {
	Admin     Key // may do everything; the recorder and the commands on this machine use it
	Reader    Key // may read the log
	Projector Key // may project the log into a database and trim it
	Conductor Key // may publish job events of every host
	Member    Key // may publish job events of this machine
}

// LoadKeys reads the keys in dir, and makes the folder and the keys that are missing.
func LoadKeys(dir string) (*Keys, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of keys: %w", err)
	}
	if err := filecheck.Subfolder(dir); err != nil {
		return nil, fmt.Errorf("read the keys: %w", err)
	}
	var k Keys
	for role, key := range k.byRole() {
		var err error
		if *key, err = loadOrMakeKey(filepath.Join(dir, string(role)+".nk")); err != nil {
			return nil, err
		}
	}
	return &k, shareKeys(dir)
}

func (k *Keys) byRole() map[Role]*Key {
	return map[Role]*Key{RoleAdmin: &k.Admin, RoleReader: &k.Reader, RoleProjector: &k.Projector, RoleConductor: &k.Conductor, RoleMember: &k.Member}
}

// roleOf is the role that a public key has; ok is false when it is none of these keys.
func (k *Keys) roleOf(public string) (role Role, ok bool) {
	for role, key := range k.byRole() {
		if key.Public == public {
			return role, true
		}
	}
	return "", false
}

func loadOrMakeKey(path string) (Key, error) {
	if err := filecheck.Secret(path); err != nil && !isShared(path) {
		return Key{}, fmt.Errorf("read a key: %w", err)
	}
	k, err := LoadKey(path)
	if !errors.Is(err, os.ErrNotExist) {
		return k, err
	}
	_, seed, err := newSeed()
	if err != nil {
		return Key{}, err
	}
	if err := writeSynced(path, seed); err != nil {
		return Key{}, fmt.Errorf("keep a key: %w", err)
	}
	return LoadKey(path)
}

// newSeed draws a key: its public half, and its seed as a file holds it.
func newSeed() (public string, seed []byte, err error) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		return "", nil, fmt.Errorf("make a key: %w", err)
	}
	if seed, err = pair.Seed(); err != nil {
		return "", nil, fmt.Errorf("make a key: %w", err)
	}
	if public, err = pair.PublicKey(); err != nil {
		return "", nil, fmt.Errorf("make a key: %w", err)
	}
	return public, append(seed, '\n'), nil
}

// writeSynced writes a file so that it is there whole or not at all, also after a power cut.
func writeSynced(path string, b []byte) error {
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes what was made, renamed or removed in a folder stay so after a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// LoadKey reads a seed file as nsc and nk write them. It is an error, fs.ErrNotExist among others, when it holds no seed.
func LoadKey(path string) (Key, error) {
	b, err := filecheck.Read(path, maxKeySize)
	if err != nil {
		return Key{}, fmt.Errorf("read a key: %w", err)
	}
	k, err := ParseKey(path, b)
	if err != nil {
		return Key{}, fmt.Errorf("read a key: %w", err)
	}
	return k, nil
}

// inboxOf is the prefix of the subjects on which a key's owner gets answers. It holds the public key, so that nobody with
// another key may subscribe there.
func inboxOf(public string) string { return "_INBOX_" + public }

// Options make a connection sign in with the key.
func (k Key) Options() []nats.Option {
	sign := func(nonce []byte) ([]byte, error) {
		pair, err := nkeys.FromSeed(k.seed)
		if err != nil {
			return nil, err
		}
		return pair.Sign(nonce)
	}
	return []nats.Option{nats.Nkey(k.Public, sign), nats.CustomInboxPrefix(inboxOf(k.Public))}
}

// KeyFileError says why a file is no key of proctape.
type KeyFileError struct {
	Path    string
	Problem string // "is empty", "holds a public key, …"
}

func (e *KeyFileError) Error() string { return e.Path + " " + e.Problem }

// ParseKey is [LoadKey] of what was read of a file. The error is a *[KeyFileError] when that is no user's seed.
func ParseKey(path string, b []byte) (Key, error) {
	seed := bytes.TrimSpace(b)
	prefix, _, err := nkeys.DecodeSeed(seed)
	if err != nil {
		return Key{}, &KeyFileError{path, noSeed(seed)}
	}
	if prefix != nkeys.PrefixByteUser {
		return Key{}, &KeyFileError{path, "holds the seed of an nkey for " + prefix.String() + "s, not for users"}
	}
	pair, err := nkeys.FromSeed(seed)
	if err != nil {
		return Key{}, fmt.Errorf("read a key: %s: %w", path, err)
	}
	public, err := pair.PublicKey()
	if err != nil {
		return Key{}, fmt.Errorf("read a key: %s: %w", path, err)
	}
	return Key{Path: path, Public: public, seed: seed}, nil
}

// noSeed says what a file holds that holds no seed. It never repeats the text, which may be another secret.
func noSeed(text []byte) string {
	s := string(text)
	switch {
	case s == "":
		return "is empty: it holds no key"
	case nkeys.IsValidPublicKey(s):
		return "holds a public key, not the seed that belongs to it"
	case strings.HasPrefix(s, "-----BEGIN "), strings.HasPrefix(s, "ssh-"):
		return "holds a key of another kind, not the seed of an nkey"
	case strings.HasPrefix(s, "{"):
		return "holds JSON, not the seed of an nkey"
	case strings.HasPrefix(s, "SU") && len(bytes.Fields(text)) > 1:
		return "holds more than one seed, or a seed that is broken into lines"
	case strings.HasPrefix(s, "SU"):
		return "holds a seed that is cut or changed: its checksum is wrong"
	}
	return "holds no nkey seed, which is one line that begins with SU"
}
