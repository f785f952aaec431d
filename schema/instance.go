package schema

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
)

// Instance names one life of a producer: 128 random bits drawn at its start. Nobody else can guess it, so nobody
// else can publish under its message ids.
type Instance [16]byte

// NewInstance draws an instance.
func NewInstance() Instance {
	var i Instance
	rand.Read(i[:]) // never fails: crypto/rand ends the program instead
	return i
}

// String is the instance in 32 hexadecimal digits.
func (i Instance) String() string { return hex.EncodeToString(i[:]) }

// MarshalText is [Instance.String].
func (i Instance) MarshalText() ([]byte, error) { return []byte(i.String()), nil }

// UnmarshalText reads 32 hexadecimal digits.
func (i *Instance) UnmarshalText(b []byte) error {
	if len(b) != 2*len(i) {
		return fmt.Errorf("instance %q: want %d hexadecimal digits", b, 2*len(i))
	}
	if _, err := hex.Decode(i[:], b); err != nil {
		return fmt.Errorf("instance %q: %w", b, err)
	}
	return nil
}
