package embeddednats

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nkeys"

	"github.com/proctape/proctape/schema"
)

// Host is a host that has a key. The data folder keeps the public half alone, in a file of its own: the file's name is
// the public key, and the host's name is in it.
type Host struct {
	Name   string    `json:"host"`
	Public string    `json:"public_key"`
	Added  time.Time `json:"added"`
}

func hostsDir(dir string) string { return filepath.Join(KeysDir(dir), "hosts") }

// Hosts returns the hosts that have a key, by name. There are none in a folder that does not exist.
func Hosts(dir string) ([]Host, error) {
	entries, err := os.ReadDir(hostsDir(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("list the hosts: %w", err)
	}
	var hosts []Host
	for _, e := range entries {
		if !nkeys.IsValidPublicUserKey(e.Name()) { // one that is being written
			continue
		}
		h, err := readHost(dir, e.Name())
		if errors.Is(err, fs.ErrNotExist) { // removed meanwhile
			continue
		} else if err != nil {
			return nil, err
		}
		hosts = append(hosts, h)
	}
	slices.SortFunc(hosts, func(a, b Host) int { return strings.Compare(a.Name, b.Name) })
	return hosts, nil
}

// readHost reads the host that a public key belongs to. The key has been checked: it is the name of a file.
func readHost(dir, public string) (Host, error) {
	path := filepath.Join(hostsDir(dir), public)
	info, err := os.Lstat(path)
	if err != nil {
		return Host{}, fmt.Errorf("read a host: %w", err)
	}
	if !info.Mode().IsRegular() {
		return Host{}, fmt.Errorf("read a host: %s is no regular file", path)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return Host{}, fmt.Errorf("read a host: %w", err)
	}
	name := strings.TrimSpace(string(b))
	if !schema.ValidHost(name) || name == schema.Fleet {
		return Host{}, fmt.Errorf("read a host: %s holds no host's name", path)
	}
	return Host{name, public, info.ModTime()}, nil
}
