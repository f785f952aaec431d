package embeddednats

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/filecheck"
)

// The files of a folder of keys.
const (
	adminKeyName   = "admin.nk"
	samplerKeyName = "sampler.nk"
)

// maxKeySize is more than a file with a key has, in bytes.
const maxKeySize = 64 << 10

// KeysDir is where the keys of a data folder are.
func KeysDir(dir string) string { return filepath.Join(dir, "creds") }

// AdminKeyPath is the file of a data folder's admin key.
func AdminKeyPath(dir string) string { return filepath.Join(KeysDir(dir), adminKeyName) }

// SamplerKeyPath is the file of a data folder's sampler key.
func SamplerKeyPath(dir string) string { return filepath.Join(KeysDir(dir), samplerKeyName) }

// Key is one nkey: an Ed25519 key of which the server knows only the public half. Its seed is a file of mode 0600.
type Key struct {
	Path   string
	Public string
	seed   []byte
}

// Keys are the keys of a data folder, one for each role.
type Keys struct {
	Admin   Key // may do everything; the recorder and the commands on this machine use it
	Sampler Key // may publish as any host, and subscribe to job events and requests
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
	for name, key := range map[string]*Key{adminKeyName: &k.Admin, samplerKeyName: &k.Sampler} {
		var err error
		if *key, err = loadOrMakeKey(filepath.Join(dir, name)); err != nil {
			return nil, err
		}
	}
	return &k, nil
}

func loadOrMakeKey(path string) (Key, error) {
	if err := filecheck.Secret(path); err != nil {
		return Key{}, fmt.Errorf("read a key: %w", err)
	}
	k, err := LoadKey(path)
	if !errors.Is(err, os.ErrNotExist) {
		return k, err
	}
	pair, err := nkeys.CreateUser()
	if err != nil {
		return Key{}, fmt.Errorf("make a key: %w", err)
	}
	seed, err := pair.Seed()
	if err != nil {
		return Key{}, fmt.Errorf("make a key: %w", err)
	}
	if err := writeSynced(path, append(seed, '\n')); err != nil {
		return Key{}, fmt.Errorf("keep a key: %w", err)
	}
	return LoadKey(path)
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

// syncDir makes it last what was made and removed in a folder.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// LoadKey reads a seed file as nsc and nk write them. It is an error, fs.ErrNotExist among others, when it holds no seed.
func LoadKey(path string) (Key, error) {
	b, err := filecheck.Read(path, maxKeySize)
	if err != nil {
		return Key{}, fmt.Errorf("read a key: %w", err)
	}
	return ParseKey(path, b)
}

// ParseKey is LoadKey of what was read of a file.
func ParseKey(path string, b []byte) (Key, error) {
	seed := bytes.TrimSpace(b)
	pair, err := nkeys.FromSeed(seed)
	if err != nil {
		return Key{}, fmt.Errorf("read a key: %s holds no nkey seed: %w", path, err)
	}
	public, err := pair.PublicKey()
	if err != nil {
		return Key{}, fmt.Errorf("read a key: %s: %w", path, err)
	}
	return Key{Path: path, Public: public, seed: seed}, nil
}

// inbox is the prefix of the subjects on which a key's owner gets answers. It holds the public key, so that nobody with
// another key may subscribe there.
func (k Key) inbox() string { return "_INBOX_" + k.Public }

// Options make a connection sign in with the key.
func (k Key) Options() []nats.Option {
	sign := func(nonce []byte) ([]byte, error) {
		pair, err := nkeys.FromSeed(k.seed)
		if err != nil {
			return nil, err
		}
		return pair.Sign(nonce)
	}
	return []nats.Option{nats.Nkey(k.Public, sign), nats.CustomInboxPrefix(k.inbox())}
}

// nkeyUsers are the keys as the server has them: who may sign in, and what each may do.
func (k *Keys) nkeyUsers() []*server.NkeyUser {
	return []*server.NkeyUser{
		{Nkey: k.Admin.Public},
		{Nkey: k.Sampler.Public, Permissions: &server.Permissions{
			// Rollups are made of what is stored, by who stores it; requests come from people.
			Publish: &server.SubjectPermission{Allow: []string{schema.SubjectPrefix + "*.>"},
				Deny: []string{schema.SubjectPrefix + "*.rollup", schema.SubjectPrefix + "*.control.>"}},
			Subscribe: &server.SubjectPermission{Allow: []string{k.Sampler.inbox() + ".>", schema.SubjectPrefix + "*.job",
				schema.SubjectPrefix + "*.control.>"}},
			Response: &server.ResponsePermission{MaxMsgs: 1, Expires: time.Minute},
		}},
	}
}
