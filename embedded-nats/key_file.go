package embeddednats

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/nats-io/nkeys"
)

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
